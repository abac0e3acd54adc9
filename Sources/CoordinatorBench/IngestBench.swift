import CoordinatorCore
import EventLoop
import RedisClient
import Terminal

/// Ingest of a full stream by one node, against the same effects as raw pipelined commands for each
/// event, on the same cluster in the same run.
@LoopActor struct IngestBench {
    private let arguments: ParsedArguments

    init(_ arguments: ParsedArguments) {
        self.arguments = arguments
    }

    func run() async throws(BenchError) {
        let bench = try await BenchCluster(arguments)
        let workload = Workload(
            try TrafficArguments.read(arguments, endingAt: try await bench.serverTime()))
        var report = BenchReport()
        try await ours(bench, workload, &report)

        let sample = workload.resolved(Int(arguments.requiredInteger("baseline-events")))
        let a = try await bench.measure { () async throws(BenchError) in
            try await Baseline.run(bench, sample, .documents)
        }
        add("(a) 3 HINCRBY + 3 PFADD + 3 JSON.SET, indexed", a, sample.count, &report)
        let b = try await bench.measure { () async throws(BenchError) in
            try await Baseline.run(bench, sample, .hashes)
        }
        add("(b) 3 HINCRBY + 3 PFADD + 3 HSET", b, sample.count, &report)
        compare(&report)
        report.add(
            "peak memory of this process", Double(ProcessCost.peakMemory()) / 1_048_576, "MiB")
        report.show(arguments)
        await bench.cluster.close()
    }

    private func micros(_ seconds: Double, _ events: Double) -> String {
        NumberText.decimal(seconds / events * 1e6)
    }

    private func add(
        _ name: String, _ cost: BenchCluster.Cost, _ events: Int, _ report: inout BenchReport
    ) {
        report.add(name, Double(events) / cost.wall, "events/s")
        report.add(name + ": Redis", cost.redis / Double(events) * 1e6, "µs/event")
    }

    private func compare(_ report: inout BenchReport) {
        func figure(_ name: String) -> Double { report.rows.first { $0.name == name }?.value ?? 0 }
        let a = "(a) 3 HINCRBY + 3 PFADD + 3 JSON.SET, indexed"
        let b = "(b) 3 HINCRBY + 3 PFADD + 3 HSET"
        report.add(
            "ours to (a), events/s", figure("ours") / figure(a), "×", "15 or more is the aim")
        report.add("ours to (b), events/s", figure("ours") / figure(b), "×", "3 or more is the aim")
        report.add(
            "ours to (a), Redis CPU", figure("ours: Redis") / figure(a + ": Redis"), "×",
            "0.1 or less is the aim")
        report.add(
            "ours to (b), Redis CPU", figure("ours: Redis") / figure(b + ": Redis"), "×",
            "0.5 or less is the aim")
    }

    private func readPlainly(_ bench: BenchCluster, _ workload: Workload) async throws(BenchError) {
        var from = StreamID.zero
        let slot = HashSlot(key: Workload.source)
        while from < workload.lastID {
            let command = RedisCommand(
                "XRANGE", .init(Workload.source), .init("(\(from)"), "+", "COUNT", "1000",
                isRepeatable: true)
            let last: StreamID? = await withCheckedContinuation { continuation in
                bench.cluster.send(command, slot: slot, lane: .reading) { result in
                    guard case .success(let reply) = result, reply.count > 0 else {
                        return continuation.resume(returning: nil)
                    }
                    let id = reply[reply.count - 1]?[0].flatMap { StreamID(bytes: $0.bytes) }
                    continuation.resume(returning: id)
                }
            }
            guard let last else {
                throw BenchError(message: "the stream ended before its last entry")
            }
            from = last
        }
    }

    /// One node, as `coordinator run` runs it, until every shard holds the last event.
    private func ours(
        _ bench: BenchCluster, _ workload: Workload, _ report: inout BenchReport
    ) async throws(BenchError) {
        let deployed = try await BenchDeployment(bench, sources: [Workload.firstSource])
        // Documents are made once in a page's life; the raw commands find theirs made as well.
        let urls = try await workload.loadFirstSights(into: bench)
        let warm = deployed.startNode(bench)
        let first = try await bench.measure { () async throws(BenchError) in
            try await deployed.until(Workload.firstSource, holds: workload.lastID)
        }
        report.add(
            "first sight of a URL: Redis", first.redis / Double(urls) * 1e6, "µs/URL",
            "\(urls) URLs, documents made and indexed")
        try await deployed.untilDocumentsWritten()
        await warm.stop()

        try await workload.load(into: bench)
        let plain = try await bench.measure { () async throws(BenchError) in
            try await readPlainly(bench, workload)
        }
        let events = Double(workload.count)
        report.add(
            "(c) plain XRANGE", events / plain.wall, "events/s",
            "\(micros(plain.redis, events)) µs of Redis an event")
        try await deployed.add(Workload.source)
        let node = deployed.startNode(bench)
        let cost = try await bench.measure { () async throws(BenchError) in
            try await deployed.until(Workload.source, holds: workload.lastID)
        }
        report.add("ours", events / cost.wall, "events/s", "documents, devices and counters of all")
        report.add("ours: node", cost.own / events * 1e6, "µs/event", "CPU of this process")
        let rest = try await bench.measure { () async throws(BenchError) in
            try await deployed.untilDocumentsWritten()
        }
        report.add(
            "ours: Redis", (cost.redis + rest.redis) / events * 1e6, "µs/event",
            "\(micros(cost.redis, events)) until counted, the rest for visits a minute later"
        )
        await node.stop()
    }
}
