public import CoordinatorCore
public import EventLoop
import RedisClient

/// A record with its figures over an interval.
public struct FigureRow: Sendable {
    public let id: RecordID
    public let shard: ShardID
    /// A page's URL, else the name; empty where there is no document.
    public var name: String
    public var website: String
    public var pageviews: Int64
    /// By how much `pageviews` may be too many; they are never too few. 0 in exact deployments.
    public var pageviewsError: Int64 = 0
    /// Nil where they were not asked for.
    public var devices: Int64?

    /// Unique devices as shown: an estimate never exceeds the pageviews it was made from.
    public var shownDevices: Int64? { devices.map { min($0, pageviews) } }
}

/// The answer to a question: figures, and what they really cover.
public struct Answer<Value: Sendable>: Sendable {
    public let interval: Interval
    /// Sealed and merged, all of it; a late event may still revise it.
    public let isFinal: Bool
    /// Who did not answer; what is there is right, but not all.
    public let missing: [String]
    public let value: Value
}

/// Questions about figures: each is put to every shard that can know, and merged.
///
/// - Thread: loop only.
@LoopActor public struct Figures {
    /// The standard error of a HyperLogLog of 2^14 registers.
    public static let deviceError = 0.0081
    /// Rows are named, filtered and counted this many at a time.
    private static let page = 256
    /// Shards asked at once: enough to keep the masters busy, few enough to bound memory.
    static let concurrency = 16
    /// Members of sorted sets added up in one command: a few ms of a master, as for every script.
    private static let unionMembers: Int64 = 4_000
    /// A rotation may end, and with no outage allowance take the parts away, while they are read.
    private static let attempts = 3

    let deployment: Deployment

    /// Questions to a deployment.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// What a list is restricted to.
    public struct Filter: Sendable {
        public var website: RecordID?
        public var section: RecordID?

        /// Only what belongs to a website, or to a section; all without either.
        public init(website: RecordID? = nil, section: RecordID? = nil) {
            self.website = website
            self.section = section
        }

        var isEmpty: Bool { website == nil && section == nil }

        func admits(_ document: RecordDocument) -> Bool {
            if let website, document.websiteID != website.hex { return false }
            if let section, document.sectionID != section.hex { return false }
            return true
        }
    }

    /// The figure that a list is sorted by.
    public enum Order: Sendable { case pageviews, devices }

    /// The records of one dimension with most pageviews or devices.
    ///
    /// - Errors: `.question` when no tier keeps the interval any more.
    public func top(
        _ dimension: Dimension, _ question: Interval, filter: Filter, by order: Order, count: Int
    ) async throws(ServiceError) -> Answer<[FigureRow]> {
        let view = try await look(at: question, deployment.layout.shards)
        var missing = view.survey.missing
        // Each shard's own best are enough, unless the order or the filter still has to choose.
        let isPlain = order == .pageviews && filter.isEmpty
        let replies = await gather(view.indexes.count, limit: Self.concurrency) {
            index -> Result<[FigureRow], ServiceError> in
            guard let held = view.indexes[index] else { return .success([]) }
            do throws(ServiceError) {
                let rows = try await self.counts(dimension, view, held)
                return .success(
                    isPlain ? Array(rows.sorted(by: Self.precedes).prefix(count)) : rows)
            } catch {
                return .failure(error)
            }
        }
        var rows: [FigureRow] = []
        for reply in replies {
            switch reply {
            case .success(let found): rows += found
            case .failure(let error):
                if !missing.contains(error.absence) { missing.append(error.absence) }
            }
        }
        rows.sort(by: Self.precedes)
        let chosen = try await choose(rows, dimension, filter, order, count, view)
        return Answer(
            interval: view.interval, isFinal: missing.isEmpty && view.isFinal, missing: missing,
            value: chosen)
    }

    /// Most first; equals in the order of their ids, so that the same question has the same answer.
    private nonisolated static func precedes(_ left: FigureRow, _ right: FigureRow) -> Bool {
        left.pageviews == right.pageviews ? left.id < right.id : left.pageviews > right.pageviews
    }

    private nonisolated static func precedesByDevices(_ left: FigureRow, _ right: FigureRow) -> Bool
    {
        left.shownDevices == right.shownDevices
            ? precedes(left, right) : left.shownDevices ?? 0 > right.shownDevices ?? 0
    }

