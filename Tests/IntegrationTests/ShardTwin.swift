import CoordinatorCore
import EventLoop

@testable import CoordinatorService
@testable import RedisClient

/// One page view of one record, as a script is told of it.
struct TwinView: Sendable {
    let dimension: Dimension
    let id: RecordID
    let time: Int64
    let device: Int?
}

/// Every figure of one shard, counted view by view.
struct ShardTwin {
    struct Key: Hashable {
        let tier: Int
        let dimension: Dimension
        let start: Int64
        let id: RecordID
    }

    private(set) var views: [Key: Int64] = [:]
    private(set) var devices: [Key: Set<Int>] = [:]
    let ladder: Ladder

    mutating func add(_ view: TwinView) {
        for tier in ladder.tiers {
            let key = Key(
                tier: tier.index, dimension: view.dimension, start: tier.start(of: view.time),
                id: view.id)
            views[key, default: 0] += 1
            if let device = view.device { devices[key, default: []].insert(device) }
        }
    }

    /// The first difference between a shard in Redis and this, or nil.
    @LoopActor func difference(_ client: ShardClient) async throws -> String? {
        for tier in ladder.tiers {
            let expected = Set(views.keys.filter { $0.tier == tier.index }.map(\.start))
            let list = RedisCommand("ZRANGE", .init(RedisKeys.windows(tier, client.tag)), "0", "-1")
            let found = try await client.pipeline([list])[0].items?.compactMap(\.int) ?? []
            if Set(found) != expected || found.count != expected.count {
                return "\(tier.name): windows \(found), not \(expected.sorted())"
            }
            for start in expected {
                for dimension in Dimension.counted {
                    if let difference = try await scores(client, tier, dimension, start) {
                        return difference
                    }
                }
            }
        }
        let keys = Array(views.keys)
        for from in stride(from: 0, to: keys.count, by: 100) {
            let some = keys[from..<min(from + 100, keys.count)]
            if let difference = try await devices(client, Array(some)) { return difference }
        }
        return try await series(client)
    }

    @LoopActor private func scores(
        _ client: ShardClient, _ tier: Tier, _ dimension: Dimension, _ start: Int64
    ) async throws -> String? {
        var expected: [RecordID: Int64] = [:]
        for (key, count) in views
        where key.tier == tier.index && key.dimension == dimension && key.start == start {
            expected[key.id] = count
        }
        var found: [RecordID: Int64] = [:]
        let key = RedisKeys.pageviews(tier, dimension, client.tag, start)
        let list = RedisCommand("ZRANGE", .init(key), "0", "-1", "WITHSCORES")
        let scores = try await client.pipeline([list])[0].items ?? []
        for index in stride(from: 0, to: scores.count, by: 2) {
            guard let id = scores[index].text.flatMap({ RecordID(hex: $0) }) else { continue }
            found[id] = scores[index + 1].int
        }
        if found != expected {
            return "\(tier.name) \(dimension) \(start): \(found), not \(expected)"
        }
        let left = try await client.pipeline([RedisCommand("PTTL", .init(key))])[0].int ?? 0
        return expected.isEmpty || left > 0 ? nil : "\(key) never expires (\(left))"
    }

    /// PFCOUNT of each window, of one plain PFADD of its devices, and of both together: the union
    /// counts more when the registers differ.
    @LoopActor private func devices(_ client: ShardClient, _ keys: [Key]) async throws -> String? {
        let plain = RedisArgument("HLL:PLAIN:W:{\(client.tag)}:0:UD")
        let commands = keys.map { key in
            let own = own(key, client)
            let names = (devices[key] ?? []).sorted().map { RedisArgument("device-\($0)") }
            return [
                RedisCommand("DEL", plain), RedisCommand(["PFADD", plain] + names),
                RedisCommand("PFCOUNT", plain), RedisCommand("PFCOUNT", own),
                RedisCommand("PFCOUNT", own, plain), RedisCommand("PTTL", own),
                RedisCommand("DEL", plain),
            ]
        }
        let replies = try await client.pipeline(commands.flatMap(\.self))
        for (index, key) in keys.enumerated() {
            let own = replies[(index * 7)..<(index * 7 + 7)].map { $0.int ?? -1 }
            if Set(own[2...4]).count != 1 { return "\(key): devices plain, own, both: \(own)" }
            if devices[key] != nil, own[5] <= 0 { return "\(key) never expires (\(own[5]))" }
        }
        return nil
    }

    @LoopActor private func own(_ key: Key, _ client: ShardClient) -> RedisArgument {
        RedisArgument(
            RedisKeys.devices(ladder.tiers[key.tier], key.dimension, client.tag, key.id, key.start))
    }

    @LoopActor private func series(_ client: ShardClient) async throws -> String? {
        for tier in ladder.tiers.dropFirst() {
            for key in Set(views.keys.filter { $0.tier == tier.index }.map { Record($0) }) {
                var expected: [Int64: Int64] = [:]
                for (place, count) in views
                where place.tier == tier.index && Record(place) == key {
                    expected[place.start] = count
                }
                if tier.index == 1 {
                    let found = try await samples(client, tier, key, .pageviews)
                    if found != expected {
                        return "PG \(tier.name) \(key): \(found), not \(expected)"
                    }
                }
                let devices = try await samples(client, tier, key, .uniqueDevices)
                let starts = devices.keys.sorted()
                let real = try await client.pipeline(
                    starts.map {
                        RedisCommand("PFCOUNT", own(key.at($0, tier), client))
                    }
                ).map(\.int)
                if real != starts.map({ devices[$0] }) {
                    return "UD \(tier.name) \(key): \(devices), not \(real)"
                }
                let seen = expected.keys.filter {
                    self.devices[key.at($0, tier)] != nil
                }
                if !Set(seen).isSubset(of: Set(devices.keys)) {
                    return "UD \(tier.name) \(key): gaps"
                }
            }
        }
        return nil
    }

    private struct Record: Hashable {
        let dimension: Dimension
        let id: RecordID

        init(_ key: Key) {
            dimension = key.dimension
            id = key.id
        }

        func at(_ start: Int64, _ tier: Tier) -> Key {
            Key(tier: tier.index, dimension: dimension, start: start, id: id)
        }
    }

    @LoopActor private func samples(
        _ client: ShardClient, _ tier: Tier, _ record: Record, _ metric: Metric
    ) async throws -> [Int64: Int64] {
        let key = RedisKeys.series(tier, record.dimension, client.tag, record.id, metric)
        let exists = try await client.pipeline([RedisCommand("EXISTS", .init(key))])[0].int
        guard exists == 1 else { return [:] }
        let reply = try await client.pipeline([RedisCommand("TS.RANGE", .init(key), "-", "+")])[0]
        var samples: [Int64: Int64] = [:]
        for sample in reply.items ?? [] {
            guard let pair = sample.items, let start = pair[0].int, let value = pair[1].text,
                let number = Double(value)
            else { continue }
            samples[start] = Int64(number)
        }
        return samples
    }
}
