public import CoordinatorCore
import EventLoop
import RedisClient

/// A page that is read much more than it usually is.
public struct Riser: Sendable {
    public let row: FigureRow
    /// The middle of its pageviews in the intervals of equal length before.
    public let typical: Int64
    /// Pageviews by the typical level, or by the floor where that is higher.
    public let rise: Double
    /// Of the intervals before, in how many it was read at all.
    public let seenIn: Int
}

/// Which pages rise.
public struct TrendingRule: Sendable {
    /// A typical level below this counts as this, so that a page does not rise from one view to
    /// five.
    public var floor: Int64
    /// How many times the typical level is a rise.
    public var factor: Double

    /// A rule; both are at least one.
    public init(floor: Int64, factor: Double) {
        self.floor = max(1, floor)
        self.factor = max(1, factor)
    }

    /// How far a page is above what is typical; nil where that is no rise.
    public func rise(_ views: Int64, typical: Int64) -> Double? {
        let rise = Double(views) / Double(max(typical, floor))
        return rise >= factor ? rise : nil
    }

    /// The middle of some figures; of an even number the lower one, so that it is one that was.
    public static func median(_ figures: [Int64]) -> Int64 {
        guard !figures.isEmpty else { return 0 }
        return figures.sorted()[(figures.count - 1) / 2]
    }
}

/// What rises, and against what it was judged.
public struct Trending: Sendable {
    public let rows: [Riser]
    /// The intervals before, each as long as the answer's: how many, and since when, ms.
    public let baselineCount: Int
    public let baselineFrom: Int64
}

extension Figures {
    /// Pages that are looked at in their series; only the most read can be among the first risers,
    /// and each costs a master some tens of microseconds.
    private static let mostCandidates = 2_000
    /// The typical level is told by at least a day before, and at least so many intervals, as far
    /// as the series are kept.
    private static let shortestBaseline: Int64 = 86_400_000
    private static let fewestIntervals: Int64 = 14

    /// The pages that rise most.
    ///
    /// - Errors: as of `top`; `.question` for an interval that the series hold no earlier ones of.
    public func trending(
        _ dimension: Dimension, _ question: Interval, filter: Filter, rule: TrendingRule,
        count: Int
    ) async throws(ServiceError) -> Answer<Trending> {
        let view = try await look(at: .windows(question), deployment.layout.shards)
        let interval = view.interval
        let baseline = try baseline(of: interval, now: view.survey.now)
        var ranking = await ranking(dimension, view)
        // Below that a page rises from no level, not even from the floor.
        let least = Int64((Double(rule.floor) * rule.factor).rounded(.up))
        ranking.tallies = Array(ranking.tallies.prefix { $0.views >= least })
        let scope = Scope(self, dimension, filter)
        let candidates = try await first(Self.mostCandidates, of: ranking, scope)
        let typical = try await byShard(candidates, \.shard) {
            own, shard async throws(ServiceError) in
            try await self.levels(own, dimension, shard, interval, baseline)
        }
        var risers = zip(candidates, typical).compactMap {
            tally, level -> (Tally, Level, Double)? in
            rule.rise(tally.views, typical: level.typical).map { (tally, level, $0) }
        }
        risers.sort { $0.2 == $1.2 ? Tally.precedes($0.0, $1.0) : $0.2 > $1.2 }
        let chosen = Array(risers.prefix(count))
        let counted = try await withDevices(chosen.map(\.0), dimension, view)
        let rows = try await named(counted, dimension, view)
        let found = zip(rows, chosen).map { row, riser in
            Riser(
                row: row, typical: riser.1.typical, rise: riser.2, seenIn: riser.1.seenIn)
        }
        return Answer(
            interval: interval, isFinal: ranking.missing.isEmpty && view.isFinal,
            missing: ranking.missing,
            value: Trending(
                rows: found, baselineCount: baseline,
                baselineFrom: interval.from - Int64(baseline) * interval.length))
    }

    private struct Level: Sendable {
        let typical: Int64
        let seenIn: Int
    }

    /// How many intervals before tell what is typical.
    private func baseline(of interval: Interval, now: Int64) throws(ServiceError) -> Int {
        let length = interval.length
        let wanted = max(Self.shortestBaseline, Self.fewestIntervals * length)
        let kept = interval.from - (now - Deployment.seriesRetentionMilliseconds)
        let count = min(wanted, max(0, kept)) / max(1, length)
        guard count >= 2 else {
            throw .question(
                "there are no two intervals of that length before it in the series, which are kept "
                    + TimeSpan.format(Deployment.seriesRetentionMilliseconds)
                    + ": ask for a shorter --last or a later --at")
        }
        return Int(count)
    }

    /// What is typical of some records of one shard: from the series, which are kept longer than
    /// windows are.
    private func levels(
        _ tallies: [Tally], _ dimension: Dimension, _ shard: ShardID, _ interval: Interval,
        _ baseline: Int
    ) async throws(ServiceError) -> [Level] {
        let client = ShardClient(deployment, shard)
        let tier = deployment.ladder.tiers[1]
        let from = interval.from - Int64(baseline) * interval.length
        let replies = try await client.replies(
            tallies.map { tally in
                RedisCommand(
                    "TS.RANGE",
                    .init(RedisKeys.series(tier, dimension, client.tag, tally.id, .pageviews)),
                    .init(max(0, from)), .init(max(0, interval.from - 1)), "ALIGN", "-",
                    "AGGREGATION", "sum", .init(interval.length), isRepeatable: true)
            })
        return replies.map { reply in
            let sums = Series.points(reply).map(\.value)
            // An interval without a sample had no views.
            let silent = [Int64](repeating: 0, count: max(0, baseline - sums.count))
            return Level(typical: TrendingRule.median(sums + silent), seenIn: sums.count)
        }
    }
}
