import CoordinatorCore
import EventLoop
import RedisClient

/// Which earlier interval a list is compared with.
public struct Comparison: Sendable {
    /// Names of earlier intervals.
    public enum Kind: String, CaseIterable, Sendable {
        /// The one just before, of equal length.
        case previous
        /// The same a day before.
        case day
        /// The same a week before.
        case week
    }

    public let kind: Kind
    let earlier: @Sendable (Range<Int64>) -> Range<Int64>

    /// A comparison by fixed spans of time.
    public init(_ kind: Kind) {
        self.kind = kind
        earlier = { interval in
            let span: Int64
            switch kind {
            case .previous: span = interval.upperBound - interval.lowerBound
            case .day: span = 86_400_000
            case .week: span = 7 * 86_400_000
            }
            return interval.lowerBound - span..<interval.upperBound - span
        }
    }

    /// A comparison by days of a calendar, of which some have 23 or 25 hours.
    ///
    /// - Parameters:
    ///   - kind: what was asked for.
    ///   - days: how many days earlier.
    ///   - shifted: a moment, ms, so many days earlier on the same clock.
    public init(_ kind: Kind, days: Int64, shifted: @escaping @Sendable (Int64, Int64) -> Int64) {
        self.kind = kind
        earlier = { interval in
            let from = shifted(interval.lowerBound, days)
            return from..<max(from, shifted(interval.upperBound, days))
        }
    }
}

/// What a list was really compared with.
public struct Compared: Sendable {
    /// Where the earlier figures come from.
    public enum Source: String, Sendable {
        /// Windows that are still kept: figures, devices and places.
        case windows
        /// The series of pageviews, kept longer: no devices, no places.
        case series
        /// Nothing of that time is kept.
        case nothing
    }

    public let kind: Comparison.Kind
    /// The earlier interval, ms; of the same length.
    public let from: Int64
    public let to: Int64
    public let isFinal: Bool
    public let source: Source
    /// Who did not answer.
    let missing: [String]
}

extension Figures {
    /// Devices are counted for so many records to tell places of then; beyond, they are not told.
    private static let mostPlacesByDevices = 20_000

    /// Adds to rows what the same records had in an earlier interval.
    func compare(
        _ rows: inout [FigureRow], _ dimension: Dimension, _ interval: Interval, _ scope: Scope,
        by order: Order, _ comparison: Comparison
    ) async throws(ServiceError) -> Compared {
        let wanted = comparison.earlier(interval.from..<interval.to)
        if let view = try await earlier(wanted) {
            let ranking = await ranking(dimension, view)
            try await scope.learn(view)
            try await compare(&rows, ranking, scope, by: order)
            return Compared(
                kind: comparison.kind, from: view.interval.from, to: view.interval.to,
                isFinal: view.isFinal && ranking.missing.isEmpty, source: .windows,
                missing: ranking.missing)
        }
        let isKept = try await compareSeries(&rows, wanted)
        return Compared(
            kind: comparison.kind, from: wanted.lowerBound, to: wanted.upperBound,
            isFinal: isKept, source: isKept ? .series : .nothing, missing: [])
    }

    /// The windows of a stretch, or of one as long that begins less than a window before it: a
    /// change is one only between equal lengths. Nil where that is not kept.
    private func earlier(_ wanted: Range<Int64>) async throws(ServiceError) -> View? {
        guard wanted.lowerBound >= 0, !wanted.isEmpty else { return nil }
        var view: View
        do throws(ServiceError) {
            view = try await look(
                at: .stretch(from: wanted.lowerBound, to: wanted.upperBound),
                deployment.layout.shards)
        } catch .question {
            return nil
        }
        let found = view.interval
        if found.from == wanted.lowerBound, found.to == wanted.upperBound { return view }
        let length = wanted.upperBound - wanted.lowerBound
        guard length % found.tier.lengthMilliseconds == 0 else { return nil }
        let from = found.tier.start(of: wanted.lowerBound)
        view.interval = Interval(tier: found.tier, edge: found.tier, from: from, to: from + length)
        return view
    }

