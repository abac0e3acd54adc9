import CoordinatorCore
import CoordinatorService
import EventLoop
import Hashing
import RedisClient
import Terminal
import TrafficGenerator

/// Latencies of searches over a deployment in which every page was visited and has a title, while
/// three nodes work on it.
@LoopActor struct SearchBench {
    private static let nodes = ["bench-1", "bench-2", "bench-3"]
    private static let wordsOfTitle = 7

    private let arguments: ParsedArguments
    private let vocabulary = Vocabulary()

    init(_ arguments: ParsedArguments) {
        self.arguments = arguments
    }

    func run() async throws(BenchError) {
        let bench = try await BenchCluster(arguments)
        let workload = Workload(
            try TrafficArguments.read(arguments, endingAt: try await bench.serverTime()))
        let deployed = try await BenchDeployment(bench, sources: [Workload.firstSource])
        let before = try await bench.redisMemory()
        let pages = try await workload.loadEveryPage(into: bench)
        let runners = Self.nodes.map { deployed.startNode(bench, name: $0) }
        let last = workload.lastID
        try await deployed.until(Workload.firstSource, holds: last)
        try await deployed.untilDocumentsWritten()
        try await writeTitles(bench, deployed.deployment, workload.generator)
        var report = BenchReport()
        report.add("pages", Double(pages), "", "each with a title of \(Self.wordsOfTitle) words")
        try await untilIndexed(deployed.deployment, pages, &report)
        let memory = try await bench.redisMemory() - before
        report.add(
            "memory", Double(memory) / 1_048_576, "MiB", "documents, indexes, open windows, stream")
        try await questions(deployed.deployment, workload.generator, &report)
        for runner in runners { await runner.stop() }
        report.show(arguments)
        await bench.cluster.close()
    }

    /// Titles as enrichment writes them, of words that are as unequal as those of a language.
    private func writeTitles(
        _ bench: BenchCluster, _ deployment: Deployment, _ generator: TrafficGenerator
    ) async throws(BenchError) {
        let resolver = PageResolver(sites: .empty, hasher: SHA1Hasher())
        let layout = deployment.layout
        let vocabulary = vocabulary
        var random = SplitMix64(seed: 5)
        let pages = generator.options.pages
        try await bench.pipeline(pages) { index in
            let url = String(decoding: generator.pageAddress(index), as: UTF8.self)
            let title = vocabulary.title(Self.wordsOfTitle, &random)
            let metadata =
                #"{"title":"\#(title)","kicker":null,"display_date":null,"words":"\#(title)"}"#
            do throws(RefusalError) {
                let id = try resolver.resolve(url).pageID
                let key = RedisKeys.document(.page, layout.tag(of: layout.shard(of: id)), id)
                return (
                    RedisCommand("JSON.SET", .init(key), "$.metadata", .init(metadata)),
                    HashSlot(key: key)
                )
            } catch {
                preconditionFailure("a generated address is refused: \(url)")
            }
        }
    }

    private func untilIndexed(
        _ deployment: Deployment, _ pages: Int, _ report: inout BenchReport
    ) async throws(BenchError) {
        let began = loopNow()
        while true {
            do throws(ServiceError) {
                let indexes = try await StatusReport.make(deployment).indexes.masters.flatMap {
                    ($0.indexes ?? []).filter { $0.name.dimension == .page }
                }
                let documents = indexes.reduce(Int64(0)) { $0 + ($1.documents ?? 0) }
                let isFull = indexes.allSatisfy { ($0.filled ?? 0) >= 1 }
                if isFull, documents >= pages {
                    report.add("pages indexed", Double(documents), "", "\(indexes.count) masters")
                    return
                }
            } catch {
                throw BenchError(message: "\(error)")
            }
            guard loopNow() - began < .seconds(600) else {
                throw BenchError(message: "the indexes did not hold all pages within ten minutes")
            }
            do { try await loopSleep(.milliseconds(200)) } catch { return }
        }
    }

    // MARK: Questions

    private typealias Make = (inout SplitMix64) throws -> (SearchQuestion, Search.Order)

