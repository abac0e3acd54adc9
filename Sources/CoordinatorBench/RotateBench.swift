import CoordinatorCore
import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// Rotation of what was ingested, against bare PFMERGE and ZUNIONSTORE of the same windows.
@LoopActor struct RotateBench {
    private let arguments: ParsedArguments

    init(_ arguments: ParsedArguments) {
        self.arguments = arguments
    }

    func run() async throws(BenchError) {
        let bench = try await BenchCluster(arguments)
        let workload = Workload(
            try TrafficArguments.read(arguments, endingAt: try await bench.serverTime()))
        let deployed = try await BenchDeployment(bench, sources: [Workload.source])
        try await workload.load(into: bench)
        let reading = deployed.startNode(bench)
        try await deployed.until(Workload.source, holds: workload.lastID)
        await reading.stop()

        let windows = try await BareRotation.plan(deployed.deployment)
        let records = Double(windows.reduce(0) { $0 + $1.ids.count })
        let bare = try await bench.measure { () async throws(BenchError) in
            try await BareRotation.run(bench, windows)
        }
        // Series are made once in a record's life, at its first window.
        try await BareRotation.makeSeries(bench, deployed.deployment, windows)
        try await deployed.release()
        let node = deployed.startNode(bench)
        let ours = try await bench.measure { () async throws(BenchError) in
            try await deployed.untilRotated()
        }
        await node.stop()

        var report = BenchReport()
        report.add(
            "records × windows", records, "", "\(windows.count) windows of a shard and dimension")
        report.add("bare PFMERGE + ZUNIONSTORE", records / bare.wall, "records/s")
        report.add("bare: Redis", bare.redis / records * 1e6, "µs/record")
        report.add(
            "ours", records / ours.wall, "records/s", "with counts, series, expiries, fences")
        report.add("ours: Redis", ours.redis / records * 1e6, "µs/record")
        report.add("ours to bare, records/s", bare.wall / ours.wall, "×", "0.6 or more is the aim")
        report.add("ours to bare, Redis CPU", ours.redis / bare.redis, "×")
        report.add(
            "peak memory of this process", Double(ProcessCost.peakMemory()) / 1_048_576, "MiB")
        report.show(arguments)
        await bench.cluster.close()
    }
}

/// The same merges as bare commands, into keys of their own.
@LoopActor enum BareRotation {
    /// One window of one shard and dimension: its children and the records in it.
    struct Window {
        let tier: Tier
        let dimension: Dimension
        let tag: String
        let start: Int64
        let children: [(tier: Tier, start: Int64)]
        let ids: [RecordID]
    }

    /// Which windows there will be, tier by tier: from the base windows that the shards hold.
    static func plan(_ deployment: Deployment) async throws(BenchError) -> [Window] {
        var windows: [Window] = []
        for shard in deployment.layout.shards {
            let tag = deployment.layout.tag(of: shard)
            for dimension in Dimension.counted {
                var below: [Int64: Set<RecordID>] = [:]
                for start in try await starts(deployment, tag) {
                    below[start] = try await ids(deployment, dimension, tag, start)
                }
                for tier in deployment.ladder.tiers.dropFirst() {
                    let finer = deployment.ladder.tiers[tier.index - 1]
                    var merged: [Int64: Set<RecordID>] = [:]
                    for (start, ids) in below {
                        merged[tier.start(of: start), default: []].formUnion(ids)
                    }
                    for (start, ids) in merged.sorted(by: { $0.key < $1.key }) {
                        let children = below.keys.filter { tier.start(of: $0) == start }.sorted()
                        windows.append(
                            Window(
                                tier: tier, dimension: dimension, tag: tag, start: start,
                                children: children.map { (finer, $0) }, ids: Array(ids)))
                    }
                    below = merged
                }
            }
        }
        return windows.filter { !$0.ids.isEmpty }.sorted { $0.tier.index < $1.tier.index }
    }