    /// One record's figures; nil when nothing was ever counted for it.
    ///
    /// - Errors: `.question` when no tier keeps the interval any more; `.redis` when its shard does
    ///   not answer. Other shards are not asked: they hold nothing of it.
    public func report(
        _ dimension: Dimension, _ id: RecordID, _ question: Interval
    ) async throws(ServiceError) -> Answer<FigureRow>? {
        let shard = deployment.layout.shard(of: id)
        let view = try await look(at: question, [shard])
        guard let held = view.indexes[0] else {
            throw .redis(.clusterDown(message: view.survey.missing.joined(separator: "; ")))
        }
        let client = ShardClient(deployment, shard)
        let document = try await documents(dimension, [id], client)[0]
        let pieces = view.interval.pieces(in: held, deployment.ladder)
        let scores = try await client.pipeline(
            pieces.map {
                RedisCommand(
                    "ZSCORE", .init(RedisKeys.pageviews($0.tier, dimension, client.tag, $0.start)),
                    .init(id.hex), isRepeatable: true)
            })
        let views = scores.reduce(Int64(0)) { $0 &+ ($1.score ?? 0) }
        guard document != nil || views > 0 || deployment.settings.heaviest != nil else {
            return nil
        }
        var row = FigureRow(
            id: id, shard: shard, name: document?.name ?? "", website: document?.website ?? "",
            pageviews: views, devices: 0)
        row.devices = try await devices(dimension, [id], pieces, client).first ?? 0
        row = try await bounded([row], dimension, pieces, client)[0]
        return Answer(interval: view.interval, isFinal: view.isFinal, missing: [], value: row)
    }

    // MARK: One shard

    /// Adds a shard's windows up, in commands that keep its master busy for a few ms each.
    private func counts(
        _ dimension: Dimension, _ view: View, _ index: WindowIndex
    ) async throws(ServiceError) -> [FigureRow] {
        let client = ShardClient(deployment, index.state.shard)
        var index = index
        for attempt in 1... {
            let pieces = view.interval.pieces(in: index, deployment.ladder)
            guard !pieces.isEmpty else { return [] }
            let keys = pieces.map { RedisKeys.pageviews($0.tier, dimension, client.tag, $0.start) }
            let sizes = try await client.pipeline(
                keys.map { RedisCommand("ZCARD", .init($0), isRepeatable: true) }
            ).map { $0.int ?? 0 }
            var commands = Self.grouped(sizes, limit: Self.unionMembers).map { group in
                RedisCommand(
                    ["ZUNION", .init(group.count)] + keys[group].map { RedisArgument($0) }
                        + ["WITHSCORES"], isRepeatable: true)
            }
            commands.append(
                RedisCommand(
                    "HGET", .init(RedisKeys.shardState(client.tag)), "rotations", isRepeatable: true
                ))
            var replies = try await client.pipeline(commands)
            let rotations = replies.removeLast().int ?? 0
            if rotations == index.state.rotations || attempt == Self.attempts {
                return Self.sum(replies, index.state.shard)
            }
            index = try await client.index(
                from: view.span.from, to: view.span.to, now: view.survey.now)
        }
        return []
    }

    /// Neighbours together while their sum stays within `limit`; one alone may be over it.
    nonisolated static func grouped(_ sizes: [Int64], limit: Int64) -> [Range<Int>] {
        var groups: [Range<Int>] = []
        var first = 0
        var sum: Int64 = 0
        for (place, size) in sizes.enumerated() {
            if place > first, sum &+ size > limit {
                groups.append(first..<place)
                first = place
                sum = 0
            }
            sum &+= size
        }
        if first < sizes.count { groups.append(first..<sizes.count) }
        return groups
    }

    private nonisolated static func sum(_ replies: [RedisValue], _ shard: ShardID) -> [FigureRow] {
        var views: [RecordID: Int64] = [:]
        for reply in replies {
            let items = reply.items ?? []
            for index in stride(from: 0, to: items.count - 1, by: 2) {
                guard let id = items[index].recordID, let score = items[index + 1].score else {
                    continue
                }
                views[id, default: 0] &+= score
            }
        }
        return views.map {
            FigureRow(
                id: $0.key, shard: shard, name: "", website: "", pageviews: $0.value, devices: nil)
        }
    }

