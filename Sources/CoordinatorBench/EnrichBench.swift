import CoordinatorCore
import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// What asking an article API costs counting: the same stream counted with enrichment and without,
/// in turn, so that what else the machine does falls on both alike.
@LoopActor struct EnrichBench {
    /// The first and last parts of a run are not measured: taking office, the last watermarks.
    private static let margin = 20
    private static let poll: Duration = .milliseconds(100)

    private let arguments: ParsedArguments

    init(_ arguments: ParsedArguments) {
        self.arguments = arguments
    }

    /// What one event cost in one run.
    private struct Run {
        let perSecond: Double
        let micros: Double
    }

    func run() async throws(BenchError) {
        let enrichment = try settings()
        let bench = try await BenchCluster(arguments)
        let workload = Workload(
            try TrafficArguments.read(arguments, endingAt: try await bench.serverTime()))
        let deployed = try await BenchDeployment(bench, sources: [Workload.firstSource])
        // Documents are made, and pages queued for the API, once: both kinds of run find them made.
        _ = try await workload.loadFirstSights(into: bench)
        let warm = deployed.startNode(bench)
        try await deployed.until(Workload.firstSource, holds: workload.lastID)
        try await deployed.untilDocumentsWritten()
        await warm.stop()
        try await deployed.forget(Workload.firstSource)
        // The devices of all later runs are known already; those of the first one are not.
        _ = try await count(bench, deployed, workload, number: 0, nil)

        var speeds: [Double] = []
        var costs: [Double] = []
        var with: [Run] = []
        var without: [Run] = []
        for pair in 0..<Int(arguments.requiredInteger("pairs")) {
            var runs: [Run] = []
            let order = pair % 2 == 0 ? [nil, enrichment] : [enrichment, nil]
            for (place, kind) in order.enumerated() {
                runs.append(
                    try await count(bench, deployed, workload, number: pair * 2 + place + 1, kind))
            }
            if pair % 2 == 1 { runs.reverse() }
            without.append(runs[0])
            with.append(runs[1])
            speeds.append(runs[1].perSecond / runs[0].perSecond * 100)
            costs.append(runs[1].micros / runs[0].micros * 100)
        }
        var report = BenchReport()
        for (name, runs) in [("without", without), ("with an API", with)] {
            report.add("ingest \(name)", Self.median(runs.map(\.perSecond)), "events/s", "median")
            report.add("ingest \(name): node", Self.median(runs.map(\.micros)), "µs/event")
        }
        Self.add("with to without, events/s", speeds, "99 or more is the aim", &report)
        Self.add("with to without, node CPU", costs, "101 or less is the aim", &report)
        try await results(deployed, &report)
        report.show(arguments)
        await bench.cluster.close()
    }

    private func settings() throws(BenchError) -> EnrichmentSettings {
        var given = EnrichmentSettings.Given()
        given.url = arguments.requiredText("enrich-url")
        given.allowsPrivate = true
        let settings: EnrichmentSettings?
        do throws(EnrichmentError) {
            given.allowedHosts = [try ArticleTemplate(parsing: given.url).host]
            settings = try EnrichmentSettings(given)
        } catch {
            throw BenchError(message: "\(error)")
        }
        guard let settings else { throw BenchError(message: "--enrich-url is empty") }
        return settings
    }

    /// Counts all events once, as a source of its own, and measures the middle of it.
    private func count(
        _ bench: BenchCluster, _ deployed: BenchDeployment, _ workload: Workload, number: Int,
        _ enrichment: EnrichmentSettings?
    ) async throws(BenchError) -> Run {
        let source = "ST:RUN\(number)::::"
        try await workload.load(into: bench, source: source)
        try await deployed.add(source)
        let node = deployed.startNode(bench, enrichment: enrichment)
        let margin = workload.count / Self.margin
        let first = try await passing(margin, of: source, deployed, workload)
        let last = try await passing(workload.count - margin, of: source, deployed, workload)
        try await deployed.until(source, holds: workload.lastID)
        await node.stop()
        try await deployed.forget(source)
        let events = Double(last.events - first.events)
        guard events > Double(workload.count) / 2 else {
            throw BenchError(message: "a run was too short to be measured: give more --events")
        }
        return Run(
            perSecond: events / bench.seconds(last.at - first.at),
            micros: (last.cpu - first.cpu) / events * 1e6)
    }

    private struct Mark {
        let events: Int
        let at: MonotonicInstant
        let cpu: Double
    }

    /// Waits until so many events are in every shard, and tells how many really are.
    private func passing(
        _ count: Int, of source: String, _ deployed: BenchDeployment, _ workload: Workload
    ) async throws(BenchError) -> Mark {
        while true {
            let mark = try await deployed.watermark(of: source)
            if mark > .zero {
                // The sequence of an entry's id is its place.
                let events = mark >= workload.lastID ? workload.count : Int(mark.sequence)
                if events >= count {
                    return Mark(events: events, at: loopNow(), cpu: ProcessCost.cpu())
                }
            }
            do { try await loopSleep(Self.poll) } catch {
                throw BenchError(message: "interrupted")
            }
        }
    }

    private func results(
        _ deployed: BenchDeployment, _ report: inout BenchReport
    ) async throws(BenchError) {
        do throws(ServiceError) {
            let pages = try await deployed.deployment.enrichment(deadPages: 0).pages
            let asked = pages.found + pages.failed + pages.missing + pages.givenUp
            guard asked > 0 else {
                throw ServiceError.question("the API was not asked: does it run?")
            }
            report.add(
                "pages asked for", Double(asked), "",
                "\(pages.found) written, \(pages.failed) put off after a failure")
        } catch {
            throw BenchError(message: "\(error)")
        }
    }

    // MARK: Figures

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    /// The median of the pairs' ratios in per cent, and the values between which the true one lies
    /// with a certainty of 95 % or more: the order statistics of the sign test.
    private static func add(
        _ name: String, _ ratios: [Double], _ aim: String, _ report: inout BenchReport
    ) {
        let sorted = ratios.sorted()
        let count = sorted.count
        let middle = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
        // How many may be left out at each end, so that less than 2.5 % lies beyond.
        var chance = 1.0 / Double(sign: .plus, exponent: count, significand: 1)
        var sum = chance
        var cut = 0
        while sum <= 0.025, cut < count / 2 {
            cut += 1
            chance *= Double(count - cut + 1) / Double(cut)
            sum += chance
        }
        let place = max(0, cut - 1)
        let low = NumberText.decimal(sorted[place])
        let high = NumberText.decimal(sorted[count - 1 - place])
        report.add(name, middle, "%", "median of \(count) pairs, \(low) to \(high); \(aim)")
    }
}
