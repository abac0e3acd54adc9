public import CoordinatorCore
public import EventLoop
import RedisClient

/// A record with its figures over an interval.
public struct FigureRow: Sendable {
    public let id: RecordID
    public let shard: ShardID
    public var name: String
    public var website: String
    public var pageviews: Int64
    /// Nil where they were not asked for.
    public var devices: Int64?

    /// Unique devices as shown: an estimate never exceeds the pageviews it was made from.
    public var shownDevices: Int64? { devices.map { min($0, pageviews) } }
}

/// The answer to a question: figures, and what they really cover.
public struct Answer<Value: Sendable>: Sendable {
    public let interval: Interval
    /// All shards have sealed it; a late event may still revise it.
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
    /// Rows are named and filtered this many at a time.
    private static let page = 256

    let deployment: Deployment

    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// What a list is restricted to.
    public struct Filter: Sendable {
        public var website: String?
        public var section: String?

        public init(website: String? = nil, section: String? = nil) {
            self.website = website
            self.section = section
        }

        func admits(_ document: RecordDocument) -> Bool {
            if let website, document.website != website { return false }
            if let section, document.section != section { return false }
            return true
        }
    }

    public enum Order: Sendable { case pageviews, devices }

    /// The records of one dimension with most pageviews or devices.
    public func top(
        _ dimension: Dimension, _ interval: Interval, filter: Filter, by order: Order, count: Int
    ) async throws(ServiceError) -> Answer<[FigureRow]> {
        let survey = try await deployment.survey()
        var missing = survey.missing
        var rows: [FigureRow] = []
        let states = survey.states
        let shards = await gather(states.count, limit: 16) {
            index -> Result<[FigureRow], ServiceError> in
            guard let state = states[index] else { return .success([]) }
            do throws(ServiceError) {
                return .success(
                    try await self.counts(
                        dimension, interval.pieces(in: state, self.deployment.ladder), state.shard,
                        withDevices: order == .devices))
            } catch {
                return .failure(error)
            }
        }
        for shard in shards {
            switch shard {
            case .success(let found): rows += found
            case .failure(let error): missing.append(error.description)
            }
        }
        rows.sort { Self.precedes($0, $1, order) }
        let named = try await name(rows, dimension, filter, count, survey, interval)
        return Answer(
            interval: interval, isFinal: interval.isFinal(survey), missing: missing, value: named)
    }

    /// Most first; equals in the order of their ids, so that the same question has the same answer.
    private nonisolated static func precedes(
        _ left: FigureRow, _ right: FigureRow, _ order: Order
    ) -> Bool {
        if order == .devices, left.shownDevices != right.shownDevices {
            return left.shownDevices ?? 0 > right.shownDevices ?? 0
        }
        if left.pageviews != right.pageviews { return left.pageviews > right.pageviews }
        return left.id < right.id
    }

    /// One record's figures; nil when it is not known.
    public func report(
        _ dimension: Dimension, _ id: RecordID, _ interval: Interval
    ) async throws(ServiceError) -> Answer<FigureRow>? {
        let survey = try await deployment.survey()
        let shard = deployment.layout.shard(of: id)
        guard let state = survey.states[shard.rawValue] else {
            throw .redis(.clusterDown(message: survey.missing.joined(separator: "; ")))
        }
        let client = ShardClient(deployment, shard)
        guard let document = try await documents(dimension, [id], client)[0] else { return nil }
        let pieces = interval.pieces(in: state, deployment.ladder)
        var row = FigureRow(
            id: id, shard: shard, name: document.name, website: document.website, pageviews: 0, devices: 0)
        guard !pieces.isEmpty else {
            return Answer(interval: interval, isFinal: true, missing: survey.missing, value: row)
        }
        let scores = try await client.pipeline(
            pieces.map {
                RedisCommand(
                    "ZSCORE",
                    .init(RedisKeys.pageviews($0.tier, dimension, client.tag, $0.start)), .init(id.hex),
                    isRepeatable: true)
            })
        row.pageviews = scores.reduce(0) { $0 + (($1.text.flatMap(Double.init)).map { Int64($0) } ?? 0) }
        row.devices = try await devices(dimension, [id], pieces, client).first ?? 0
        return Answer(
            interval: interval, isFinal: interval.isFinal(survey), missing: survey.missing, value: row)
    }

    // MARK: One shard

