public import CoordinatorCore
import EventLoop
import FoundationEssentials
import RedisClient

/// The state of all shards at about one moment, and who did not answer.
public struct Survey: Sendable {
    /// By shard number; nil where the shard did not answer.
    public let states: [ShardState?]
    /// What was not answered, one sentence each, without repetition.
    public let missing: [String]
    /// The clock of the control slot's master, ms.
    public let now: Int64

    public var isPartial: Bool { !missing.isEmpty }
    /// The shards that have been started.
    public var started: [ShardState] { states.compactMap { $0 }.filter { $0.stamp != nil } }

    /// The end of the last window that all shards have sealed and merged, ms; nil before the first
    /// claim.
    public func doneTo(_ tier: Tier) -> Int64? {
        guard started.count == states.count else { return nil }
        return started.map { $0.done[tier.name] ?? 0 }.min()
    }

    /// Up to where every shard holds every one of these sources, ms; nil before anything was read.
    func readTo(_ sources: [SourceRecord]) -> Int64? {
        guard started.count == states.count else { return nil }
        let marks = sources.compactMap { watermark(of: $0.key)?.milliseconds }
        return marks.min().map { Int64(clamping: $0) }
    }

    /// Sums of one source's ledger over all shards.
    public func ledger(of source: String) -> (read: Int64, counted: Int64, refused: [String: Int64])
    {
        var total: (read: Int64, counted: Int64, refused: [String: Int64]) = (0, 0, [:])
        for state in started {
            total.read += state.read[source] ?? 0
            total.counted += state.counted[source] ?? 0
            total.refused.merge(state.refused[source] ?? [:]) { $0 + $1 }
        }
        return total
    }

    /// The lowest watermark of a source, or nil when a shard holds nothing of it.
    public func watermark(of source: String) -> StreamID? {
        let marks = started.map { $0.watermarks[source] ?? .zero }
        return marks.min()
    }
}

extension Deployment {
    /// Asks every shard; those that do not answer are named, not waited for longer than a command.
    public func survey() async throws(ServiceError) -> Survey {
        let clients = layout.shards.map { ShardClient(self, $0) }
        let now = try await serverTime()
        let replies = await gather(clients.count) { index -> Result<ShardState, ServiceError> in
            do throws(ServiceError) {
                return .success(try await clients[index].state())
            } catch {
                return .failure(error)
            }
        }
        var states: [ShardState?] = []
        var missing: [String] = []
        for reply in replies {
            switch reply {
            case .success(let state): states.append(state)
            case .failure(let error):
                states.append(nil)
                if !missing.contains(error.absence) { missing.append(error.absence) }
            }
        }
        return Survey(states: states, missing: missing, now: now)
    }

    /// The nodes that the deployment lists, the latest heartbeat first.
    public func nodes() async throws(ServiceError) -> [NodeRecord] {
        let reply = try await cluster.ask(
            ["HVALS", .init(RedisKeys.nodes)], slot: Deployment.controlSlot)
        var records: [NodeRecord] = []
        for value in reply.items ?? [] {
            guard let bytes = value.bytes else { continue }
            do {
                records.append(try JSONDecoder().decode(NodeRecord.self, from: Data(bytes)))
            } catch {
                throw .unreadable(key: RedisKeys.nodes, detail: "\(error)")
            }
        }
        return records.sorted { $0.heartbeatAt > $1.heartbeatAt }
    }

    /// The holder of the lease, if there is one.
    public func leader() async throws(ServiceError) -> LeaderReport? {
        guard let held = try await Lease.holder(cluster) else { return nil }
        return LeaderReport(
            node: held.node, term: held.token.text,
            since: Int64(clamping: held.token.microseconds / 1_000),
            leaseRemainingMilliseconds: held.remainingMilliseconds)
    }
}

/// Who leads.
public struct LeaderReport: Sendable {
    public let node: String
    /// The term's token.
    public let term: String
    /// Server time of the election, ms.
    public let since: Int64
    public let leaseRemainingMilliseconds: Int64
}
