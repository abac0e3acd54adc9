public import CoordinatorCore
import EventLoop
import RedisClient

/// Everything that `status` says, from Redis itself: it works with no leader and with dead nodes.
public struct StatusReport: Sendable {
    /// How the deployment is, as a whole.
    public enum State: String, Sendable { case healthy, degraded, down }

    /// The state, and why.
    public struct Health: Sendable {
        public let state: State
        /// One clause each; empty when healthy.
        public let reasons: [String]
    }

    public let survey: Survey
    public let leader: LeaderReport?
    public let nodes: [NodeRecord]
    public let tiers: [TierReport]
    public let sources: [SourceReport]
    public let health: Health

    /// Who owns which shard, by the map and by the shards' own slots.
    public let ownership: Ownership

    /// A tier later than this beyond its length and grace is worth a word.
    private static let tolerableLagMilliseconds: Int64 = 60_000

    /// Looks at everything once.
    @LoopActor public static func make(_ deployment: Deployment) async throws(ServiceError)
        -> StatusReport
    {
        let survey = try await deployment.survey()
        let leader = try await deployment.leader()
        let nodes = try await deployment.nodes()
        let tiers = try await TierReport.all(deployment, survey)
        let sources = try await SourceReport.all(deployment, survey)
        let ownership = Ownership(
            try await deployment.shardMap(), survey, nodes: nodes)
        var reasons: [String] = []
        if leader == nil { reasons.append("no leader: start a node with `coordinator run`") }
        if !ownership.orphaned.isEmpty {
            reasons.append("\(ownership.orphaned.count) shards without an owner")
        }
        if !ownership.moving.isEmpty {
            reasons.append("\(ownership.moving.count) shards change hands")
        }
        let lost = nodes.count { $0.state(now: survey.now) == "lost" }
        if lost > 0 { reasons.append("\(lost) \(lost == 1 ? "node" : "nodes") lost") }
        for tier in try await deployment.orders().pausedTiers {
            reasons.append("\(tier) is paused: `coordinator resume \(tier)`")
        }
        if survey.isPartial { reasons.append("some masters did not answer") }
        let grace = deployment.settings.graceMilliseconds
        for tier in tiers where tier.tier.index > 0 {
            if let lag = tier.lagMilliseconds,
                lag > tier.tier.lengthMilliseconds + grace + tolerableLagMilliseconds
            {
                reasons.append("\(tier.tier.name) is late")
            }
        }
        let isDown = leader == nil || survey.isPartial
        return StatusReport(
            survey: survey, leader: leader, nodes: nodes, tiers: tiers, sources: sources,
            health: Health(
                state: isDown ? .down : reasons.isEmpty ? .healthy : .degraded, reasons: reasons),
            ownership: ownership)
    }
}

/// How far one tier is, over all shards.
public struct TierReport: Sendable {
    public let tier: Tier
    /// The end of the last window that every shard has sealed and merged, ms; for the base, up to
    /// where every shard holds every source.
    public let sealedTo: Int64?
    public let lagMilliseconds: Int64?
    /// Windows that are kept; nil when not all shards answered.
    public let windows: Int64?
    /// Shards that are merging a window of it now.
    public let open: Int

    /// All tiers, finest first.
    @LoopActor public static func all(
        _ deployment: Deployment, _ survey: Survey
    ) async throws(ServiceError) -> [TierReport] {
        let tiers = deployment.ladder.tiers
        let states = survey.states
        let read = survey.readTo(
            try await SourceRegistry(deployment.cluster).all().filter { $0.confirmedAt == nil })
        let counts = await gather(states.count) { index -> [Set<Int64>]? in
            guard let state = states[index] else { return nil }
            let client = ShardClient(deployment, state.shard)
            do throws(ServiceError) {
                let replies = try await client.pipeline(
                    tiers.map {
                        RedisCommand(
                            "ZRANGE", .init(RedisKeys.windows($0, client.tag)), "0", "-1",
                            isRepeatable: true)
                    })
                return replies.map {
                    Set(($0.items ?? []).compactMap { $0.text.flatMap(Int64.init) })
                }
            } catch {
                // Who did not answer is in the survey already.
                return nil
            }
        }
        return tiers.map { tier in
            let end = tier.index == 0 ? read : survey.doneTo(tier)
            let sealed = end.flatMap { $0 > 0 ? $0 : nil }
            let known = counts.compactMap { $0 }
            let windows = known.reduce(into: Set<Int64>()) { $0.formUnion($1[tier.index]) }
            return TierReport(
                tier: tier, sealedTo: sealed,
                lagMilliseconds: sealed.map { max(0, survey.now - $0) },
                windows: known.count == states.count ? Int64(windows.count) : nil,
                open: survey.started.count { $0.open?.tier == tier.index + 1 })
        }
    }
}

/// How far one source is, and its ledger.
public struct SourceReport: Sendable {
    public let record: SourceRecord
    /// Every shard holds everything up to here.
    public let readTo: StreamID?
    public let lastID: StreamID?
    /// Entries that some shard has still to get; nil when unknown.
    public let lag: Int64?
    public let read: Int64
    public let counted: Int64
    public let refused: [String: Int64]

    /// `live`, `open` (an import under way), `finished` (all written) or `settled` (all counted).
    public var state: String {
        switch record.kind {
        case .live: "live"
        case .import:
            record.isSettled || record.confirmedAt != nil
                ? "settled" : record.isFinished ? "finished" : "open"
        }
    }

    /// All sources, by key.
    @LoopActor public static func all(
        _ deployment: Deployment, _ survey: Survey
    ) async throws(ServiceError) -> [SourceReport] {
        let records = try await SourceRegistry(deployment.cluster).all()
        var reports: [SourceReport] = []
        for record in records {
            let ledger = survey.ledger(of: record.key)
            let readTo = survey.watermark(of: record.key)
            let stream = SourceStream(deployment.cluster, record)
            let last = try await stream.lastEntry()
            let lag: Int64? =
                if let last, let readTo, readTo < last {
                    try await stream.count(after: readTo)
                } else { 0 }
            reports.append(
                SourceReport(
                    record: record, readTo: readTo, lastID: last, lag: lag, read: ledger.read,
                    counted: ledger.counted, refused: ledger.refused))
        }
        return reports
    }
}
