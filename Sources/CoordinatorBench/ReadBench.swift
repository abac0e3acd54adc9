import CoordinatorCore
import CoordinatorService
import EventLoop
import RedisClient
import Terminal
import TrafficGenerator

/// Latencies of the questions after a rotation, and the memory of a page with all its keys.
@LoopActor struct ReadBench {
    private static let repetitions = 30
    private static let samplePages = 200
    private static let devicesPerWindow = 10

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
        let node = deployed.startNode(bench)
        try await deployed.until(Workload.source, holds: workload.lastID)
        try await deployed.release()
        try await deployed.untilRotated()
        await node.stop()

        var report = BenchReport()
        try await questions(deployed.deployment, workload, &report)
        try await export(deployed.deployment, &report)
        try await memory(bench, deployed.deployment, &report)
        report.show(arguments)
        await bench.cluster.close()
    }

    private func questions(
        _ deployment: Deployment, _ workload: Workload, _ report: inout BenchReport
    ) async throws(BenchError) {
        let end =
            workload.generator.options.startMilliseconds
            + workload.generator.options.spanMilliseconds
        let figures = Figures(deployment)
        for (label, span) in [("30m", Int64(1_800_000)), ("24h", 86_400_000)] {
            guard let interval = Interval(last: span, at: end, ladder: deployment.ladder) else {
                continue
            }
            for (dimension, name) in [
                (Dimension.page, "pages"), (.section, "sections"), (.website, "websites"),
            ] {
                try await time("top \(name) --last \(label)", &report) {
                    () async throws(ServiceError) in
                    _ = try await figures.top(
                        dimension, interval, filter: .init(), by: .pageviews, count: 20)
                }
            }
        }
        try await QuestionBench(deployment: deployment, end: end).run(&report, time)
        try await time("status", &report) { () async throws(ServiceError) in
            _ = try await StatusReport.make(deployment)
        }
    }

    private func time(
        _ name: String, _ report: inout BenchReport,
        _ body: @LoopActor () async throws(ServiceError) -> Void
    ) async throws(BenchError) {
        var spans: [Duration] = []
        for _ in 0..<Self.repetitions {
            let began = loopNow()
            do throws(ServiceError) { try await body() } catch {
                throw BenchError(message: "\(error)")
            }
            spans.append(loopNow() - began)
        }
        spans.sort()
        func milliseconds(_ span: Duration) -> Double {
            Double(span.components.attoseconds) / 1e15 + Double(span.components.seconds) * 1e3
        }
        report.add(
            name, milliseconds(spans[spans.count / 2]), "ms",
            "p95 \(NumberText.decimal(milliseconds(spans[spans.count * 95 / 100]))) ms")
    }

    private func export(_ deployment: Deployment, _ report: inout BenchReport)
        async throws(BenchError)
    {
        var rows = 0
        let began = loopNow()
        let selection = Export.Selection(
            tiers: deployment.ladder.tiers, dimensions: Dimension.counted)
        do throws(ServiceError) {
            _ = try await Export(deployment).rows(selection) { _ in rows += 1 }
        } catch {
            throw BenchError(message: "\(error)")
        }
        let span = loopNow() - began
        let seconds = Double(span.components.seconds) + Double(span.components.attoseconds) / 1e18
        report.add("export", Double(rows) / seconds, "rows/s", "\(rows) rows")
    }

    /// Writes pages with every key a page can have, and divides what Redis took by their number.
    private func memory(
        _ bench: BenchCluster, _ deployment: Deployment, _ report: inout BenchReport
    ) async throws(BenchError) {
        let before = try await bench.redisMemory()
        try await PageKeys.write(
            bench, deployment, pages: Self.samplePages, devices: Self.devicesPerWindow)
        let after = try await bench.redisMemory()
        report.add(
            "a page with its 102 keys", Double(after - before) / Double(Self.samplePages) / 1_024,
            "KiB",
            "\(Self.devicesPerWindow) devices a window, all windows, document, 5 series with labels"
        )
    }
}

/// Every key that one page can have: a window for each that its tiers keep, its series, its
/// document.
@LoopActor enum PageKeys {
    static func write(
        _ bench: BenchCluster, _ deployment: Deployment, pages: Int, devices: Int
    ) async throws(BenchError) {
        let tag = deployment.layout.tag(of: ShardID(rawValue: 0))
        let slot = HashSlot(key: RedisKeys.shardState(tag))
        var commands: [RedisCommand] = []
        for page in 0..<pages {
            guard let id = RecordID(hex: String(repeating: "0", count: 34) + String(100_000 + page))
            else { continue }
            for tier in deployment.ladder.tiers {
                let kept = tier.index == 0 ? 5 : tier.keepMilliseconds / tier.lengthMilliseconds
                for window in 0..<kept {
                    let start = window * tier.lengthMilliseconds
                    commands.append(
                        RedisCommand(
                            "ZADD", .init(RedisKeys.pageviews(tier, .page, tag, start)),
                            .init(devices), .init(id.hex)))
                    commands.append(
                        RedisCommand(
                            ["PFADD", .init(RedisKeys.devices(tier, .page, tag, id, start))]
                                + (0..<devices).map {
                                    RedisArgument("device-\(page)-\(window)-\($0)")
                                }))
                    if tier.index > 0 { commands += samples(tier, tag, id, start) }
                }
            }
            let document =
                #"{"id":"\#(id.hex)","url":"www.example.org/news/world/a/1234567.html","#
                + #""article_id":1234567,"#
                + #""last_visited":1721800800000,"#
                + #""metadata":{"title":null,"kicker":null,"display_date":null},"#
                + #""website":{"id":"\#(id.hex)","name":"EXAMPLE.ORG"},"#
                + #""section":{"id":"\#(id.hex)","#
                + #""name":"news/world","levels":{"level_0":"news","level_1":"world"}}}"#
            commands.append(
                RedisCommand(
                    "JSON.SET", .init(RedisKeys.document(.page, tag, id)), "$", .init(document)))
        }
        let all = commands
        try await bench.pipeline(all.count) { (all[$0], slot) }
    }

    private static func samples(_ tier: Tier, _ tag: String, _ id: RecordID, _ start: Int64)
        -> [RedisCommand]
    {
        let metrics: [Metric] = tier.index == 1 ? [.pageviews, .uniqueDevices] : [.uniqueDevices]
        return metrics.map { metric in
            RedisCommand(
                "TS.ADD", .init(RedisKeys.series(tier, .page, tag, id, metric)), .init(start), "10",
                "RETENTION",
                "3024000000", "CHUNK_SIZE", "128", "DUPLICATE_POLICY", "LAST", "LABELS", "ts_name",
                .init(tier.name),
                "dimension", "P", "M", .init(metric.rawValue), "website_id", .init(id.hex),
                "website_name",
                "EXAMPLE.ORG", "section_id", .init(id.hex), "section_name", "news/world", "page_id",
                .init(id.hex),
                "article_id", "1234567")
        }
    }
}
