import CoordinatorCore
import EventLoop
import RedisClient

/// The part of a rebuild that concerns one shard: finest windows first, so that the coarser ones
/// are made of what was repaired.
///
/// - Thread: loop only.
@LoopActor struct ShardRebuild {
    /// The window above is merged within this as a rule; else its owner is not at work.
    private static let patience: Duration = .seconds(30)
    private static let pause: Duration = .milliseconds(100)
    /// A window that is elsewhere so often is left to another time.
    private static let attempts = 5

    private let client: ShardClient
    private let collector: Rebuild.Collector
    private let writes: Bool
    private var deployment: Deployment { client.deployment }

    init(_ client: ShardClient, _ collector: Rebuild.Collector, writes: Bool) {
        self.client = client
        self.collector = collector
        self.writes = writes
    }

    /// A window with the parts that it is made of, as last seen.
    private struct Place {
        let window: Rebuild.Window
        let parts: [Int64]
    }

    private enum Judgement {
        case ready(Place)
        case unmerged
        case expired
        /// Neither it nor parts of it are there.
        case empty
    }

    func run(_ tier: Tier, from: Int64, to: Int64) async throws(ServiceError) {
        for coarser in deployment.ladder.tiers[tier.index...] {
            let first = coarser.start(of: from)
            let index = try await client.index(
                from: first, to: coarser.end(of: coarser.start(of: to - 1)), now: now())
            let below = deployment.ladder.tiers[coarser.index - 1]
            let starts = Set(
                index.windows[coarser.index] + index.windows[below.index].map(coarser.start(of:)))
            for start in starts.sorted() where start < to {
                try await rebuild(Rebuild.Window(tier: coarser, start: start))
            }
        }
    }

    private func now() async throws(ServiceError) -> Int64 {
        try await deployment.serverTime()
    }

    private func rebuild(_ window: Rebuild.Window) async throws(ServiceError) {
        for _ in 0..<Self.attempts {
            switch try await judge(window) {
            case .empty: return
            case .unmerged:
                collector.report.unmerged += 1
                return
            case .expired:
                collector.report.expired += 1
                return
            case .ready(let place):
                if try await make(place) { return }
            }
        }
        throw .timedOut(
            "\(window.tier.name) \(window.start) of shard \(client.shard) changed again and again: "
                + "rebuild it once more")
    }

    private func judge(_ window: Rebuild.Window) async throws(ServiceError) -> Judgement {
        let tier = window.tier
        let end = tier.end(of: window.start)
        let now = try await now()
        let index = try await client.index(from: window.start, to: end, now: now)
        let parts = index.windows[tier.index - 1]
        guard index.isDone(tier, window.start) else { return .unmerged }
        guard !parts.isEmpty || index.windows[tier.index].contains(window.start) else {
            return .empty
        }
        let expiries = try await client.expiries()
        let audit = PartsAudit(
            ladder: deployment.ladder,
            allowance: deployment.settings.outageAllowanceMilliseconds, now: now,
            expiries: expiries)
        if let ends = expiries[.init(tier: tier.index, start: window.start)], ends <= now {
            return .expired
        }
        return audit.areComparable(tier, window.start, parts: parts)
            ? .ready(Place(window: window, parts: parts)) : .expired
    }

    /// - Returns: false when the window is not any more what was judged.
    private func make(_ place: Place) async throws(ServiceError) -> Bool {
        let tier = place.window.tier
        let below = deployment.ladder.tiers[tier.index - 1]
        for dimension in Dimension.counted {
            let keys =
                [RedisKeys.pageviews(tier, dimension, client.tag, place.window.start)]
                + place.parts.map { RedisKeys.pageviews(below, dimension, client.tag, $0) }
            // A record that comes while this is under way is counted in the window and its part.
            let replies = try await client.pipeline(
                keys.map { RedisCommand("ZRANGE", .init($0), "0", "-1", isRepeatable: true) })
            let ids = Set(replies.flatMap { ($0.items ?? []).compactMap(\.recordID) }).sorted()
            var changes: [Rebuild.Change] = []
            for batch in ids.chunks(of: Rebuild.batch) {
                guard let found = try await call(place, dimension, Array(batch)) else {
                    return false
                }
                changes += found
            }
            collector.add(changes, of: ids.count, in: place.window)
        }
        return true
    }

