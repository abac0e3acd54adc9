import CoordinatorCore
import Foundation
import Glibc
import Testing

extension ServerSuites {
    /// What operators ask of a deployment that works: shards, the lead and tiers do what was said,
    /// a rehearsal changes nothing, and all of it is in the history.
    @Suite("Operations", .serialized)
    struct OperationTests {
        private static let usage: Int32 = 64
        private static let names = ["n1", "n2", "n3"]

        private struct Listed: Decodable {
            let node: String
            let state: String
            let role: String
            let shards: Int

            var name: String { String(node.prefix { $0 != "/" }) }
        }

        private struct Entry: Decodable {
            let at: String
            let kind: String
            let node: String?
            let term: String?
            let mapVersion: String?
            let reason: String
        }

        private struct Place: Decodable {
            let tier: String
            let sealedTo: Int64?
        }

        private struct Leader: Decodable {
            let node: String
            let term: String
        }

        /// Three nodes that share all shards.
        private struct Scene {
            let stage: Stage
            let options: [String]
            var nodes: [RunningNode] = []

            init(_ options: [String] = []) async throws {
                stage = try await Stage.fresh()
                self.options = options
                try await stage.initialise(["--tiers", "1s,5s/1m,10s/2m", "--grace", "1s"])
                for name in names { nodes.append(try start(name)) }
                try await shared([22, 21, 21])
            }

            func start(_ name: String) throws -> RunningNode {
                try stage.node(["--node-name", name] + options)
            }

            func read<Value: Decodable>(_ line: String, as: Value.Type) async throws -> Value {
                let words = line.split(separator: " ").map(String.init)
                let output = try await stage.must(words + ["-o", "json"]).output
                return try JSONDecoder().decode(Value.self, from: Data(output.utf8))
            }

            func listed() async throws -> [Listed] { try await read("nodes", as: [Listed].self) }

            /// Until so many nodes that are there have so many shards each, in any order.
            func shared(_ counts: [Int]) async throws {
                try await eventually("shards are shared \(counts)") {
                    let live = try await listed().filter { $0.state != "lost" }
                    return live.map(\.shards).sorted(by: >) == counts
                }
            }

            func orders() async throws -> [Entry] {
                try await read("history -n 1000", as: [Entry].self).filter { $0.kind == "order" }
            }

            /// Runs a line that has to change something: rehearsed, refused without a yes, done.
            func ask(_ line: String) async throws {
                let words = line.split(separator: " ").map(String.init)
                let before = try await orders().count
                let rehearsal = try await stage.must(words + ["--dry-run"])
                #expect(rehearsal.errors.hasPrefix("would "), "\(line): \(rehearsal.errors)")
                let unsure = try await stage.run(words)
                #expect(unsure.code == usage && unsure.errors.contains("--yes"), "\(line)")
                #expect(try await orders().count == before, "\(line)")
                let done = try await stage.must(words + ["--yes"])
                #expect(!done.errors.contains("no change"), "\(line): \(done.errors)")
                #expect(try await orders().count == before + 1, "\(line)")
            }

            /// Runs a line that must change nothing any more.
            func again(_ line: String) async throws {
                let words = line.split(separator: " ").map(String.init)
                let before = try await orders().count
                let done = try await stage.must(words + ["--yes"])
                #expect(done.errors.hasPrefix("no change"), "\(line): \(done.errors)")
                #expect(try await orders().count == before, "\(line)")
            }

            func end() async throws {
                for node in nodes { try await node.terminate() }
            }
        }

        @Test("a node is drained of all shards, and filled again")
        func drain() async throws {
            let scene = try await Scene()
            try await scene.ask("drain n2")
            try await scene.shared([32, 32, 0])
            let drained = try #require(try await scene.listed().first { $0.name == "n2" })
            #expect(drained.state == "draining" && drained.shards == 0)
            try await scene.again("drain n2")
            try await scene.again("drain \(drained.node)")
            try await scene.ask("drain n2 --undo")
            try await scene.shared([22, 21, 21])
            try await scene.again("drain n2 --undo")
            let reasons = try await scene.orders().map(\.reason)
            #expect(reasons == ["asked to drain", "asked to take shards again"])
            let unknown = try await scene.stage.run(["drain", "n9", "--yes"])
            #expect(unknown.code == Self.usage)
            #expect(unknown.errors.contains("n1, n2, n3"), "\(unknown.errors)")
            try await scene.end()
        }

        @Test("the lead goes to another node, and only the term that was read ends")
        func stepDown() async throws {
            let scene = try await Scene()
            let before = try await scene.read("leader", as: Leader.self)
            try await scene.ask("step-down")
            try await eventually("another node leads") {
                let found = try await scene.stage.run(["leader", "-o", "name"])
                return found.code == 0 && !found.output.hasPrefix(before.node)
            }
            let kinds = try await scene.read("history -n 1000", as: [Entry].self).filter {
                $0.term == before.term && $0.kind != "run"
            }.map(\.kind)
            #expect(kinds.contains("order") && kinds.last == "stepped-down", "\(kinds)")
            try await scene.shared([22, 21, 21])
            try await scene.end()
        }

