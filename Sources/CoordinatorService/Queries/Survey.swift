public import CoordinatorCore
import EventLoop
import RedisClient

/// The state of all shards at about one moment, and who did not answer.
public struct Survey: Sendable {
    /// By shard number; nil where the shard did not answer.
    public let states: [ShardState?]
    /// What was not answered, one sentence each, without repetition.
    public let missing: [String]
    /// The clock of the control slot's master, ms.
    public let now: Int64
    /// By tier index: how many windows are kept; nil when not asked for, or not all answered.
    var windowCounts: [Int]?

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

    /// How many steps of rotation shards have refused because their token was not the one held.
    public var fencedWrites: Int64 { started.reduce(0) { $0 + $1.fenced } }

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
        await survey(now: try await serverTime())
    }

    /// The same at a time that is known, so that no round trip goes for it.
    ///
    /// - Parameters:
    ///   - now: server time, ms.
    ///   - withWindows: whether to count the windows that are kept, too.
    public func survey(now: Int64, withWindows: Bool = false) async -> Survey {
        let clients = layout.shards.map { ShardClient(self, $0) }
        typealias Reading = (state: ShardState, windows: [[String]])
        let replies = await gather(clients.count) { index -> Result<Reading, ServiceError> in
            do throws(ServiceError) {
                guard withWindows else { return .success((try await clients[index].state(), [])) }
                return .success(try await clients[index].stateAndWindows())
            } catch {
                return .failure(error)
            }
        }
        var states: [ShardState?] = []
        var missing: [String] = []
        var windows = ladder.tiers.map { _ in Set<String>() }
        for reply in replies {
            switch reply {
            case .success(let reading):
                states.append(reading.state)
                for (index, starts) in reading.windows.enumerated() {
                    windows[index].formUnion(starts)
                }
            case .failure(let error):
                states.append(nil)
                if !missing.contains(error.absence) { missing.append(error.absence) }
            }
        }
        return Survey(
            states: states, missing: missing, now: now,
            windowCounts: withWindows && missing.isEmpty ? windows.map(\.count) : nil)
    }
}

extension ShardClient {
    /// What the slot says, and the starts of the windows that each tier keeps.
    func stateAndWindows() async throws(ServiceError) -> (state: ShardState, windows: [[String]]) {
        let state = RedisCommand(
            "HGETALL", .init(RedisKeys.shardState(tag)), isRepeatable: true)
        let windows = deployment.ladder.tiers.map {
            RedisCommand("ZRANGE", .init(RedisKeys.windows($0, tag)), "0", "-1", isRepeatable: true)
        }
        let replies = try await pipeline([state] + windows)
        return (
            ShardState(shard: shard, fields: (replies[0].items ?? [])[...]),
            replies.dropFirst().map { ($0.items ?? []).compactMap(\.text) }
        )
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
