public import CoordinatorCore
public import EventLoop
import RedisClient

/// Questions about figures: each is put to every shard that can know, and merged.
///
/// - Thread: loop only.
@LoopActor public struct Figures {
    /// The standard error of a HyperLogLog of 2^14 registers.
    public nonisolated static let deviceError = 0.0081
    /// Shards asked at once: enough to keep the masters busy, few enough to bound memory.
    static let concurrency = 16

    /// In a bounded deployment so many rows at least are completed before the first are taken.
    private static let fewestBounded = 256

    let deployment: Deployment

    /// Questions to a deployment.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// What a list is restricted to.
    public struct Filter: Sendable {
        /// A section and all that are below it.
        public struct Section: Sendable {
            /// The section's own id, also where it has no pages itself.
            public var id: RecordID
            public var website: RecordID
            /// Without its website: `actu` also means `actu/monde`.
            public var name: String

            /// A section of a website by its name.
            public init(id: RecordID, website: RecordID, name: String) {
                self.id = id
                self.website = website
                self.name = name
            }
        }

        public var website: RecordID?
        public var section: Section?

        /// Only what belongs to a website, or to a section and below; all without either.
        public init(website: RecordID? = nil, section: Section? = nil) {
            self.website = website
            self.section = section
        }

        var isEmpty: Bool { website == nil && section == nil }
    }

    /// The figure that a list is sorted by.
    public enum Order: Sendable { case pageviews, devices }

    /// A list, and what it was compared with.
    public struct List: Sendable {
        public var rows: [FigureRow]
        /// Nil where no comparison was asked for.
        public var comparison: Compared?
    }

    /// The records of one dimension with most pageviews or devices.
    ///
    /// - Errors: `.question` when no tier keeps the interval any more.
    public func top(
        _ dimension: Dimension, _ question: Interval, filter: Filter, by order: Order, count: Int
    ) async throws(ServiceError) -> Answer<[FigureRow]> {
        let answer = try await top(
            dimension, .windows(question), filter: filter, by: order, count: count)
        return Answer(
            interval: answer.interval, isFinal: answer.isFinal, missing: answer.missing,
            value: answer.value.rows)
    }

    /// The same over any period, and compared with an earlier one.
    public func top(
        _ dimension: Dimension, _ period: Period, filter: Filter, by order: Order, count: Int,
        comparing comparison: Comparison? = nil
    ) async throws(ServiceError) -> Answer<List> {
        let view = try await look(at: period, deployment.layout.shards)
        let ranking = await ranking(dimension, view)
        let scope = Scope(self, dimension, filter)
        let rows: [FigureRow]
        switch order {
        case .pageviews:
            // Bounds may change the order a little, where counters have any.
            let isExact = deployment.settings.heaviest == nil
            let chosen = try await first(
                isExact ? count : max(count, Self.fewestBounded), of: ranking, scope)
            let all = try await complete(chosen, dimension, view)
            rows = isExact ? all : Array(all.sorted(by: FigureRow.precedes).prefix(count))
        case .devices:
            let chosen = try await firstByDevices(count, of: ranking, scope)
            rows = try await named(chosen, dimension, view)
        }
        var list = List(rows: rows)
        var missing = ranking.missing
        if let comparison {
            let compared = try await compare(
                &list.rows, dimension, view.interval, scope, by: order, comparison)
            for sentence in compared.missing where !missing.contains(sentence) {
                missing.append(sentence)
            }
            list.comparison = compared
        }
        return Answer(
            interval: view.interval, isFinal: missing.isEmpty && view.isFinal, missing: missing,
            value: list)
    }

    // MARK: Choosing

    /// The first records that the scope admits.
    func first(
        _ count: Int, of ranking: Ranking, _ scope: Scope
    ) async throws(ServiceError) -> [Tally] {
        if scope.admitsAll { return Array(ranking.tallies.prefix(count)) }
        try await scope.learn(ranking.view)
        var chosen: [Tally] = []
        var pages = Pages(ranking.tallies.count)
        while chosen.count < count, let page = pages.next() {
            chosen += try await scope.admitted(ranking.tallies[page])
        }
        return Array(chosen.prefix(count))
    }

    /// Goes through the records from the most pageviews on, and stops as soon as none of the rest
    /// can be among the first: a record's devices never are shown as more than its views.
    private func firstByDevices(
        _ count: Int, of ranking: Ranking, _ scope: Scope
    ) async throws(ServiceError) -> [DeviceTally] {
        if !scope.admitsAll { try await scope.learn(ranking.view) }
        var chosen: [DeviceTally] = []
        var pages = Pages(ranking.tallies.count)
        while let page = pages.next() {
            if chosen.count >= count, let worst = chosen.last,
                !worst.mayFollow(ranking.tallies[page.lowerBound])
            {
                break
            }
            let admitted = try await scope.admitted(ranking.tallies[page])
            chosen += try await withDevices(admitted, scope.dimension, ranking.view)
            chosen.sort(by: DeviceTally.precedes)
            if chosen.count > count { chosen.removeLast(chosen.count - count) }
        }
        return chosen
    }

    /// Ranges of places, each twice as large as the one before: few answers need more than the
    /// first.
    struct Pages {
        private static let first = 256
        private static let largest = 4_096

        private let count: Int
        private var start = 0
        private var size = Self.first

        init(_ count: Int) { self.count = count }

        mutating func next() -> Range<Int>? {
            guard start < count else { return nil }
            let page = start..<min(start + size, count)
            start = page.upperBound
            size = min(size * 2, Self.largest)
            return page
        }
    }

    // MARK: Completing

    /// Counts the devices of some records.
    func withDevices(
        _ tallies: [Tally], _ dimension: Dimension, _ view: View
    ) async throws(ServiceError) -> [DeviceTally] {
        let reader = DeviceReader(deployment)
        return try await byShard(tallies, \.shard) { own, shard async throws(ServiceError) in
            guard let index = view.index(of: shard) else {
                return own.map { DeviceTally($0, devices: 0) }
            }
            let pieces = view.interval.pieces(in: index, self.deployment.ladder)
            let counts = try await reader.count(dimension, own.map(\.id), pieces, shard)
            return zip(own, counts).map { DeviceTally($0, devices: $1) }
        }
    }

    private func complete(
        _ tallies: [Tally], _ dimension: Dimension, _ view: View
    ) async throws(ServiceError) -> [FigureRow] {
        try await named(try await withDevices(tallies, dimension, view), dimension, view)
    }

    /// Adds what the documents say, and in bounded deployments the bounds, in the same order.
    func named(
        _ tallies: [DeviceTally], _ dimension: Dimension, _ view: View
    ) async throws(ServiceError) -> [FigureRow] {
        try await byShard(tallies, \.tally.shard) { own, shard async throws(ServiceError) in
            let client = ShardClient(self.deployment, shard)
            let found = try await self.documents(dimension, own.map(\.tally.id), client)
            let rows = zip(own, found).map { counted, document in
                var row = FigureRow(dimension, counted.tally)
                row.devices = counted.devices
                row.take(document)
                return row
            }
            guard let index = view.index(of: shard) else { return rows }
            let pieces = view.interval.pieces(in: index, self.deployment.ladder)
            return try await self.bounded(rows, dimension, pieces, client)
        }
    }
}
