import CoordinatorCore
import Foundation
import Glibc
import Testing

/// A deployment in an emptied cluster, and the program that works on it.
struct Stage: Sendable {
    let cluster: TestCluster

    /// The shared cluster, emptied.
    static func fresh() async throws -> Stage {
        let stage = Stage(cluster: try await TestCluster.shared.value)
        try stage.cluster.flush()
        return stage
    }

    // MARK: Programs

    func start(
        _ words: [String], input: String? = nil, environment: [String: String] = [:]
    ) throws -> Child {
        // Several nodes run on one machine: those that are asked over HTTP say where. Nodes that
        // join get shards at once; the test of a rolling restart says otherwise.
        let common = cluster.environment.merging([
            "COORDINATOR_HTTP": "off", "COORDINATOR_JOIN_DELAY": "0s",
        ]) { $1 }
        return try Child(
            [Package.program] + words, environment: common.merging(environment) { $1 },
            input: input)
    }

    /// Runs one command to its end.
    func run(
        _ words: [String], input: String? = nil, environment: [String: String] = [:],
        within limit: Duration = .seconds(180)
    ) async throws -> Child.Finished {
        try await start(words, input: input, environment: environment).finish(within: limit)
    }

    /// Runs one command that has to succeed.
    @discardableResult
    func must(
        _ words: [String], input: String? = nil, environment: [String: String] = [:],
        within limit: Duration = .seconds(180)
    ) async throws -> Child.Finished {
        let finished = try await run(
            words, input: input, environment: environment, within: limit)
        guard finished.code == 0 else {
            throw Trouble("\(words.joined(separator: " ")): \(finished.code) \(finished.errors)")
        }
        return finished
    }

    func initialise(_ words: [String]) async throws {
        let sites = try Scratch.file("sites.json", Array(Truth.sites.utf8))
        try await must(["init", "--sites", sites] + words)
    }

    func node(_ words: [String] = []) throws -> RunningNode {
        RunningNode(child: try start(["run", "--lease", "500ms"] + words))
    }

    /// Imports files that have to be taken.
    func importFiles(_ paths: String...) async throws {
        try await must(["import", "-q"] + paths, within: .seconds(120 + Traffic.events / 100))
    }

    /// Until everything is counted and merged.
    func wait() async throws {
        // A debug build on two busy cores counts some hundreds of events a second.
        let seconds = 120 + Traffic.events / 100
        try await must(
            ["wait", "-q", "--timeout", "\(seconds)s"], within: .seconds(seconds + 20))
    }

    // MARK: Figures

    /// Every window, in a file.
    func export() async throws -> String {
        let child = try start(["export", "-o", "ndjson"])
        let finished = try await child.finish(within: .seconds(300))
        guard finished.code == 0 else { throw Trouble("export: \(finished.errors)") }
        return child.outputFile
    }

    /// The digest of all windows with their figures.
    func digest() async throws -> String { try await Truth.digest(export()) }

    /// Compares every window with the truth.
    @discardableResult
    func expectTruth(
        _ files: [String], _ options: [String] = [], location: SourceLocation = #_sourceLocation
    ) async throws -> Truth.Verdict {
        let verdict = try await Truth.compare(export(), files, options)
        #expect(verdict.agrees, "\(verdict.text)", sourceLocation: location)
        return verdict
    }

    /// The ledgers of all sources.
    func ledgers() async throws -> [Ledger] {
        let text = try await must(["sources", "-o", "json"]).output
        return try JSONDecoder().decode([Ledger].self, from: Data(text.utf8))
    }

    /// The sum of all ledgers, checked: read = counted + refused.
    func ledger(location: SourceLocation = #_sourceLocation) async throws -> Ledger {
        var sum = Ledger(key: "all", read: .init(0), counted: .init(0), refused: [:])
        for ledger in try await ledgers() {
            #expect(ledger.isBalanced, "\(ledger)", sourceLocation: location)
            sum.read.value += ledger.read.value
            sum.counted.value += ledger.counted.value
            sum.refused.merge(ledger.refused) { .init($0.value + $1.value) }
        }
        return sum
    }
}

/// What became of the entries of a source.
struct Ledger: Decodable, Equatable {
    let key: String
    var read: Count
    var counted: Count
    var refused: [String: Count]

    /// A number, which JSON may show as a string.
    struct Count: Decodable, Equatable, CustomStringConvertible {
        var value: Int

        init(_ value: Int) { self.value = value }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self), let number = Int(text) {
                value = number
            } else {
                value = try container.decode(Int.self)
            }
        }

        var description: String { "\(value)" }
    }

    var refusedCount: Int { refused.values.reduce(0) { $0 + $1.value } }
    var isBalanced: Bool { read.value == counted.value + refusedCount }
}

/// A node that was started.
struct RunningNode: Sendable {
    let child: Child

    /// The port on which it answers for `http` or `admin`; it was started with port 0.
    func port(_ purpose: String = "http") async throws -> Int {
        var port: Int?
        try await eventually("the node listens for \(purpose)", within: .seconds(20)) {
            let lines = child.errors.split(separator: "\n")
            let line = lines.first { $0.contains("event=listening for=\(purpose) ") }
            port = line.flatMap { Int($0.split(separator: ":").last ?? "") }
            return port != nil
        }
        guard let port else { throw Trouble("no port") }
        return port
    }

    /// Ends it as an operator does, and expects it to end well.
    func terminate(location: SourceLocation = #_sourceLocation) async throws {
        child.send(SIGTERM)
        let finished = try await child.finish(within: .seconds(30))
        #expect(finished.code == 0, "\(finished.errors.suffix(2_000))", sourceLocation: location)
    }

    /// Ends it as a crash does.
    func kill() async throws {
        child.send(SIGKILL)
        _ = try await child.finish(within: .seconds(30))
    }
}

extension Stage {
    /// Nothing is wrong by the program's own audit.
    func expectSound(location: SourceLocation = #_sourceLocation) async throws {
        let finished = try await run(["audit", "-q"])
        #expect(
            finished.code == 0, "audit: \(finished.output)\(finished.errors)",
            sourceLocation: location)
    }
}
