import CoordinatorCore
import EventLoop
public import Metrics
import RedisClient

/// The node's figures for Prometheus, from memory.
///
/// - Not guaranteed: that two figures are of one moment, beyond the last heartbeat's.
extension Node {
    /// Writes everything that the node knows of itself, and as leader of the deployment.
    public func writeMetrics(into text: inout MetricsText) {
        let now = loopNow()
        writePresence(into: &text, now)
        writeShards(into: &text)
        writeTiers(into: &text, now)
        writeSources(into: &text, now)
        writeEnrichment(into: &text)
        metrics.write(into: &text)
        writeRedis(into: &text, now)
    }

    private func writePresence(into text: inout MetricsText, _ now: MonotonicInstant) {
        let presence = presence
        text.gauge(
            "coordinator_build_info", "1, with the program's version and what it was built from.",
            labels: ["version", "commit", "swift", "configuration"],
            [
                (
                    [
                        Version.text, BuildInformation.commit ?? "", BuildInformation.swift,
                        BuildInformation.configuration,
                    ], 1
                )
            ])
        text.gauge(
            "coordinator_node_ready", "Whether the node takes part.", presence.isReady ? 1 : 0)
        text.gauge(
            "coordinator_node_draining", "Whether the node gives its shards away.",
            isStopping || lastBeat?.isDrained == true ? 1 : 0)
        text.gauge(
            "coordinator_leader", "Whether this node leads, by its own clock.",
            presence.isLeader ? 1 : 0)
        text.gauge(
            "coordinator_lease_remaining_seconds",
            "How long this leader may still trust its lease; 0 for a follower.",
            leaseRemaining(now) / .seconds(1))
        text.gauge(
            "coordinator_lease_seconds", "How long a silent leader keeps the lead.",
            options.timing.leaseDuration / .seconds(1))
        text.gauge(
            "coordinator_term_timestamp_seconds",
            "When the term in force began, by the server's clock, as of the last heartbeat.",
            lastBeat?.term.map { Double($0.microseconds) / 1e6 })
    }

    private func writeShards(into text: inout MetricsText) {
        guard let deployment else { return }
        let total = deployment.layout.count
        text.gauge("coordinator_configured_shards", "Shards of the deployment.", Double(total))
        text.gauge(
            "coordinator_node_shards", "Shards that this node works on.",
            Double(workplace?.shardCount ?? 0))
        text.gauge(
            "coordinator_map_version_timestamp_seconds",
            "When the shard map that this node knows was published, by the server's clock.",
            map.map { Double($0.version.microseconds) / 1e6 })
        guard presence.isLeader, let beat = lastBeat else { return }
        var states: [NodeRecord.State: Int] = [.ready: 0, .draining: 0, .lost: 0]
        for node in beat.nodes { states[node.state(now: beat.serverTime), default: 0] += 1 }
        text.gauge(
            "coordinator_nodes", "Nodes by state, as the leader sees them.", labels: ["state"],
            states.map { ([$0.key.rawValue], Double($0.value)) }.sorted { $0.0[0] < $1.0[0] })
        guard let map else { return }
        let live = beat.nodes.filter { $0.state(now: beat.serverTime) != .lost }
        let ids = Set(live.map(\.id))
        let orphaned = map.owners.count { $0.map { !ids.contains($0) } ?? true }
        let owned = min(live.reduce(0) { $0 + $1.shards }, total - orphaned)
        text.gauge(
            "coordinator_shards",
            "Shards by state, as the leader sees them: worked on, changing hands, nobody's.",
            labels: ["state"],
            [
                (["moving"], Double(total - orphaned - owned)), (["orphaned"], Double(orphaned)),
                (["owned"], Double(owned)),
            ])
    }

