import CoordinatorCore
import EventLoop
import RedisClient

/// Looks at one suspected record or window again, all of it at about one moment.
///
/// - Thread: loop only.
@LoopActor struct RecordAudit {
    private let client: ShardClient
    private let now: Int64

    init(_ client: ShardClient, now: Int64) {
        self.client = client
        self.now = now
    }

    private var ladder: Ladder { client.deployment.ladder }

    /// What is wrong with it now; nothing when it was only seen at two moments.
    func violations(_ suspect: ShardAudit.Suspect) async throws(ServiceError) -> [Violation] {
        let end = suspect.tier.end(of: suspect.window)
        let index = try await client.index(from: suspect.window, to: end, now: now)
        let isListed = index.windows[suspect.tier.index].contains(suspect.window)
        guard isListed, !index.isOpen(suspect.tier, suspect.window) else { return [] }
        if suspect.isTotal {
            return index.isDone(suspect.tier, suspect.window) ? try await total(suspect, index) : []
        }
        guard let id = suspect.id else { return try await window(suspect, index) }
        guard index.isDone(suspect.tier, suspect.window) else { return [] }
        return try await record(suspect, id, index)
    }

    private func window(
        _ suspect: ShardAudit.Suspect, _ index: WindowIndex
    ) async throws(ServiceError) -> [Violation] {
        func violation(_ what: String) -> Violation {
            Violation(
                .window, tier: suspect.tier.name, window: suspect.window,
                "shard \(suspect.shard) lists the window and \(what)")
        }
        if suspect.tier.index > 0, !index.isDone(suspect.tier, suspect.window) {
            return [violation("has not sealed it")]
        }
        let sizes = try await client.pipeline(
            Dimension.counted.map {
                let key = RedisKeys.pageviews(suspect.tier, $0, client.tag, suspect.window)
                return RedisCommand("ZCARD", .init(key), isRepeatable: true)
            })
        return sizes.allSatisfy { $0.int == 0 } ? [violation("holds nothing of it")] : []
    }

    /// The views of all records of a window that is full, or has a full part, and of its parts.
    private func total(
        _ suspect: ShardAudit.Suspect, _ index: WindowIndex
    ) async throws(ServiceError) -> [Violation] {
        let tier = suspect.tier
        let below = ladder.tiers[tier.index - 1]
        let windows =
            [(tier: tier, start: suspect.window)]
            + index.windows[below.index].map { (tier: below, start: $0) }
        let parts = PartsAudit(
            ladder: ladder, allowance: client.deployment.settings.outageAllowanceMilliseconds,
            now: now, expiries: try await client.expiries())
        guard parts.areComparable(tier, suspect.window, parts: windows.dropFirst().map(\.start))
        else { return [] }
        let sums = try await client.sums(suspect.dimension, windows)
        let whole = sums.dropFirst().reduce(Int64(0), &+)
        guard sums[0] != whole else { return [] }
        return [
            Violation(
                .rollup, tier: tier.name, window: suspect.window,
                "shard \(suspect.shard), \(suspect.dimension.rawValue): \(sums[0]) pageviews "
                    + "in all, its parts have \(whole)")
        ]
    }

    private func record(
        _ suspect: ShardAudit.Suspect, _ id: RecordID, _ index: WindowIndex
    ) async throws(ServiceError) -> [Violation] {
        let tier = suspect.tier
        let below = ladder.tiers[tier.index - 1]
        let dimension = suspect.dimension
        let parts = index.windows[below.index]
        let audit = PartsAudit(
            ladder: ladder, allowance: client.deployment.settings.outageAllowanceMilliseconds,
            now: now,
            expiries: try await client.expiries())
        let scores = try await client.pipeline(
            [score(tier, dimension, id, suspect.window)]
                + parts.map { score(below, dimension, id, $0) })
        let views = scores[0].score ?? 0
        let partViews = scores.dropFirst().reduce(Int64(0)) { $0 &+ ($1.score ?? 0) }
        let holding = zip(parts, scores.dropFirst()).filter { !$0.1.isNull }.map(\.0)
        let counts = try await client.pipeline(
            [client.deviceUnion(tier, dimension, id, [suspect.window])]
                + (holding.isEmpty ? [] : [client.deviceUnion(below, dimension, id, holding)]))
        let devices = counts[0].int ?? 0
        var found: [Violation] = []
        func add(_ kind: Violation.Kind, _ what: String) {
            found.append(
                Violation(
                    kind, tier: tier.name, window: suspect.window,
                    "shard \(suspect.shard), \(dimension.rawValue) \(id.hex): \(what)"))
        }
        if audit.areComparable(tier, suspect.window, parts: parts) {
            if views != partViews {
                add(.rollup, "\(views) pageviews, its parts have \(partViews)")
            }
            let union = holding.isEmpty ? 0 : counts[1].int ?? 0
            if views == partViews, devices != union {
                add(.devices, "\(devices) devices, its parts have \(union)")
            }
        }
        guard !scores[0].isNull else { return found }
        for (metric, expected) in [(Metric.pageviews, views), (.uniqueDevices, devices)] {
            guard metric == .uniqueDevices || tier.index == 1 else { continue }
            if let shown = try await wrongSample(suspect, id, metric, expected) {
                add(.series, "\(metric.rawValue) shows \(shown), the window holds \(expected)")
            }
        }
        return found
    }

    private func score(_ tier: Tier, _ dimension: Dimension, _ id: RecordID, _ window: Int64)
        -> RedisCommand
    {
        RedisCommand(
            "ZSCORE", .init(RedisKeys.pageviews(tier, dimension, client.tag, window)),
            .init(id.hex),
            isRepeatable: true)
    }

    /// What a series shows where it shows something else than it must.
    private func wrongSample(
        _ suspect: ShardAudit.Suspect, _ id: RecordID, _ metric: Metric, _ expected: Int64
    ) async throws(ServiceError) -> String? {
        let key = RedisArgument(
            RedisKeys.series(suspect.tier, suspect.dimension, client.tag, id, metric))
        let window = RedisArgument(max(0, suspect.window))
        let replies = try await client.answers([
            RedisCommand("TS.RANGE", key, window, window, isRepeatable: true),
            RedisCommand("TS.GET", key, isRepeatable: true),
        ])
        let shown = Series.points(replies[0]).first?.value
        if shown == expected || (shown == nil && expected == 0) { return nil }
        if shown == nil, client.deployment.settings.heaviest != nil { return nil }
        if shown == nil, let newest = replies[1].items?.first?.int,
            SeriesAge.isTooOld(suspect.window, newest: newest)
        {
            return nil
        }
        return shown.map { "\($0)" } ?? "nothing"
    }
}
