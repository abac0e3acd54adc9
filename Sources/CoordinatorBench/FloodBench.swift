import CoordinatorCore
import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// A flood of URLs that are never seen again, with some pages that are really read among them: what
/// it costs in memory, and how well the figures of those pages are known afterwards.
@LoopActor struct FloodBench {
    /// Pages that are really read; page k has as many views as URLs of the flood / (100 + 10 k).
    private static let readPages = 50
    private static let source = RedisKeys.defaultSource
    /// Memory is looked at so often in the first minute.
    private static let parts = 4

    private let arguments: ParsedArguments
    private let urls: Int
    private let minutes: Int
    private var report = BenchReport()
    private var sent = 0

    init(_ arguments: ParsedArguments) {
        self.arguments = arguments
        urls = Int(arguments.requiredInteger("urls"))
        minutes = Int(arguments.requiredInteger("minutes"))
    }

    mutating func run() async throws(BenchError) {
        let bench = try await BenchCluster(arguments)
        let isBounded = arguments.requiredText("pageviews") == "sketch"
        let settings = DeploymentSettings(
            start: .oldest,
            heaviest: isBounded ? Int(arguments.requiredInteger("heaviest")) : nil)
        let deployed = try await BenchDeployment(bench, sources: [Self.source], settings: settings)
        let node = deployed.startNode(bench)
        // Minutes of the last five that ended, which one window of the next tier is made of.
        let start = try await bench.serverTime() / 300_000 * 300_000 - 300_000
        let empty = try await bench.redisMemory()
        for minute in 0..<minutes {
            for part in 0..<(minute == 0 ? Self.parts : 1) {
                let count = minute == 0 ? urls / Self.parts : urls
                let cost = try await bench.measure { () async throws(BenchError) in
                    try await flood(
                        count, at: start + Int64(minute) * 60_000, bench, deployed)
                }
                try await note(minute, part, Double(count) / cost.wall, empty, bench)
            }
        }
        let held = try await bench.redisMemory()
        try await deployed.release()
        let rotation = try await bench.measure { () async throws(BenchError) in
            try await deployed.untilRotated()
        }
        report.add("rotation into the next tiers", rotation.wall, "s")
        report.add(
            "memory after it", mebibytes(try await bench.redisMemory() - empty), "MiB",
            "\(NumberText.decimal(mebibytes(held - empty))) before")
        try await judge(deployed.deployment, start)
        report.add(
            "peak memory of this process", Double(ProcessCost.peakMemory()) / 1_048_576, "MiB",
            "the node and what floods it")
        await node.stop()
        report.show(arguments)
        await bench.cluster.close()
    }

    private func mebibytes(_ bytes: Int64) -> Double { Double(bytes) / 1_048_576 }

    /// Sends URLs that were never there before, and waits until they are counted. The stream is
    /// emptied then: it is no part of what is measured.
    private mutating func flood(
        _ count: Int, at minute: Int64, _ bench: BenchCluster, _ deployed: BenchDeployment
    ) async throws(BenchError) {
        let slot = HashSlot(key: Self.source)
        let first = sent
        let ratio = Double(count) / Double(urls)
        // Every so many entries one of the pages that are really read.
        var views: [Int] = []
        for page in 0..<Self.readPages {
            views += [Int](repeating: page, count: Int(Double(Self.views(page, urls)) * ratio))
        }
        var random = SplitMix64(seed: UInt64(first))
        views.shuffle(using: &random)
        let total = count + views.count
        let every = max(1, total / max(1, views.count))
        var used = 0
        var fresh = first
        try await bench.pipeline(total) { index in
            var writer = RedisCommandWriter(reserving: 200)
            writer.append("XADD")
            writer.append(Self.source)
            writer.append("*")
            writer.append("url")
            let isRead = used < views.count && (index % every == 0 || index >= total - views.count)
            if isRead {
                writer.append(Self.url(views[used]))
                used += 1
            } else {
                writer.append("http://flood.example/a\(fresh % 40)/b/\(fresh).html")
                fresh += 1
            }
            writer.append("uui")
            writer.append("device-\(index % 5_000)")
            writer.append("dt")
            writer.append("\(minute + Int64(index % 60_000))")
            return (writer.finish(), slot)
        }
        sent = fresh
        try await deployed.untilAllHold(Self.source)
        do throws(RedisError) {
            _ = try await bench.cluster.call("XTRIM", .init(Self.source), "MAXLEN", "0", slot: slot)
        } catch {
            throw BenchError(message: "\(error)")
        }
    }

    private static func views(_ page: Int, _ urls: Int) -> Int { urls / (100 + page * 10) }

    private static func url(_ page: Int) -> String { "http://flood.example/news/read/\(page).html" }

    private mutating func note(
        _ minute: Int, _ part: Int, _ speed: Double, _ empty: Int64, _ bench: BenchCluster
    ) async throws(BenchError) {
        let name =
            minute == 0
            ? "minute 1, after \(NumberText.grouped(Int64(sent))) URLs"
            : "minute \(minute + 1), after \(NumberText.grouped(Int64(sent))) URLs"
        report.add(
            name, mebibytes(try await bench.redisMemory() - empty), "MiB",
            "\(NumberText.grouped(Int64(speed))) URLs/s")
    }

    /// Compares what is answered for the pages that were really read with what was sent.
    private mutating func judge(_ deployment: Deployment, _ start: Int64) async throws(BenchError) {
        var wrong = 0
        var worst = 0.0
        for page in 0..<Self.readPages {
            // The first minute is sent in parts, each rounded down.
            let first = Self.parts * Int(Double(Self.views(page, urls)) / Double(Self.parts))
            let truth = Int64(first + (minutes - 1) * Self.views(page, urls))
            do throws(ServiceError) {
                let record = try RecordFinder(deployment).page(Self.url(page))
                let interval = Interval(
                    tier: deployment.ladder.tiers[1], from: start, to: start + 300_000)
                let answer = try await Figures(deployment).report(.page, record.id, interval)
                guard let row = answer?.value else {
                    wrong += 1
                    continue
                }
                if !(row.pageviews - row.pageviewsError...row.pageviews).contains(truth) {
                    wrong += 1
                }
                worst = max(worst, Double(row.pageviews - truth) / Double(truth))
            } catch {
                throw BenchError(message: "\(error)")
            }
        }
        report.add("pages read whose figure is not within its bounds", Double(wrong), "pages")
        report.add("the most that a figure is too high", worst * 100, "%")
    }
}
