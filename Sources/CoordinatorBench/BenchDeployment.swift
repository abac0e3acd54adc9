import CoordinatorCore
import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// A deployment in the cluster under measurement, and the nodes that work on it.
@LoopActor struct BenchDeployment {
    /// An open import holds rotation back, which would be measured with ingest; its mark holds for
    /// this long.
    private static let heldForMilliseconds: Int64 = 3_600_000
    private static let hold = "ST:IMPORT::bench::"

    let deployment: Deployment
    private let registry: SourceRegistry

    /// Initialises with rotation held back.
    init(
        _ bench: BenchCluster, sources: [String],
        settings: DeploymentSettings = DeploymentSettings(start: .oldest)
    ) async throws(BenchError) {
        do throws(ServiceError) {
            _ = try await Deployment.initialise(
                bench.cluster, settings, sources: sources)
            deployment = try await Deployment(bench.cluster)
            registry = SourceRegistry(bench.cluster)
            let now = try await deployment.serverTime()
            try await registry.put(
                SourceRecord(heldImport: Self.hold, until: now + Self.heldForMilliseconds))
        } catch {
            throw BenchError(message: "\(error)")
        }
    }

    func add(_ source: String) async throws(BenchError) {
        try await perform { () async throws(ServiceError) in
            try await registry.add(live: source, at: try await deployment.serverTime())
        }
    }

    /// Lets rotation begin.
    func release() async throws(BenchError) {
        try await perform { () async throws(ServiceError) in
            _ = try await registry.forget(Self.hold)
        }
    }

    /// Takes a source off the list; what it brought stays.
    func forget(_ source: String) async throws(BenchError) {
        try await perform { () async throws(ServiceError) in
            _ = try await registry.forget(source)
            do throws(RedisError) {
                _ = try await deployment.cluster.call(
                    "UNLINK", .init(source), slot: HashSlot(key: source))
            } catch {
                throw .redis(error)
            }
        }
    }

    /// Up to where every shard holds a source; zero before anything was read.
    func watermark(of source: String) async throws(BenchError) -> StreamID {
        var mark = StreamID.zero
        try await perform { () async throws(ServiceError) in
            mark = try await deployment.survey().watermark(of: source) ?? .zero
        }
        return mark
    }

    /// A node as `coordinator run` runs it, started.
    func startNode(
        _ bench: BenchCluster, name: String = "bench", enrichment: EnrichmentSettings? = nil
    ) -> NodeRunner {
        let log = NodeLog(node: name, lowest: .warning) {
            CoordinatorBench.write($0, to: .standardError())
        }
        let timing: NodeTiming
        do { timing = try NodeTiming() } catch {
            preconditionFailure("the default spans of a node: \(error)")
        }
        var options = Node.Options(name: name, host: "bench", timing: timing)
        options.enrichment = enrichment
        let runner = NodeRunner(Node.Clients(bench.cluster.configuration), options, log: log)
        runner.start()
        return runner
    }

    /// Waits until every shard holds a source's entry.
    func until(_ source: String, holds last: StreamID) async throws(BenchError) {
        try await poll { () async throws(ServiceError) in
            try await deployment.survey().watermark(of: source).map { $0 >= last } ?? false
        }
    }

    /// Waits until every shard holds all there is of a source now.
    func untilAllHold(_ source: String) async throws(BenchError) {
        var last: StreamID?
        try await poll { () async throws(ServiceError) in
            do throws(RedisError) {
                let slot = HashSlot(key: source)
                let reply = try await deployment.cluster.call(
                    "XREVRANGE", .init(source), "+", "-", "COUNT", "1", slot: slot)
                last = reply.items?.first?.items?.first?.text.flatMap { StreamID($0) }
                return true
            } catch {
                throw .redis(error)
            }
        }
        if let last { try await until(source, holds: last) }
    }

    /// Waits until no window is due any more.
    func untilRotated() async throws(BenchError) {
        try await poll { () async throws(ServiceError) in
            try await Backlog.measure(deployment).isEmpty
        }
    }

    /// Waits until no visit waits to be written to its document.
    func untilDocumentsWritten() async throws(BenchError) {
        let cluster = deployment.cluster
        let keys = deployment.layout.shards.map { RedisKeys.visits(deployment.layout.tag(of: $0)) }
        try await poll { () async throws(ServiceError) in
            do throws(RedisError) {
                for key in keys
                where try await cluster.call("ZCARD", .init(key), slot: HashSlot(key: key)).int != 0
                { return false }
                return true
            } catch {
                throw .redis(error)
            }
        }
    }

    private func poll(_ isDone: @LoopActor () async throws(ServiceError) -> Bool)
        async throws(BenchError)
    {
        while true {
            do throws(ServiceError) { if try await isDone() { return } } catch {
                throw BenchError(message: "\(error)")
            }
            do { try await loopSleep(.milliseconds(50)) } catch { return }
        }
    }

    private func perform(_ body: @LoopActor () async throws(ServiceError) -> Void)
        async throws(BenchError)
    {
        do throws(ServiceError) { try await body() } catch { throw BenchError(message: "\(error)") }
    }
}

/// Runs a node beside the benchmark.
@LoopActor final class NodeRunner {
    private let node: Node
    private var hasEnded = false
    private var waiter: CheckedContinuation<Void, Never>?

    private let clients: Node.Clients

    init(_ clients: Node.Clients, _ options: Node.Options, log: NodeLog) {
        self.clients = clients
        node = Node(clients, options, log: log)
    }

    func start() {
        spawn {
            do throws(ServiceError) { _ = try await self.node.run() } catch {
                CoordinatorBench.write(
                    "coordinator-bench: the node ended: \(error)\n", to: .standardError())
            }
            await self.clients.close()
            self.hasEnded = true
            self.waiter?.resume()
        }
    }

    func stop() async {
        node.stop()
        if !hasEnded { await withCheckedContinuation { waiter = $0 } }
    }
}
