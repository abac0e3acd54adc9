import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension ServerSuites {
    /// All nodes are replaced, one by one, as an orchestrator does it that starts a node before it
    /// ends one.
    @Suite("Rolling restart", .serialized)
    struct RollingRestartTests {
        private struct Entry: Decodable {
            let at: String
            let kind: String
            let reason: String
        }

        private struct Shard: Decodable {
            let shard: Int
            let node: String?
            let token: String?
        }

        /// Page views, ten a second, until they are enough.
        private static func feed(_ stage: Stage, until isOver: @Sendable () -> Bool) async throws
            -> Int
        {
            let wire = try RedisWire(try stage.cluster.port(of: RedisKeys.defaultSource))
            var sent = 0
            while !isOver() {
                try wire.call(
                    "XADD", RedisKeys.defaultSource, "*", "url", "http://www.rtl.lu/a/\(sent % 9)",
                    "uui", "d\(sent)")
                sent += 1
                try await Task.sleep(for: .milliseconds(100))
            }
            return sent
        }

        private final class Flag: @unchecked Sendable {
            private let lock = NSLock()
            private var isSet = false

            var value: Bool { lock.withLock { isSet } }
            func set() { lock.withLock { isSet = true } }
        }

        private static func history(_ stage: Stage) async throws -> [Entry] {
            let output = try await stage.must(["history", "-n", "10000", "-o", "json"]).output
            return try JSONDecoder().decode([Entry].self, from: Data(output.utf8))
        }

        /// Until another window is merged in all shards.
        private static func nextRun(_ stage: Stage) async throws {
            func runs() async throws -> Int {
                try await history(stage).count { $0.kind == "run" }
            }
            let before = try await runs()
            try await eventually("a window is merged") { try await runs() > before }
        }

        private static func shards(_ stage: Stage) async throws -> [Shard] {
            let output = try await stage.must(["shards", "-o", "json"]).output
            return try JSONDecoder().decode([Shard].self, from: Data(output.utf8))
        }

        private static func start(_ stage: Stage, _ name: String) throws -> RunningNode {
            try stage.node([
                "--node-name", name, "--http", "127.0.0.1:0", "--join-delay", "4s",
            ])
        }

        private static func answers(_ node: RunningNode, _ path: String, _ status: Int) async throws
        {
            let port = try await node.port()
            try await eventually("\(path) is \(status)", within: .seconds(20)) {
                try HTTPWire.ask(port, "GET \(path)").status == status
            }
        }

        private static func shared(_ stage: Stage, _ names: [String]) async throws {
            try await eventually("\(names) share the shards", within: .seconds(30)) {
                let owners = try await shards(stage).map { $0.node?.prefix { $0 != "/" } ?? "-" }
                let counts = Dictionary(owners.map { (String($0), 1) }, uniquingKeysWith: +)
                return Set(counts.keys) == Set(names) && counts.values.allSatisfy { $0 >= 21 }
            }
        }

        @Test(
            "each shard moves once, no window is late, nothing is an error",
            .timeLimit(.minutes(3)))
        func rolling() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--tiers", "1s,2s/1m,4s/2m", "--grace", "1s"])
            var old: [RunningNode] = []
            for name in ["a", "b", "c"] { old.append(try Self.start(stage, name)) }
            // Nodes that began together do not wait for one another.
            try await Self.shared(stage, ["a", "b", "c"])
            let isOver = Flag()
            async let sent = Self.feed(stage) { isOver.value }
            try await Self.nextRun(stage)
            // Now they are older than the delay of those that join.
            try await Task.sleep(for: .seconds(4))

            let before = try await Self.shards(stage)
            let known = try await Self.history(stage).count
            let leader = old.firstIndex { (try? Self.leads($0)) ?? false }
            // The leader goes first: then readiness cannot wait for it either.
            old.swapAt(0, try #require(leader))
            var new: [RunningNode] = []
            for (number, gone) in old.enumerated() {
                let node = try Self.start(stage, "new\(number)")
                new.append(node)
                try await Self.answers(node, "/readyz", 200)
                try await gone.terminate()
                try await Self.nextRun(stage)
            }
            try await Self.shared(stage, ["new0", "new1", "new2"])
            // Nothing moves afterwards either, when nobody is new any more.
            try await Task.sleep(for: .seconds(5))
            isOver.set()
            let count = try await sent

            let after = try await Self.shards(stage)
            let entries = try await Self.history(stage).dropFirst(known)
            let maps = entries.filter { $0.kind == "map" }
            let moved = maps.reduce(0) { $0 + (Int($1.reason.prefix { $0.isNumber }) ?? 64) }
            #expect(moved == 64, "\(maps.map(\.reason))")
            #expect(maps.count == 3, "\(maps.map(\.reason))")
            #expect(zip(before, after).allSatisfy { $0.token != $1.token })
            try Self.expectInTime(Array(entries))
            for node in old + new {
                let log = node.child.errors
                #expect(!log.contains("level=error"), "\(log)")
            }
            try await stage.wait()
            #expect(try await stage.ledger().counted.value == count)
            try await stage.expectSound()
            for node in new { try await node.terminate() }
        }

        private static func leads(_ node: RunningNode) throws -> Bool {
            let lines = node.child.errors.split(separator: "\n")
            let last = lines.last {
                $0.contains("event=elected") || $0.contains("event=stepped-down")
            }
            return last?.contains("event=elected") ?? false
        }

        /// Windows are reported within a few heartbeats of the moment they were due, on a machine
        /// that runs other tests, too.
        private static func expectInTime(_ entries: [Entry]) throws {
            let runs = entries.filter { $0.kind == "run" }
            #expect(runs.count > 5, "\(entries)")
            for run in runs {
                let words = run.reason.split(separator: " ")
                let end = try #require(words.firstIndex(of: "to").map { words[$0 + 1].dropLast() })
                let due = try #require(Self.date(String(end))) + 1
                let at = try #require(Self.date(run.at))
                #expect(at.timeIntervalSince(due) < 4, "\(run)")
            }
        }

        private static func date(_ text: String) -> Date? {
            (try? Date(
                text, strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true)
            ))
                ?? (try? Date(text, strategy: .iso8601))
        }
    }
}