    private static func starts(_ deployment: Deployment, _ tag: String) async throws(BenchError)
        -> [Int64]
    {
        let key = RedisKeys.windows(deployment.ladder.base, tag)
        return try await ask(deployment, ["ZRANGE", .init(key), "0", "-1"], key).compactMap {
            $0.int
        }
    }

    private static func ids(
        _ deployment: Deployment, _ dimension: Dimension, _ tag: String, _ start: Int64
    ) async throws(BenchError) -> Set<RecordID> {
        let key = RedisKeys.pageviews(deployment.ladder.base, dimension, tag, start)
        return Set(
            try await ask(deployment, ["ZRANGE", .init(key), "0", "-1"], key).compactMap {
                $0.text.flatMap { RecordID(hex: $0) }
            })
    }

    private static func ask(
        _ deployment: Deployment, _ arguments: [RedisArgument], _ key: String
    ) async throws(BenchError) -> [RedisValue] {
        do throws(RedisError) {
            return try await deployment.cluster.call(arguments, slot: HashSlot(key: key)).items
                ?? []
        } catch {
            throw BenchError(message: "\(error)")
        }
    }

    /// Where the bare commands write, and read once they have written: never what the coordinator
    /// reads.
    private static func name(_ key: String, of tier: Tier) -> String {
        tier.index == 0 ? key : "BENCH:" + key
    }

    static func run(_ bench: BenchCluster, _ windows: [Window]) async throws(BenchError) {
        var commands: [(RedisCommand, HashSlot)] = []
        var tier = 0
        for window in windows {
            if window.tier.index != tier {
                try await send(bench, commands)
                commands.removeAll(keepingCapacity: true)
                tier = window.tier.index
            }
            let slot = HashSlot(key: RedisKeys.shardState(window.tag))
            let target = name(
                RedisKeys.pageviews(window.tier, window.dimension, window.tag, window.start),
                of: window.tier)
            let children = window.children.map {
                RedisArgument(
                    name(
                        RedisKeys.pageviews($0.tier, window.dimension, window.tag, $0.start),
                        of: $0.tier))
            }
            commands.append(
                (
                    RedisCommand(["ZUNIONSTORE", .init(target), .init(children.count)] + children),
                    slot
                ))
            for id in window.ids {
                let target = name(
                    RedisKeys.devices(window.tier, window.dimension, window.tag, id, window.start),
                    of: window.tier)
                let children = window.children.map {
                    RedisArgument(
                        name(
                            RedisKeys.devices($0.tier, window.dimension, window.tag, id, $0.start),
                            of: $0.tier))
                }
                commands.append((RedisCommand(["PFMERGE", .init(target)] + children), slot))
            }
        }
        try await send(bench, commands)
    }

    private static func send(
        _ bench: BenchCluster, _ commands: [(RedisCommand, HashSlot)]
    ) async throws(BenchError) {
        try await bench.pipeline(commands.count) { commands[$0] }
    }

    /// Makes every record's series, as its first window would.
    static func makeSeries(
        _ bench: BenchCluster, _ deployment: Deployment, _ windows: [Window]
    ) async throws(BenchError) {
        var made: Set<String> = []
        var commands: [(RedisCommand, HashSlot)] = []
        for window in windows {
            let metrics: [Metric] =
                window.tier.index == 1 ? [.pageviews, .uniqueDevices] : [.uniqueDevices]
            for id in window.ids {
                for metric in metrics {
                    let key = RedisKeys.series(
                        window.tier, window.dimension, window.tag, id, metric)
                    guard made.insert(key).inserted else { continue }
                    commands.append(
                        (
                            RedisCommand(
                                "TS.CREATE", .init(key), "RETENTION", "3024000000", "CHUNK_SIZE",
                                "128",
                                "DUPLICATE_POLICY", "LAST", "LABELS", "dimension",
                                .init(window.dimension.rawValue),
                                "page_id", .init(id.hex)), HashSlot(key: key)
                        ))
                }
            }
        }
        try await send(bench, commands)
    }
}