    private func writeTiers(into text: inout MetricsText, _ now: MonotonicInstant) {
        guard let deployment else { return }
        let tiers = deployment.ladder.tiers.dropFirst()
        text.gauge(
            "coordinator_grace_seconds", "How long a window waits for late events.",
            Double(deployment.settings.graceMilliseconds) / 1_000)
        text.gauge(
            "coordinator_tier_length_seconds", "The length of a tier's windows.", labels: ["tier"],
            tiers.map { ([$0.name], Double($0.lengthMilliseconds) / 1_000) })
        if let own = workplace?.progress {
            text.gauge(
                "coordinator_node_tier_sealed_timestamp_seconds",
                "Up to where every shard of this node is sealed and merged.", labels: ["tier"],
                zip(tiers, own).filter { $0.1.doneTo > 0 }.map {
                    ([$0.0.name], Double($0.1.doneTo) / 1_000)
                })
        }
        guard presence.isLeader, let beat = lastBeat else { return }
        let serverNow = Double(beat.serverTime) / 1_000 + (now - beat.at) / .seconds(1)
        let all = tiers.compactMap { tier in
            runs.doneTo(tier).map { (tier.name, Double($0) / 1_000) }
        }
        text.gauge(
            "coordinator_tier_sealed_timestamp_seconds",
            "Up to where all shards are sealed and merged, from the leader.", labels: ["tier"],
            all.map { ([$0.0], $0.1) })
        text.gauge(
            "coordinator_tier_lag_seconds",
            "How far the sealed windows of a tier are behind the server's clock, from the leader.",
            labels: ["tier"], all.map { ([$0.0], max(0, serverNow - $0.1)) })
        text.gauge(
            "coordinator_tier_paused", "Whether an operator paused a tier.", labels: ["tier"],
            tiers.map { ([$0.name], beat.pausedTiers.contains($0.name) ? 1 : 0) })
    }

    private func writeSources(into text: inout MetricsText, _ now: MonotonicInstant) {
        guard let beat = lastBeat, let workplace else { return }
        let serverNow = beat.serverTime + Int64(((now - beat.at) / .milliseconds(1)).rounded())
        text.gauge(
            "coordinator_sources", "Sources that this node reads, by kind.", labels: ["kind"],
            [
                (["import"], Double(workplace.readerCount(.import))),
                (["live"], Double(workplace.readerCount(.live))),
            ])
        text.gauge(
            "coordinator_source_lag_seconds",
            "Age of the oldest entry of a live source that some shard has still to get: the worst.",
            workplace.lowestLiveWatermark.map { max(0, Double(serverNow - $0) / 1_000) })
    }

    private func writeEnrichment(into text: inout MetricsText) {
        let report = workplace?.enrichment
        text.gauge(
            "coordinator_enrichment_blocked",
            "Whether the article API is left alone because it did not answer.",
            report.map { $0.isAsked ? 0 : 1 } ?? 0)
        guard let report else { return }
        text.gauge(
            "coordinator_enrichment_running", "Requests to the article API under way.",
            Double(report.running))
        text.gauge(
            "coordinator_enrichment_waiting", "Pages in memory that wait for a permit.",
            Double(report.ready))
        var answers = CounterFamily(
            "coordinator_enrichment_answers_total",
            "What came of requests to the article API; dead: pages given up.", labels: ["result"])
        answers.add("found", by: UInt64(clamping: report.found))
        answers.add("missing", by: UInt64(clamping: report.missing))
        answers.add("failed", by: UInt64(clamping: report.failed))
        answers.add("dead", by: UInt64(clamping: report.dead))
        text.counters(answers)
    }

    private func writeRedis(into text: inout MetricsText, _ now: MonotonicInstant) {
        var sum = RedisStatistics()
        for client in [clients.work, clients.control, clients.watch] {
            sum.commands.merge(client.statistics.commands)
            sum.durations.merge(client.statistics.durations)
            sum.redirectionsByKind.merge(client.statistics.redirectionsByKind)
            sum.topologyRefreshes += client.statistics.topologyRefreshes
            sum.lostConnections += client.statistics.lostConnections
        }
        text.gauge(
            "coordinator_redis_last_seen_seconds", "Time since the last answered heartbeat.",
            lastBeat.map { (now - $0.at) / .seconds(1) })
        text.gauge(
            "coordinator_redis_up", "Whether a heartbeat was answered within the time to live.",
            lastBeat.map { now - $0.at <= options.timing.nodeTTL } ?? false ? 1 : 0)
        text.gauge(
            "coordinator_redis_masters", "Masters of the cluster, as last seen.",
            Double(clients.work.masters.count))
        text.gauge(
            "coordinator_redis_covered_slots", "Hash slots with a master, of 16384.",
            Double(clients.work.coveredSlots))
        text.counters(sum.commands)
        text.histograms(sum.durations)
        text.counters(sum.redirectionsByKind)
        text.counter(
            "coordinator_redis_topology_refreshes_total", "Questions for the cluster's topology.",
            Double(sum.topologyRefreshes))
        text.counter(
            "coordinator_redis_lost_connections_total",
            "Connections to Redis that were lost or could not be made.",
            Double(sum.lostConnections))
    }
}