    private func kinds(_ generator: TrafficGenerator) -> [(name: String, make: Make)] {
        let vocabulary = vocabulary
        func section(_ random: inout SplitMix64) -> String {
            let index = Int.random(in: 0..<generator.options.pages, using: &random)
            let url = String(decoding: generator.pageAddress(index), as: UTF8.self)
            return url.split(separator: "/").dropFirst(2).prefix(2).joined(separator: "/")
        }
        func number(_ random: inout SplitMix64) -> String {
            let index = Int.random(in: 0..<generator.options.pages, using: &random)
            let url = String(decoding: generator.pageAddress(index), as: UTF8.self)
            return url.split(separator: "/").last.map { String($0.prefix { $0 != "." }) } ?? ""
        }
        return [
            (
                "a word of a title",
                { (try SearchQuestion(words: vocabulary.word(&$0)), .relevance) }
            ),
            (
                "two words",
                {
                    let words = vocabulary.word(&$0) + " " + vocabulary.word(&$0)
                    return (try SearchQuestion(words: words), .relevance)
                }
            ),
            (
                "the first letters of a word",
                {
                    let word = String(vocabulary.word(&$0).prefix(4))
                    return (try SearchQuestion(words: word), .relevance)
                }
            ),
            ("an article's number", { (try SearchQuestion(words: number(&$0)), .relevance) }),
            (
                "a word and a section",
                {
                    var question = try SearchQuestion(words: vocabulary.word(&$0))
                    try question.keep(section: section(&$0))
                    return (question, .lastVisited)
                }
            ),
            (
                "a section, newest visit first",
                {
                    var question = try SearchQuestion(words: "")
                    try question.keep(section: section(&$0))
                    return (question, .lastVisited)
                }
            ),
            (
                "a word that every page has",
                { _ in (try SearchQuestion(words: "html"), .relevance) }
            ),
        ] + otherKinds(generator, section)
    }

    private func otherKinds(
        _ generator: TrafficGenerator, _ section: @escaping (inout SplitMix64) -> String
    ) -> [(name: String, make: Make)] {
        let options = generator.options
        return [
            (
                "sections by first letters",
                {
                    let level = section(&$0).split(separator: "/").last ?? ""
                    return (
                        try SearchQuestion(.section, words: String(level.prefix(3))), .relevance
                    )
                }
            ),
            (
                "two hours, newest visit first",
                { _ in
                    var question = try SearchQuestion(words: "")
                    question.keep(
                        since: options.startMilliseconds + options.spanMilliseconds - 7_200_000)
                    return (question, .lastVisited)
                }
            ),
            (
                "everything, newest visit first",
                { _ in
                    var question = try SearchQuestion(words: "")
                    question.keep(since: options.startMilliseconds - 1)
                    return (question, .lastVisited)
                }
            ),
        ]
    }

    private func questions(
        _ deployment: Deployment, _ generator: TrafficGenerator, _ report: inout BenchReport
    ) async throws(BenchError) {
        let search = Search(deployment)
        let count = Int(arguments.requiredInteger("questions"))
        var all: [Duration] = []
        for (name, make) in kinds(generator) {
            var random = SplitMix64(seed: 9)
            var spans: [Duration] = []
            var found: Int64 = 0
            for _ in 0..<count {
                do {
                    let (question, order) = try make(&random)
                    let began = loopNow()
                    let answer = try await search.answer(question, by: order, count: 20)
                    spans.append(loopNow() - began)
                    guard answer.missing.isEmpty else {
                        throw BenchError(message: answer.missing[0])
                    }
                    found += answer.total
                } catch let error as BenchError {
                    throw error
                } catch {
                    throw BenchError(message: "\(error)")
                }
            }
            all += spans
            add(
                name, spans, "\(NumberText.grouped(found / Int64(count))) found on average", &report
            )
        }
        add("all questions", all, "50 ms or less is the aim", &report)
    }

    private func add(
        _ name: String, _ spans: [Duration], _ remark: String, _ report: inout BenchReport
    ) {
        let sorted = spans.sorted().map {
            Double($0.components.seconds) * 1e3 + Double($0.components.attoseconds) / 1e15
        }
        let last = sorted[min(sorted.count - 1, sorted.count * 95 / 100)]
        report.add(name, sorted[sorted.count / 2], "ms", "median; \(remark)")
        report.add(name + ", p95", last, "ms")
    }
}

/// Five thousand words, some of which are in every third title and most in a few.
private struct Vocabulary: Sendable {
    private let words: [String]

    init() {
        var random = SplitMix64(seed: 3)
        let syllables = ["ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te"]
        words = (0..<5_000).map { _ in
            (0..<Int.random(in: 2...4, using: &random)).map { _ in
                syllables[Int.random(in: 0..<syllables.count, using: &random)]
            }.joined()
        }
    }

    /// The smaller the place, the likelier, as in a language.
    func word(_ random: inout SplitMix64) -> String {
        let draw = Double.random(in: 0..<1, using: &random)
        return words[Int(Double(words.count) * draw * draw * draw)]
    }

    func title(_ count: Int, _ random: inout SplitMix64) -> String {
        (0..<count).map { _ in word(&random) }.joined(separator: " ")
    }
}
