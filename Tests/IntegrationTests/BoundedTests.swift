import CoordinatorCore
import EventLoop
import Testing

@testable import CoordinatorService
@testable import RedisClient

extension ServerSuites {
    /// Deployments that count the heaviest records alone: every bound holds, whatever the order of
    /// reading, late events and rotation, and whatever becomes of the sketches.
    @Suite("Bounded windows", .serialized)
    struct BoundedTests {
        private static let interleavings = Package.number("COORDINATOR_TEST_INTERLEAVINGS") ?? 24
        private static let heaviest = 16

        @Test(
            "in any order every counter is within its bounds, and what all records have is exact",
            arguments: [UInt64.random(in: 1...1_000_000)])
        @LoopActor func interleaved(seed: UInt64) async throws {
            print("bounded: interleavings from seed \(seed) on")
            let stage = try await Stage.fresh()
            let cluster = RedisCluster(try stage.cluster.configuration())
            try await cluster.start()
            let settings = DeploymentSettings(
                shards: 1_024, tiers: "1s,2s/1h,6s/2h,12s/6h", graceMilliseconds: 1_000,
                start: .oldest, heaviest: Self.heaviest)
            _ = try await Deployment.initialise(cluster, settings, sources: [])
            let deployment = try await Deployment(cluster)
            var seen = BoundedTwin.Seen()
            for number in 0..<Self.interleavings {
                let client = ShardClient(deployment, ShardID(rawValue: number))
                let isSound = !number.isMultiple(of: 3)
                var run = try await ScriptRun(
                    client, seed: seed + UInt64(number),
                    many: [.website: 3, .section: 30, .page: 200, .audio: 40], viewsAtOnce: 150,
                    accident: isSound ? nil : Self.loseSketches)
                try await run.steps()
                try await run.finish()
                let twin = BoundedTwin(twin: run.twin, client: client, heaviest: Self.heaviest)
                let difference = try await twin.difference(&seen)
                try #require(
                    difference == nil, "seed \(seed + UInt64(number)): \(difference ?? "")")
                #expect(try await client.state().counted.values.reduce(0, +) == run.counted)
            }
            // The check has met all that it judges.
            print("bounded: \(seen)")
            #expect(seen.full > 100 && seen.exact > 100 && seen.withError > 100)
            #expect(seen.sketched > 50 && seen.withoutSketch > 10)
            await cluster.close()
        }

        /// A sketch is a module's: it may be gone, or be something else altogether.
        @LoopActor private static func loseSketches(_ client: ShardClient) async throws {
            for tier in client.deployment.ladder.tiers {
                let list = RedisCommand(
                    "ZRANGE", .init(RedisKeys.windows(tier, client.tag)), "0", "-1")
                for start in try await client.pipeline([list])[0].items?.compactMap(\.int) ?? [] {
                    for dimension in Dimension.counted {
                        let key = RedisArgument(
                            RedisKeys.sketch(tier, dimension, client.tag, start))
                        let command =
                            start.isMultiple(of: 2_000)
                            ? RedisCommand("DEL", key) : RedisCommand("SET", key, "x", "XX")
                        _ = try await client.pipeline([command])
                    }
                }
            }
        }

        @Test(
            "through a node, every exported figure is within its bounds, and the audit is content")
        func figures() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([
                "--start", "oldest", "--grace", "1s", "--shards", "4", "--pageviews", "sketch",
                "--heaviest", "32",
            ])
            let node = try stage.node()
            let file = try Traffic.file(Traffic.lines(Traffic.options(6_000, seed: 31)))
            try await stage.importFiles(file)
            try await stage.wait()
            let verdict = try await stage.expectTruth([file], ["--bounded"])
            #expect(verdict.text.contains("within bounds"), "\(verdict.text)")
            _ = try await stage.ledger()
            try await stage.expectSound()
            let settings = try await stage.must(["config", "show", "-o", "json"]).output
            #expect(settings.contains("sketch of the heaviest 32"), "\(settings)")
            try await node.terminate()
        }

        @Test(
            "settings that cannot be bounded are refused, with the bounds that can",
            arguments: ["15", "401", "100000"])
        func refused(heaviest: String) async throws {
            let finished = try await Child(
                [
                    Package.program, "config", "validate", "--pageviews", "sketch", "--heaviest",
                    heaviest,
                ], environment: [:]
            ).finish(within: .seconds(30))
            #expect(finished.code == 78 && finished.errors.contains("use 16 to 400"))
        }
    }
}

