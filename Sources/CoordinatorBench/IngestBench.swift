import CoordinatorCore
import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// Ingest of a full stream by one node, against the same effects as raw pipelined commands for each event,
/// on the same cluster in the same run.
@LoopActor struct IngestBench {
    private let arguments: ParsedArguments
    /// An open import holds rotation back, which would be measured, too; its mark holds for this long.
    private static let heldForMilliseconds: Int64 = 3_600_000

    init(_ arguments: ParsedArguments) {
        self.arguments = arguments
    }

    func run() async throws(BenchError) {
        let bench = try await BenchCluster(arguments)
        let workload = Workload(try TrafficArguments.read(arguments))
        var report = BenchReport()
        try await SearchIndexes.create(bench)
        try await ours(bench, workload, &report)

        let sample = workload.resolved(Int(arguments.requiredInteger("baseline-events")))
        let a = try await bench.measure { () async throws(BenchError) in
            try await Baseline.run(bench, sample, .documents)
        }
        add("(a) 3 HINCRBY + 3 PFADD + 3 JSON.SET, indexed", a, sample.count, &report)
        try await SearchIndexes.drop(bench)
        let b = try await bench.measure { () async throws(BenchError) in
            try await Baseline.run(bench, sample, .hashes)
        }
        add("(b) 3 HINCRBY + 3 PFADD + 3 HSET", b, sample.count, &report)
        compare(&report)
        report.add("peak memory of this process", Double(ProcessCost.peakMemory()) / 1_048_576, "MiB")
        report.show(arguments)
        await bench.cluster.close()
    }

    private func micros(_ seconds: Double, _ events: Double) -> String {
        NumberText.decimal(seconds / events * 1e6)
    }

    private func add(_ name: String, _ cost: BenchCluster.Cost, _ events: Int, _ report: inout BenchReport) {
        report.add(name, Double(events) / cost.wall, "events/s")
        report.add(name + ": Redis", cost.redis / Double(events) * 1e6, "µs/event")
    }

    private func compare(_ report: inout BenchReport) {
        func figure(_ name: String) -> Double { report.rows.first { $0.name == name }?.value ?? 0 }
        let a = "(a) 3 HINCRBY + 3 PFADD + 3 JSON.SET, indexed", b = "(b) 3 HINCRBY + 3 PFADD + 3 HSET"
        report.add("ours to (a), events/s", figure("ours") / figure(a), "×", "15 or more is the aim")
        report.add("ours to (b), events/s", figure("ours") / figure(b), "×", "3 or more is the aim")
        report.add("ours to (a), Redis CPU", figure("ours: Redis") / figure(a + ": Redis"), "×", "0.1 or less is the aim")
        report.add("ours to (b), Redis CPU", figure("ours: Redis") / figure(b + ": Redis"), "×", "0.5 or less is the aim")
    }

    private func readPlainly(_ bench: BenchCluster, _ workload: Workload) async throws(BenchError) {
        var from = StreamID.zero
        let slot = HashSlot(key: Workload.source)
        while from < workload.lastID {
            let command = RedisCommand(
                "XRANGE", .init(Workload.source), .init("(\(from)"), "+", "COUNT", "1000", isRepeatable: true)
            let last: StreamID? = await withCheckedContinuation { continuation in
                bench.cluster.send(command, slot: slot, lane: .reading) { result in
                    guard case .success(let reply) = result, reply.count > 0 else {
                        return continuation.resume(returning: nil)
                    }
                    let id = reply[reply.count - 1]?[0].flatMap { StreamID(bytes: $0.bytes) }
                    continuation.resume(returning: id)
                }
            }
            guard let last else { throw BenchError(message: "the stream ended before its last entry") }
            from = last
        }
    }

