public import CoordinatorCore
import EventLoop
import RedisClient

/// The figures of a set of records, together and each.
public struct SetReport: Sendable {
    public let rows: [Row]
    public let pageviews: Int64
    /// By how much they may be too many; 0 in exact deployments.
    public let pageviewsError: Int64
    /// The devices of all, each counted once; at most the pageviews.
    public let devices: Int64

    /// One record of the set.
    public struct Row: Sendable {
        public let figures: FigureRow
        /// The other record of the set that it is a part of: its views are counted there.
        public let partOf: RecordReference?
        /// Nothing was ever counted for it.
        public let isUnknown: Bool
    }
}

extension Figures {
    /// One record's figures; nil when nothing was ever counted for it.
    ///
    /// - Errors: `.question` when no tier keeps the interval any more; `.redis` when its shard does
    ///   not answer. Other shards are not asked: they hold nothing of it.
    public func report(
        _ dimension: Dimension, _ id: RecordID, _ question: Interval
    ) async throws(ServiceError) -> Answer<FigureRow>? {
        let record = RecordReference(dimension: dimension, id: id, name: "")
        let answer = try await report([record], .windows(question))
        guard let row = answer.value.rows.first, !row.isUnknown else { return nil }
        return Answer(
            interval: answer.interval, isFinal: answer.isFinal, missing: [], value: row.figures)
    }

    /// The figures of any websites, sections and pages together: every view and every device counts
    /// once, whichever of them it belongs to.
    ///
    /// A record given twice counts once, and one that is part of another of the set is counted
    /// there: a page in its section or website, a section in its website.
    ///
    /// - Errors: as of one record's report; the shards of all of them have to answer, for a union
    ///   without a part of it would look like one.
    public func report(
        _ records: [RecordReference], _ period: Period
    ) async throws(ServiceError) -> Answer<SetReport> {
        var seen: Set<RecordKey> = []
        let records = records.filter { seen.insert($0.key).inserted }
        let shards = Set(records.map { deployment.layout.shard(of: $0.id) }).sorted()
        let view = try await look(at: period, shards)
        guard view.survey.missing.isEmpty else {
            throw .redis(.clusterDown(message: view.survey.missing.joined(separator: "; ")))
        }
        let reader = DeviceReader(deployment, keepsUnion: records.count > 1)
        let found = try await byShard(
            records, deployment.layout.shardOfRecord
        ) { own, shard async throws(ServiceError) in
            try await self.figures(own, shard, view, reader)
        }
        let parts = Self.parts(records, found.map(\.document))
        let counted = zip(found, parts).filter { $1 == nil }.map(\.0)
        let devices =
            counted.count == 1 ? counted[0].row.devices ?? 0 : reader.union.estimate
        // A bounded deployment has views of records that it has no document of.
        let isExact = deployment.settings.heaviest == nil
        let rows = zip(found, parts).map { found, part in
            SetReport.Row(
                figures: found.row, partOf: part,
                isUnknown: isExact && found.document == nil && found.row.pageviews == 0)
        }
        let pageviews = counted.reduce(0) { $0 + $1.row.pageviews }
        return Answer(
            interval: view.interval, isFinal: view.isFinal, missing: [],
            value: SetReport(
                rows: rows, pageviews: pageviews,
                pageviewsError: counted.reduce(0) { $0 + $1.row.pageviewsError },
                devices: min(devices, pageviews)))
    }

    /// The devices of some records of one dimension together, over each window of an interval's own
    /// tier even where coarser ones hold the same: what a union costs at its worst.
    public func union(
        _ records: [RecordReference], inEachWindowOf interval: Interval
    ) async throws(ServiceError) -> Int64 {
        let pieces = stride(
            from: interval.from, to: interval.to, by: Int(interval.tier.lengthMilliseconds)
        ).map { Interval.Piece(tier: interval.tier, start: $0) }
        let reader = DeviceReader(deployment, keepsUnion: true)
        _ = try await byShard(records, deployment.layout.shardOfRecord) {
            own, shard async throws(ServiceError) in
            try await reader.count(own[0].dimension, own.map(\.id), pieces, shard)
        }
        return reader.union.estimate
    }

    private struct Found: Sendable {
        var row: FigureRow
        let document: RecordDocument?
    }

    /// Documents, pageviews and devices of some records of one shard.
    private func figures(
        _ records: [RecordReference], _ shard: ShardID, _ view: View, _ reader: DeviceReader
    ) async throws(ServiceError) -> [Found] {
        guard let index = view.index(of: shard) else { return [] }
        let client = ShardClient(deployment, shard)
        let pieces = view.interval.pieces(in: index, deployment.ladder)
        var found: [RecordKey: Found] = [:]
        for (dimension, own) in Dictionary(grouping: records, by: \.dimension) {
            let ids = own.map(\.id)
            let documents = try await documents(dimension, ids, client)
            let views = try await pageviews(dimension, ids, pieces, client)
            let devices = try await reader.count(dimension, ids, pieces, shard)
            let rows = ids.indices.map { place in
                var row = FigureRow(
                    dimension, Tally(id: ids[place], shard: shard, views: views[place]))
                row.devices = devices[place]
                row.take(documents[place])
                return row
            }
            let complete = try await bounded(rows, dimension, pieces, client)
            for (row, document) in zip(complete, documents) {
                found[row.key] = Found(row: row, document: document)
            }
        }
        return records.compactMap { found[$0.key] }
    }

    private func pageviews(
        _ dimension: Dimension, _ ids: [RecordID], _ pieces: [Interval.Piece],
        _ client: ShardClient
    ) async throws(ServiceError) -> [Int64] {
        let names = ids.map { RedisArgument($0.hex) }
        let replies = try await client.pipeline(
            pieces.map { piece in
                RedisCommand(
                    [
                        "ZMSCORE",
                        .init(
                            RedisKeys.pageviews(piece.tier, dimension, client.tag, piece.start)),
                    ] + names, isRepeatable: true)
            })
        var sums = [Int64](repeating: 0, count: ids.count)
        for reply in replies {
            for (place, score) in (reply.items ?? []).enumerated() where place < sums.count {
                sums[place] &+= score.score ?? 0
            }
        }
        return sums
    }

    /// For each record the one that it is a part of, if that is there, too.
    nonisolated static func parts(
        _ records: [RecordReference], _ documents: [RecordDocument?]
    ) -> [RecordReference?] {
        func named(_ dimension: Dimension) -> [String: RecordReference] {
            let own = records.filter { $0.dimension == dimension }
            return Dictionary(own.map { ($0.id.hex, $0) }) { first, _ in first }
        }
        let websites = named(.website)
        let sections = named(.section)
        return zip(records, documents).map { record, document in
            guard let document else { return nil }
            switch record.dimension {
            case .page: return websites[document.websiteID] ?? sections[document.sectionID]
            case .section: return websites[document.websiteID]
            default: return nil
            }
        }
    }
}

extension ShardLayout {
    /// The shard of a record, as a value that can be handed on.
    fileprivate var shardOfRecord: @Sendable (RecordReference) -> ShardID {
        { self.shard(of: $0.id) }
    }
}