/// What a plain count says, beside what a bounded shard keeps.
@LoopActor struct BoundedTwin {
    /// What was there to be judged.
    struct Seen {
        var full = 0
        var exact = 0
        var withError = 0
        var sketched = 0
        var withoutSketch = 0
    }

    let twin: ShardTwin
    let client: ShardClient
    let heaviest: Int

    /// The first thing that is wrong, or nil.
    func difference(_ seen: inout Seen) async throws -> String? {
        for tier in twin.ladder.tiers {
            for dimension in Dimension.counted {
                let starts = Set(
                    twin.views.keys.filter { $0.tier == tier.index && $0.dimension == dimension }
                        .map(\.start))
                for start in starts.sorted() {
                    if let wrong = try await window(tier, dimension, start, &seen) {
                        return "\(tier.name) \(dimension) \(start): \(wrong)"
                    }
                }
            }
        }
        return nil
    }

    private func window(
        _ tier: Tier, _ dimension: Dimension, _ start: Int64, _ seen: inout Seen
    ) async throws -> String? {
        var truth: [RecordID: Int64] = [:]
        for (key, views) in twin.views
        where key.tier == tier.index && key.dimension == dimension && key.start == start {
            truth[key.id] = views
        }
        let counters = RedisKeys.pageviews(tier, dimension, client.tag, start)
        let sketch = RedisKeys.sketch(tier, dimension, client.tag, start)
        let replies = try await client.pipeline([
            RedisCommand("ZRANGE", .init(counters), "0", "-1", "WITHSCORES"),
            RedisCommand("PTTL", .init(counters)),
            RedisCommand("PTTL", .init(RedisKeys.bounds(tier, dimension, client.tag, start))),
            RedisCommand(
                "HGET", .init(RedisKeys.bounds(tier, dimension, client.tag, start)), "sketch"),
        ])
        let counted = Dictionary(uniqueKeysWithValues: replies[0].records.map { ($0.id, $0.views) })
        let bounds = try await client.bounds(tier, dimension, [start])[0]
        guard counted.count <= heaviest else { return "\(counted.count) counters" }
        guard replies[1].int ?? 0 > 0 else { return "the counters never expire" }
        guard let bounds else {
            seen.exact += 1
            return counted == truth ? nil : "counters \(counted), not \(truth)"
        }
        seen.full += 1
        seen.withError += bounds.errors.count
        guard replies[2].int ?? 0 > 0 else { return "the bounds never expire" }
        let total = truth.values.reduce(0, +)
        guard bounds.total == total else { return "\(bounds.total) views in all, not \(total)" }
        for id in bounds.errors.keys where counted[id] == nil { return "\(id): an error too many" }
        for (id, views) in truth {
            let most = counted[id] ?? bounds.floor
            let least = counted[id].map { $0 - (bounds.errors[id] ?? 0) } ?? 0
            guard least <= views, views <= most else {
                return "\(id): \(views) views, not within \(least)...\(most)"
            }
        }
        let piece = Interval.Piece(tier: tier, start: start)
        let ids = Array(truth.keys)
        let spreads = try await Figures(client.deployment).spreads(dimension, ids, [piece], client)
        for (id, spread) in zip(ids, spreads) {
            let most = (counted[id] ?? 0) + spread.unseen
            guard let views = truth[id], most - spread.unseen - spread.excess <= views,
                views <= most
            else { return "\(id): \(truth[id] ?? 0) views, answered \(most), \(spread)" }
        }
        if replies[3].isNull { seen.withoutSketch += 1 } else { seen.sketched += 1 }
        return try await devices(tier, dimension, start, counted, sketch)
    }

    /// Devices are kept of records with a counter, and of no others.
    private func devices(
        _ tier: Tier, _ dimension: Dimension, _ start: Int64, _ counted: [RecordID: Int64],
        _ sketch: String
    ) async throws -> String? {
        let ids = Set(twin.views.keys.filter { $0.start == start }.map(\.id))
        let replies = try await client.pipeline(
            ids.map {
                RedisCommand(
                    "PTTL", .init(RedisKeys.devices(tier, dimension, client.tag, $0, start)))
            })
        for (id, reply) in zip(ids, replies) {
            if counted[id] == nil, reply.int != -2 { return "\(id): devices without a counter" }
            if reply.int == -1 { return "\(id): devices that never expire" }
        }
        return nil
    }
}
