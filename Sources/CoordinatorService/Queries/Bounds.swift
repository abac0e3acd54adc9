import CoordinatorCore
import EventLoop
import RedisClient

/// What a bounded window says of records that it may have counted too high, or not at all.
///
/// - Shape: `H:<tier>:<dimension>:{tag}:<start>:PG`, see the script `bounded.lua`. A window without
///   it has a counter for every record, each of them exact.
struct WindowBounds: Sendable {
    /// No record without a counter has more views than this.
    let floor: Int64
    /// The views of all records.
    let total: Int64
    /// How much counters may be too much; those that are not named are exact.
    let errors: [RecordID: Int64]

    /// Reads the reply of HGETALL; nil where the window is not full.
    init?(_ reply: RedisValue) {
        var items = (reply.items ?? []).makeIterator()
        var floor: Int64?
        var total: Int64 = 0
        var errors: [RecordID: Int64] = [:]
        while let name = items.next(), let value = items.next()?.text.flatMap(Int64.init) {
            switch name.text {
            case "floor": floor = value
            case "total": total = value
            default: if let id = name.recordID { errors[id] = value }
            }
        }
        guard let floor else { return nil }
        self.floor = floor
        self.total = total
        self.errors = errors
    }
}

extension ShardClient {
    /// The views of all records in some windows of one dimension; nil where a window is not full,
    /// and the sum of its counters tells them.
    func totals(
        _ dimension: Dimension, _ windows: [(tier: Tier, start: Int64)]
    ) async throws(ServiceError) -> [Int64?] {
        guard deployment.settings.heaviest != nil else { return windows.map { _ in nil } }
        return try await pipeline(
            windows.map {
                RedisCommand(
                    "HGET", .init(RedisKeys.bounds($0.tier, dimension, tag, $0.start)), "total",
                    isRepeatable: true)
            }
        ).map { $0.text.flatMap(Int64.init) }
    }

    /// The views of all records in some windows of one dimension, full or not.
    func sums(
        _ dimension: Dimension, _ windows: [(tier: Tier, start: Int64)]
    ) async throws(ServiceError) -> [Int64] {
        let replies = try await pipeline(
            windows.map {
                RedisCommand(
                    "ZRANGE", .init(RedisKeys.pageviews($0.tier, dimension, tag, $0.start)), "0",
                    "-1", "WITHSCORES", isRepeatable: true)
            })
        return zip(try await totals(dimension, windows), replies).map { total, reply in
            total ?? reply.records.reduce(0) { $0 &+ $1.views }
        }
    }

    /// What some windows of one dimension and tier say of their bounds, in order; nil where a
    /// window is not full.
    func bounds(
        _ tier: Tier, _ dimension: Dimension, _ windows: [Int64]
    ) async throws(ServiceError) -> [WindowBounds?] {
        guard deployment.settings.heaviest != nil else { return windows.map { _ in nil } }
        return try await pipeline(
            windows.map {
                RedisCommand(
                    "HGETALL", .init(RedisKeys.bounds(tier, dimension, tag, $0)),
                    isRepeatable: true)
            }
        ).map { WindowBounds($0) }
    }
}

extension Figures {
    /// By how much the pageviews of some records of one shard may be more than their counters in
    /// some windows say, and by how much they may be less than both together.
    struct Spread: Sendable, Equatable {
        /// What windows without a counter for the record can have had of it at most.
        var unseen: Int64 = 0
        /// What counters may be too much.
        var excess: Int64 = 0
    }

    /// Completes rows of one shard with what they may have in windows that have no counter for
    /// them: afterwards `pageviews` is never less than the truth, and less `pageviewsError` never
    /// more.
    func bounded(
        _ rows: [FigureRow], _ dimension: Dimension, _ pieces: [Interval.Piece],
        _ client: ShardClient
    ) async throws(ServiceError) -> [FigureRow] {
        guard deployment.settings.heaviest != nil, !rows.isEmpty else { return rows }
        let spreads = try await spreads(dimension, rows.map(\.id), pieces, client)
        return zip(rows, spreads).map { row, spread in
            var row = row
            row.pageviews &+= spread.unseen
            row.pageviewsError = spread.unseen &+ spread.excess
            return row
        }
    }

    /// The spreads of some records of one shard over some windows, in order.
    func spreads(
        _ dimension: Dimension, _ ids: [RecordID], _ pieces: [Interval.Piece],
        _ client: ShardClient
    ) async throws(ServiceError) -> [Spread] {
        var spreads = ids.map { _ in Spread() }
        guard deployment.settings.heaviest != nil, !ids.isEmpty else { return spreads }
        let names = ids.map { RedisArgument($0.hex) }
        let replies = try await client.pipeline(
            pieces.flatMap { piece in
                let keys = (
                    RedisKeys.pageviews(piece.tier, dimension, client.tag, piece.start),
                    RedisKeys.bounds(piece.tier, dimension, client.tag, piece.start)
                )
                return [
                    RedisCommand(["ZMSCORE", .init(keys.0)] + names, isRepeatable: true),
                    RedisCommand(
                        ["HMGET", .init(keys.1), "floor", "sketch"] + names, isRepeatable: true),
                ]
            })
        var asked: [(places: [Int], floor: Int64, command: RedisCommand)] = []
        for (number, piece) in pieces.enumerated() {
            let scores = replies[number * 2].items ?? []
            let held = replies[number * 2 + 1].items ?? []
            guard let floor = held.first?.text.flatMap(Int64.init) else { continue }
            let without = ids.indices.filter { scores[$0].isNull }
            for place in ids.indices where !scores[place].isNull {
                spreads[place].excess &+= held[place + 2].text.flatMap(Int64.init) ?? 0
            }
            guard !without.isEmpty else { continue }
            guard !held[1].isNull else {
                for place in without { spreads[place].unseen &+= floor }
                continue
            }
            let key = RedisKeys.sketch(piece.tier, dimension, client.tag, piece.start)
            asked.append(
                (
                    without, floor,
                    RedisCommand(
                        ["CMS.QUERY", .init(key)] + without.map { names[$0] }, isRepeatable: true)
                ))
        }
        // A sketch that is gone leaves the floor, which is right as well.
        let answers = try await client.answers(asked.map(\.command))
        for (question, answer) in zip(asked, answers) {
            let estimates = answer.items ?? []
            for (number, place) in question.places.enumerated() {
                let estimate = number < estimates.count ? estimates[number].int : nil
                spreads[place].unseen &+= min(question.floor, estimate ?? question.floor)
            }
        }
        return spreads
    }
}