    private func counts(
        _ dimension: Dimension, _ pieces: [Interval.Piece], _ shard: ShardID, withDevices: Bool
    ) async throws(ServiceError) -> [FigureRow] {
        guard !pieces.isEmpty else { return [] }
        let client = ShardClient(deployment, shard)
        let keys = pieces.map { RedisKeys.pageviews($0.tier, dimension, client.tag, $0.start) }
        let reply = try await deployment.cluster.ask(
            ["ZUNION", .init(keys.count)] + keys.map { RedisArgument($0) } + ["WITHSCORES"],
            slot: client.slot)
        let items = reply.items ?? []
        var rows: [FigureRow] = []
        for index in stride(from: 0, to: items.count - 1, by: 2) {
            guard let id = items[index].text.flatMap({ RecordID(hex: $0) }),
                let score = items[index + 1].text.flatMap(Double.init)
            else { continue }
            rows.append(
                FigureRow(
                    id: id, shard: shard, name: "", website: "", pageviews: Int64(score), devices: nil))
        }
        guard withDevices else { return rows }
        for start in stride(from: 0, to: rows.count, by: Self.page) {
            let end = min(start + Self.page, rows.count)
            let ids = rows[start..<end].map(\.id)
            for (offset, count) in try await devices(dimension, ids, pieces, client).enumerated() {
                rows[start + offset].devices = count
            }
        }
        return rows
    }

    /// Unions over the windows; all of one record's keys lie in one slot, so Redis merges them itself.
    private func devices(
        _ dimension: Dimension, _ ids: [RecordID], _ pieces: [Interval.Piece], _ client: ShardClient
    ) async throws(ServiceError) -> [Int64] {
        let commands = ids.map { id in
            RedisCommand(
                ["PFCOUNT"]
                    + pieces.map {
                        RedisArgument(RedisKeys.devices($0.tier, dimension, client.tag, id, $0.start))
                    }, isRepeatable: true)
        }
        return try await client.pipeline(commands).map { $0.int ?? 0 }
    }

    // MARK: Names

    /// Names rows from their documents, from the top, until enough pass the filter.
    private func name(
        _ rows: [FigureRow], _ dimension: Dimension, _ filter: Filter, _ count: Int, _ survey: Survey,
        _ interval: Interval
    ) async throws(ServiceError) -> [FigureRow] {
        var named: [FigureRow] = []
        var start = 0
        while named.count < count, start < rows.count {
            let page = Array(rows[start..<min(start + Self.page, rows.count)])
            start += page.count
            let found = try await documents(of: page, dimension)
            for (row, document) in zip(page, found) where named.count < count {
                guard let document else {
                    if filter.website == nil, filter.section == nil { named.append(row) }
                    continue
                }
                guard filter.admits(document) else { continue }
                var row = row
                row.name = document.name
                row.website = document.website
                named.append(row)
            }
        }
        for index in named.indices where named[index].devices == nil {
            guard let state = survey.states[named[index].shard.rawValue] else { continue }
            let client = ShardClient(deployment, named[index].shard)
            let pieces = interval.pieces(in: state, deployment.ladder)
            named[index].devices = try await devices(dimension, [named[index].id], pieces, client).first
        }
        return named
    }

    private func documents(
        of rows: [FigureRow], _ dimension: Dimension
    ) async throws(ServiceError) -> [RecordDocument?] {
        var places: [ShardID: [Int]] = [:]
        for (index, row) in rows.enumerated() { places[row.shard, default: []].append(index) }
        let shards = places.keys.sorted()
        let replies = await gather(shards.count, limit: 16) {
            index -> Result<[RecordDocument?], ServiceError> in
            let client = ShardClient(self.deployment, shards[index])
            do throws(ServiceError) {
                return .success(
                    try await self.documents(
                        dimension, (places[shards[index]] ?? []).map { rows[$0].id }, client))
            } catch {
                return .failure(error)
            }
        }
        var found = [RecordDocument?](repeating: nil, count: rows.count)
        for (shard, reply) in zip(shards, replies) {
            switch reply {
            case .success(let documents):
                for (place, document) in zip(places[shard] ?? [], documents) { found[place] = document }
            case .failure(let error): throw error
            }
        }
        return found
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

extension Interval {
    /// Whether all shards have sealed and merged all of it.
    func isFinal(_ survey: Survey) -> Bool {
        guard !survey.isPartial, let done = survey.doneTo(tier) else { return false }
        return to <= done
    }
}