    /// Unions over the windows; all of one record's keys lie in one slot, so Redis merges them
    /// itself.
    private func devices(
        _ dimension: Dimension, _ ids: [RecordID], _ pieces: [Interval.Piece], _ client: ShardClient
    ) async throws(ServiceError) -> [Int64] {
        guard !pieces.isEmpty else { return ids.map { _ in 0 } }
        let commands = ids.map { id in
            RedisCommand(
                ["PFCOUNT"]
                    + pieces.map {
                        RedisArgument(
                            RedisKeys.devices($0.tier, dimension, client.tag, id, $0.start))
                    }, isRepeatable: true)
        }
        return try await client.pipeline(commands).map { $0.int ?? 0 }
    }

    // MARK: Choosing

    /// Goes through the rows from the most pageviews on, names and filters them, and stops as soon
    /// as none of the rest can be among the first: a record's devices never are shown as more than
    /// its views.
    private func choose(
        _ rows: [FigureRow], _ dimension: Dimension, _ filter: Filter, _ order: Order, _ count: Int,
        _ view: View
    ) async throws(ServiceError) -> [FigureRow] {
        var chosen: [FigureRow] = []
        var start = 0
        while start < rows.count {
            if chosen.count >= count {
                guard order == .devices, let worst = chosen.last,
                    Self.mayPrecede(rows[start], worst)
                else { break }
            }
            let page = rows[start..<min(start + Self.page, rows.count)]
            start += page.count
            chosen += try await complete(Array(page), dimension, filter, view)
            chosen.sort(by: order == .devices ? Self.precedesByDevices : Self.precedes)
            if chosen.count > count { chosen.removeLast(chosen.count - count) }
        }
        return chosen
    }

    private nonisolated static func mayPrecede(_ row: FigureRow, _ worst: FigureRow) -> Bool {
        let most = row.pageviews
        let least = worst.shownDevices ?? 0
        return most > least || (most == least && worst.pageviews == most)
    }

    /// Names rows, drops those that the filter refuses, and counts the devices of the rest.
    private func complete(
        _ rows: [FigureRow], _ dimension: Dimension, _ filter: Filter, _ view: View
    ) async throws(ServiceError) -> [FigureRow] {
        let shards = Set(rows.map(\.shard)).sorted()
        let replies = await gather(shards.count, limit: Self.concurrency) {
            index -> Result<[FigureRow], ServiceError> in
            let own = rows.filter { $0.shard == shards[index] }
            do throws(ServiceError) {
                return .success(
                    try await self.complete(own, of: shards[index], dimension, filter, view))
            } catch {
                return .failure(error)
            }
        }
        var complete: [FigureRow] = []
        for reply in replies { complete += try reply.get() }
        return complete.sorted(by: Self.precedes)
    }

    private func complete(
        _ rows: [FigureRow], of shard: ShardID, _ dimension: Dimension, _ filter: Filter,
        _ view: View
    ) async throws(ServiceError) -> [FigureRow] {
        guard let index = view.indexes[shard.rawValue] else { return [] }
        let client = ShardClient(deployment, shard)
        let found = try await documents(dimension, rows.map(\.id), client)
        var complete: [FigureRow] = []
        for (row, document) in zip(rows, found) {
            guard filter.isEmpty || document.map(filter.admits) ?? false else { continue }
            var row = row
            row.name = document?.name ?? ""
            row.website = document?.website ?? ""
            complete.append(row)
        }
        let pieces = view.interval.pieces(in: index, deployment.ladder)
        let counts = try await devices(dimension, complete.map(\.id), pieces, client)
        for (place, count) in counts.enumerated() { complete[place].devices = count }
        return try await bounded(complete, dimension, pieces, client)
    }

    /// Names of some records of one shard, in order; nil where there is no document.
    func documents(
        _ dimension: Dimension, _ ids: [RecordID], _ client: ShardClient
    ) async throws(ServiceError) -> [RecordDocument?] {
        let commands = ids.map { id in
            RedisCommand(
                ["JSON.GET", .init(RedisKeys.document(dimension, client.tag, id))]
                    + RecordDocument.paths(dimension).map { RedisArgument($0) }, isRepeatable: true)
        }
        return try await client.pipeline(commands).map { RecordDocument($0, dimension) }
    }
}