    private func compare(
        _ rows: inout [FigureRow], _ ranking: Ranking, _ scope: Scope, by order: Order
    ) async throws(ServiceError) {
        let places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1.id, $0) })
        for place in rows.indices { rows[place].before = .init(pageviews: 0) }
        let known = ranking.tallies.filter { places[$0.id] != nil }
        let counted = try await withDevices(known, scope.dimension, ranking.view)
        for tally in counted {
            guard let place = places[tally.tally.id] else { continue }
            rows[place].before = .init(
                pageviews: tally.tally.views, devices: min(tally.devices, tally.tally.views))
        }
        let order =
            switch order {
            case .pageviews: try await ranks(of: known, in: ranking, scope)
            case .devices: try await ranksByDevices(of: counted, in: ranking, scope)
            }
        for (id, rank) in order {
            if let place = places[id] { rows[place].before?.rank = rank }
        }
    }

    private func ranks(
        of wanted: [Tally], in ranking: Ranking, _ scope: Scope
    ) async throws(ServiceError) -> [RecordID: Int] {
        var missing = Set(wanted.map(\.id))
        var ranks: [RecordID: Int] = [:]
        var passed = 0
        var pages = Pages(ranking.tallies.count)
        while !missing.isEmpty, let page = pages.next() {
            for tally in try await scope.admitted(ranking.tallies[page]) {
                passed += 1
                if missing.remove(tally.id) != nil { ranks[tally.id] = passed }
            }
        }
        return ranks
    }

    private func ranksByDevices(
        of wanted: [DeviceTally], in ranking: Ranking, _ scope: Scope
    ) async throws(ServiceError) -> [RecordID: Int] {
        guard let least = wanted.map(\.devices).min() else { return [:] }
        // Nobody with fewer views can have been before them.
        let rivals = ranking.tallies.prefix { $0.views >= least }
        guard rivals.count <= Self.mostPlacesByDevices else { return [:] }
        let admitted = try await scope.admitted(rivals)
        let sorted = try await withDevices(admitted, scope.dimension, ranking.view)
            .sorted(by: DeviceTally.precedes)
        return Dictionary(
            uniqueKeysWithValues: sorted.enumerated().map { ($1.tally.id, $0 + 1) })
    }

    /// The pageviews of a stretch from the records' series.
    ///
    /// - Returns: false where the series are not kept that long.
    private func compareSeries(
        _ rows: inout [FigureRow], _ wanted: Range<Int64>
    ) async throws(ServiceError) -> Bool {
        let tier = deployment.ladder.tiers[1]
        let now = try await deployment.serverTime()
        guard wanted.lowerBound >= now - Deployment.seriesRetentionMilliseconds, !wanted.isEmpty,
            tier.start(of: wanted.lowerBound) == wanted.lowerBound,
            tier.start(of: wanted.upperBound) == wanted.upperBound
        else { return false }
        let sums = try await byShard(rows, \.shard) { own, shard async throws(ServiceError) in
            try await self.seriesSums(own, shard, wanted)
        }
        for (place, sum) in sums.enumerated() { rows[place].before = .init(pageviews: sum) }
        return true
    }

    private func seriesSums(
        _ rows: [FigureRow], _ shard: ShardID, _ wanted: Range<Int64>
    ) async throws(ServiceError) -> [Int64] {
        let client = ShardClient(deployment, shard)
        let tier = deployment.ladder.tiers[1]
        let replies = try await client.replies(
            rows.map { row in
                RedisCommand(
                    "TS.RANGE",
                    .init(RedisKeys.series(tier, row.dimension, client.tag, row.id, .pageviews)),
                    .init(wanted.lowerBound), .init(wanted.upperBound - 1), "ALIGN", "-",
                    "AGGREGATION", "sum", .init(wanted.upperBound - wanted.lowerBound),
                    isRepeatable: true)
            })
        return replies.map { Series.points($0).reduce(0) { $0 + $1.value } }
    }
}

extension ShardClient {
    /// Commands on series of this shard, in order; a series that does not exist is null.
    func replies(_ commands: [RedisCommand]) async throws(ServiceError) -> [RedisValue] {
        guard !commands.isEmpty else { return [] }
        do throws(RedisError) {
            let replies = try await cluster.pipeline(commands, slot: slot, lane: .reading)
            return try replies.map { reply throws(RedisError) in
                guard let error = reply.serverError else { return reply }
                guard error.message.contains("key does not exist") else {
                    throw .server(code: error.code, message: error.message, endpoint: tag)
                }
                return .null
            }
        } catch {
            throw .redis(error)
        }
    }
}
