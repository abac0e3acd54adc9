import CoordinatorCore
import EventLoop
import RedisClient

extension Figures {
    /// A rotation may end, and with no outage allowance take the parts away, while they are read.
    private static let attempts = 3

    /// All records of a dimension with views in an interval, most views first.
    struct Ranking: Sendable {
        let view: View
        var tallies: [Tally]
        var missing: [String]
    }

    /// Adds up what the shards of a view hold; those that do not answer are named.
    func ranking(_ dimension: Dimension, _ view: View) async -> Ranking {
        var ranking = Ranking(view: view, tallies: [], missing: view.survey.missing)
        let replies = await gather(view.indexes.count, limit: Self.concurrency) {
            place -> Result<[Tally], ServiceError> in
            guard let held = view.indexes[place] else { return .success([]) }
            do throws(ServiceError) {
                return .success(try await self.tallies(dimension, view, held))
            } catch {
                return .failure(error)
            }
        }
        for reply in replies {
            switch reply {
            case .success(let found): ranking.tallies += found
            case .failure(let error):
                if !ranking.missing.contains(error.absence) {
                    ranking.missing.append(error.absence)
                }
            }
        }
        ranking.tallies.sort(by: Tally.precedes)
        return ranking
    }

    /// Adds a shard's windows up.
    private func tallies(
        _ dimension: Dimension, _ view: View, _ index: WindowIndex
    ) async throws(ServiceError) -> [Tally] {
        let shard = index.state.shard
        let client = ShardClient(deployment, shard)
        var index = index
        for attempt in 1... {
            let pieces = view.interval.pieces(in: index, deployment.ladder)
            guard !pieces.isEmpty else { return [] }
            let sums = PageviewSums()
            let outcomes = await gather(pieces.count) { place in
                let piece = pieces[place]
                return await self.add(
                    RedisKeys.pageviews(piece.tier, dimension, client.tag, piece.start), to: sums,
                    client)
            }
            for outcome in outcomes { try outcome.get() }
            let state = try await client.pipeline([
                RedisCommand(
                    "HGET", .init(RedisKeys.shardState(client.tag)), "rotations",
                    isRepeatable: true)
            ])
            if (state[0].int ?? 0) == index.state.rotations || attempt == Self.attempts {
                return sums.views.map { Tally(id: $0.key, shard: shard, views: $0.value) }
            }
            index = try await client.index(
                from: view.span.from, to: view.span.to, now: view.survey.now)
        }
        return []
    }

    /// Adds one window's pageviews, from where they lie in the reply.
    ///
    /// The windows are added up here: ZUNION costs a master four times what reading them does, and
    /// it is one thread for everybody.
    private func add(
        _ key: String, to sums: PageviewSums, _ client: ShardClient
    ) async -> Result<Void, ServiceError> {
        let command = RedisCommand(
            "ZRANGE", .init(key), "0", "-1", "WITHSCORES", isRepeatable: true)
        return await withCheckedContinuation { continuation in
            deployment.cluster.send(command, slot: client.slot, lane: .reading) { result in
                if case .success(let reply) = result { sums.add(reply) }
                continuation.resume(returning: result.map { _ in }.mapError { .redis($0) })
            }
        }
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

    /// Asks each shard about its own of some values, and gives the answers in the values' order.
    func byShard<Value: Sendable, Found: Sendable>(
        _ values: [Value], _ shard: @escaping @Sendable (Value) -> ShardID,
        _ ask: @escaping @LoopActor ([Value], ShardID) async throws(ServiceError) -> [Found]
    ) async throws(ServiceError) -> [Found] {
        var places: [ShardID: [Int]] = [:]
        for (place, value) in values.enumerated() {
            places[shard(value), default: []].append(place)
        }
        let shards = places.keys.sorted()
        let own = shards.map { places[$0] ?? [] }
        let replies = await gather(shards.count, limit: Self.concurrency) {
            index -> Result<[Found], ServiceError> in
            do throws(ServiceError) {
                return .success(try await ask(own[index].map { values[$0] }, shards[index]))
            } catch {
                return .failure(error)
            }
        }
        var found = [Found?](repeating: nil, count: values.count)
        for (index, reply) in replies.enumerated() {
            for (place, value) in zip(own[index], try reply.get()) { found[place] = value }
        }
        return found.compactMap { $0 }
    }
}

/// Pageviews by record, added up from replies of ZRANGE.
@LoopActor private final class PageviewSums {
    private(set) var views: [RecordID: Int64] = [:]

    func add(_ reply: RedisReplyView) {
        views.reserveCapacity(max(views.capacity, reply.count / 2))
        var elements = reply.elements
        while let member = elements.next(), let score = elements.next() {
            guard let id = RecordID(hexBytes: member.bytes), let count = score.wholeScore else {
                continue
            }
            views[id, default: 0] &+= count
        }
    }
}

extension RedisReplyView {
    /// A score that counts something, read where it lies; nil where it is no whole number.
    fileprivate var wholeScore: Int64? {
        let digits = bytes
        guard !digits.isEmpty, digits.count <= 18 else { return decoded().score }
        var number: Int64 = 0
        for byte in digits {
            let digit = byte &- UInt8(ascii: "0")
            guard digit <= 9 else { return decoded().score }
            number = number * 10 + Int64(digit)
        }
        return number
    }
}