        @Test("a paused tier is sealed no further, and catches up when it is resumed")
        func pause() async throws {
            let scene = try await Scene()
            func place(_ tier: String) async throws -> Int64 {
                let places = try await scene.read("tiers", as: [Place].self)
                return places.first { $0.tier == tier }?.sealedTo ?? 0
            }
            try await eventually("windows are sealed") { try await place("5SECONDS") > 0 }
            try await scene.ask("pause 5SECONDS")
            try await scene.again("pause 5s")
            let held = try await place("5SECONDS")
            try await eventually("three windows are due") {
                try await place("1SECOND") > held + 16_000
            }
            // A window that was under way when it was paused may be finished.
            let paused = try await place("5SECONDS")
            #expect(paused <= held + 5_000)
            let status = try await scene.stage.must(["status"]).output
            #expect(status.contains("5SECONDS is paused"), "\(status)")
            try await scene.ask("resume 5SECONDS")
            try await eventually("it catches up") { try await place("5SECONDS") > held + 10_000 }
            try await scene.again("resume 5SECONDS")
            for (tier, word) in [("1s", "base"), ("7MINUTES", "10SECONDS"), ("x", "5SECONDS")] {
                let wrong = try await scene.stage.run(["pause", tier, "--yes"])
                #expect(wrong.code == Self.usage && wrong.errors.contains(word), "\(wrong.errors)")
            }
            #expect(
                try await scene.orders().map(\.reason) == ["5SECONDS paused", "5SECONDS resumed"])
            try await scene.end()
        }

        @Test("a node that was lost and is held back gets its shards at once")
        func rebalance() async throws {
            var scene = try await Scene(["--hold-down", "10m"])
            try await scene.again("rebalance")
            try await scene.nodes[2].kill()
            try await scene.shared([32, 32])
            scene.nodes[2] = try scene.start("n3")
            try await scene.shared([32, 32, 0])
            try await scene.ask("rebalance")
            try await scene.shared([22, 21, 21])
            try await scene.again("rebalance")
            #expect(try await scene.orders().map(\.reason) == ["asked for balance at once"])
            try await scene.end()
        }

        @Test("nodes, shards, leader and history fit 80 columns, and have their fields")
        func shapes() async throws {
            let scene = try await Scene()
            try await eventually("a run is done") {
                try await scene.read("history -n 50", as: [Entry].self).contains {
                    $0.kind == "run"
                }
            }
            for line in ["status", "nodes", "shards", "leader", "history -n 50"] {
                let words = line.split(separator: " ").map(String.init)
                let table = try await scene.stage.must(words).output
                let longest = table.split(separator: "\n").map(\.count).max() ?? 0
                #expect(longest <= 80, "\(line):\n\(table)")
            }
            let strip = try await scene.stage.must(["status"]).output
            let owners = strip.split(separator: "\n").first { $0.count == 64 }
            #expect(owners.map { Set($0) } == ["a", "b", "c"], "\(strip)")
            let history = try await scene.read("history", as: [Entry].self)
            #expect(history.map(\.at) == history.map(\.at).sorted())
            let run = try #require(history.last { $0.kind == "run" })
            #expect(run.reason.contains(" up to 20") && run.reason.contains("Z: "), "\(run)")
            let one = try await scene.read("history -n 1", as: [Entry].self)
            #expect(one.count == 1)
            try await scene.end()
        }

        private struct Status: Decodable {
            struct Master: Decodable {
                let shards: Int
                let answered: Int
            }

            struct ShardMap: Decodable {
                let strip: String
                let owned: Int
                let orphaned: [Int]
                let masters: [Master]
            }

            let partial: Bool
            let shardMap: ShardMap
        }

        @Test("the status says what it can without nodes, without a master, without the control's")
        func partial() async throws {
            let scene = try await Scene()
            let control = try scene.stage.cluster.port(of: RedisKeys.settings)
            let masters = scene.stage.cluster.masters
            let other = try #require(masters.first { $0.port != control })
            let silent = try await status(scene, without: other.pid)
            #expect(silent.code == 6, "\(silent.errors)")
            let status = try JSONDecoder().decode(Status.self, from: Data(silent.output.utf8))
            let unknown = status.shardMap.strip.count { $0 == "?" }
            #expect(status.partial && unknown > 0 && unknown + status.shardMap.owned == 64)
            #expect(status.shardMap.masters.count { $0.answered == 0 } == 1)
            #expect(silent.errors.contains("127.0.0.1:\(other.spokenPort)"), "\(silent.errors)")

            let first = try #require(masters.first { $0.port == control })
            let away = try await self.status(scene, without: first.pid)
            #expect(
                away.code == 2 && away.errors.contains(":\(first.spokenPort)"), "\(away.errors)")

            for node in scene.nodes { try await node.kill() }
            try await eventually("all nodes are lost") {
                try await scene.listed().allSatisfy { $0.state == "lost" }
            }
            let output = try await scene.stage.must(["status", "-o", "json"]).output
            let lonely = try JSONDecoder().decode(Status.self, from: Data(output.utf8))
            #expect(lonely.shardMap.strip == String(repeating: "!", count: 64))
            #expect(lonely.shardMap.orphaned.count == 64 && !lonely.partial)
            try await scene.again("step-down")
        }

        /// The status while one server hangs.
        private func status(_ scene: Scene, without pid: pid_t) async throws -> Child.Finished {
            kill(pid, SIGSTOP)
            defer { kill(pid, SIGCONT) }
            return try await scene.stage.run(["status", "-o", "json", "--timeout", "1s"])
        }
    }
}