    /// One node, as `coordinator run` runs it, until every shard holds the last event.
    private func ours(
        _ bench: BenchCluster, _ workload: Workload, _ report: inout BenchReport
    ) async throws(BenchError) {
        let deployment = try await deploy(bench)
        let node = Node(
            bench.cluster, Node.Options(name: "bench", host: "bench"),
            log: NodeLog(node: "bench", lowest: .warning) { CoordinatorBench.write($0, to: .standardError()) })
        let runner = NodeRunner(node)
        // Documents are made once in a page's life; the raw commands find theirs made as well.
        let pages = try await workload.loadFirstSights(into: bench)
        runner.start()
        let first = try await bench.measure { () async throws(BenchError) in
            try await until(deployment, Workload.firstSource, holds: workload.lastID)
        }
        report.add("first sight of a page: Redis", first.redis / Double(pages) * 1e6, "µs/page", "\(pages) pages, documents made and indexed")
        try await documentsWritten(bench, deployment)
        await runner.stop()

        try await workload.load(into: bench)
        let plain = try await bench.measure { () async throws(BenchError) in
            try await readPlainly(bench, workload)
        }
        let events = Double(workload.count)
        report.add("(c) plain XRANGE", events / plain.wall, "events/s", "\(micros(plain.redis, events)) µs of Redis an event")
        let again = NodeRunner(
            Node(
                bench.cluster, Node.Options(name: "bench", host: "bench"),
                log: NodeLog(node: "bench", lowest: .warning) { CoordinatorBench.write($0, to: .standardError()) }))
        do throws(ServiceError) {
            try await SourceRegistry(bench.cluster).add(live: Workload.source, at: try await deployment.serverTime())
        } catch {
            throw BenchError(message: "\(error)")
        }
        again.start()
        let cost = try await bench.measure { () async throws(BenchError) in
            try await until(deployment, Workload.source, holds: workload.lastID)
        }
        report.add("ours", events / cost.wall, "events/s", "documents, devices and counters of all")
        report.add("ours: node", cost.own / events * 1e6, "µs/event", "CPU of this process")
        let rest = try await bench.measure { () async throws(BenchError) in
            try await documentsWritten(bench, deployment)
        }
        report.add(
            "ours: Redis", (cost.redis + rest.redis) / events * 1e6, "µs/event",
            "\(micros(cost.redis, events)) until counted, the rest for visits of documents a minute later")
        await again.stop()
    }

    private func deploy(_ bench: BenchCluster) async throws(BenchError) -> Deployment {
        do throws(ServiceError) {
            _ = try await Deployment.initialise(
                bench.cluster, DeploymentSettings(start: .oldest), sources: [Workload.firstSource])
            let deployment = try await Deployment(bench.cluster)
            let now = try await deployment.serverTime()
            try await SourceRegistry(bench.cluster).put(
                SourceRecord(heldImport: "ST:IMPORT::bench::", until: now + Self.heldForMilliseconds))
            return deployment
        } catch {
            throw BenchError(message: "\(error)")
        }
    }

    private func until(
        _ deployment: Deployment, _ source: String, holds last: StreamID
    ) async throws(BenchError) {
        while true {
            do throws(ServiceError) {
                let mark = try await deployment.survey().watermark(of: source)
                if let mark, mark >= last { return }
            } catch {
                throw BenchError(message: "\(error)")
            }
            do { try await loopSleep(.milliseconds(100)) } catch { return }
        }
    }

    /// Waits until no visit waits to be written to its document.
    private func documentsWritten(_ bench: BenchCluster, _ deployment: Deployment) async throws(BenchError) {
        while true {
            var waiting: Int64 = 0
            for shard in deployment.layout.shards {
                let key = RedisKeys.visits(deployment.layout.tag(of: shard))
                do throws(RedisError) {
                    waiting += try await bench.cluster.call("ZCARD", .init(key), slot: HashSlot(key: key)).int ?? 0
                } catch {
                    throw BenchError(message: "\(error)")
                }
            }
            if waiting == 0 { return }
            do { try await loopSleep(.milliseconds(500)) } catch { return }
        }
    }
}

/// Runs a node beside the benchmark.
@LoopActor final class NodeRunner {
    private let node: Node
    private var hasEnded = false
    private var waiter: CheckedContinuation<Void, Never>?

    init(_ node: Node) {
        self.node = node
    }

    func start() {
        spawn {
            do throws(ServiceError) { try await self.node.run() } catch {
                CoordinatorBench.write("coordinator-bench: the node ended: \(error)\n", to: .standardError())
            }
            self.hasEnded = true
            self.waiter?.resume()
        }
    }

    func stop() async {
        node.stop()
        if !hasEnded { await withCheckedContinuation { waiter = $0 } }
    }
}