    /// - Returns: what differed; nil when the window is elsewhere.
    private func call(
        _ place: Place, _ dimension: Dimension, _ ids: [RecordID]
    ) async throws(ServiceError) -> [Rebuild.Change]? {
        let began = loopNow()
        while true {
            let reply = try await client.rebuild(
                place.window.tier, place.window.start, dimension, parts: place.parts, ids: ids,
                writes: writes)
            switch reply {
            case .made(let changes): return changes
            case .elsewhere: return nil
            case .busy:
                guard loopNow() - began < Self.patience else {
                    throw .timedOut(
                        "the window above \(place.window.tier.name) \(place.window.start) is being "
                            + "merged in shard \(client.shard) and does not end: does a node run?")
                }
                do { try await loopSleep(Self.pause) } catch {
                    throw .timedOut("the rebuild was interrupted")
                }
            }
        }
    }
}

extension ShardClient {
    /// What became of a call of `rebuild`.
    enum Rebuilt {
        case made([Rebuild.Change])
        /// The window above is being merged.
        case busy
        /// The window is not what the caller took it for.
        case elsewhere
    }

    /// Makes some records of a window again.
    ///
    /// - Errors: `.outcomeUnknown` inside `.redis` after some calls; the same again is harmless.
    func rebuild(
        _ tier: Tier, _ window: Int64, _ dimension: Dimension, parts: [Int64], ids: [RecordID],
        writes: Bool
    ) async throws(ServiceError) -> Rebuilt {
        var packedParts = MessagePackWriter()
        packedParts.array(parts.count)
        for part in parts { packedParts.integer(part) }
        var packedIDs = MessagePackWriter()
        packedIDs.array(ids.count)
        for id in ids { packedIDs.record(id) }
        let reply: RedisValue
        do throws(RedisError) {
            reply = try await cluster.run(
                ScriptLibrary.rebuild,
                keys: [RedisKeys.shardState(tag), RedisKeys.guardKey(tag)],
                arguments: [
                    .init(tag), .init(deployment.stamp), .init(deployment.packedLadder),
                    .init(deployment.packedSeries), .init(tier.index + 1), .init(window),
                    .init(dimension.rawValue), .init(packedParts.bytes), .init(packedIDs.bytes),
                    writes ? "1" : "0",
                ], slot: slot, isRepeatable: true)
        } catch {
            throw .redis(error)
        }
        let items = reply.items ?? []
        switch items.first?.text {
        case "BUSY": return .busy
        case "ELSEWHERE": return .elsewhere
        case "SETTINGS": throw .otherSettings(shard: shard)
        case "OK" where items.count == 4:
            let values = items[1].items ?? []
            return .made(
                stride(from: 0, to: values.count - 5, by: 6).compactMap {
                    change(values[$0..<$0 + 6], tier, window, dimension)
                })
        default:
            throw .redis(
                .protocolViolation(
                    endpoint: RedisKeys.shardState(tag), reason: "unexpected reply of a script"))
        }
    }

    private func change(
        _ values: ArraySlice<RedisValue>, _ tier: Tier, _ window: Int64, _ dimension: Dimension
    ) -> Rebuild.Change? {
        let numbers = values.dropFirst().map { $0.int ?? 0 }
        guard let id = values.first?.recordID, numbers.count == 5 else { return nil }
        return Rebuild.Change(
            tier: tier, window: window, shard: shard, dimension: dimension, id: id,
            pageviewsBefore: numbers[0], pageviewsAfter: numbers[1],
            devicesBefore: numbers[2] < 0 ? nil : numbers[2], devicesAfter: numbers[3],
            seriesDiffered: numbers[4] == 1)
    }
}
