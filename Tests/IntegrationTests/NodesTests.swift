import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension ServerSuites {
    /// Several real nodes: who leads, who owns what, and what happens when one of them goes.
    @Suite("Many nodes", .serialized)
    struct NodesTests {
        /// Takes effect within a lease of 500 ms and a time to live of 1 s; the rest is a busy
        /// machine's.
        private static let limit: Duration = .seconds(20)

        private struct Status: Decodable {
            struct Leader: Decodable {
                let node: String
                let term: String
            }

            struct Node: Decodable {
                let node: String
                let state: String
                let shards: Int
            }

            struct Map: Decodable {
                let owned: Int
                let orphaned: [Int]
                let moving: [Int]
            }

            let leader: Leader?
            let nodes: [Node]
            let shardMap: Map

            var ready: [Node] { nodes.filter { $0.state == "ready" } }
        }

        private static func status(_ stage: Stage) async throws -> Status {
            let finished = try await stage.run(["status", "-o", "json"])
            guard finished.code == 0 else { throw Trouble("status: \(finished.errors)") }
            return try JSONDecoder().decode(Status.self, from: Data(finished.output.utf8))
        }

        /// Until this many nodes own all shards, each its part.
        @discardableResult
        private static func settled(_ stage: Stage, _ count: Int) async throws -> Status {
            var last: Status?
            do {
                try await eventually("\(count) nodes own all shards", within: limit) {
                    let status = try await status(stage)
                    last = status
                    let shares = status.ready.map(\.shards)
                    return status.leader != nil && status.shardMap.owned == 64
                        && shares.count == count && shares.allSatisfy { $0 >= 64 / count }
                }
            } catch {
                throw Trouble("\(error): \(String(describing: last))")
            }
            guard let last else { throw Trouble("no status") }
            return last
        }

        private static func node(_ stage: Stage, _ name: String) throws -> RunningNode {
            try stage.node(["--node-name", name])
        }

        private static func start(
            _ stage: Stage, _ names: String...
        ) throws -> [String: RunningNode] {
            var nodes: [String: RunningNode] = [:]
            for name in names { nodes[name] = try node(stage, name) }
            return nodes
        }

        @Test("three nodes share the shards; whoever is killed, the others have them all")
        func killed() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            var nodes = try Self.start(stage, "a", "b", "c")
            for round in 0..<4 {
                let status = try await Self.settled(stage, 3)
                let leader = try #require(status.leader)
                let name = String(leader.node.prefix { $0 != "/" })
                try await nodes[name]?.kill()
                let after = try await Self.settled(stage, 2)
                let next = try #require(after.leader)
                #expect(next.node != leader.node, "round \(round)")
                #expect(next.term > leader.term, "round \(round)")
                #expect(after.shardMap.orphaned.isEmpty)
                nodes[name] = try Self.node(stage, name)
            }
            try await Self.settled(stage, 3)
            for node in nodes.values { try await node.terminate() }
            let kinds = try await Self.kinds(stage)
            #expect(kinds.isSuperset(of: ["joined", "left", "elected", "expired", "map"]))
        }

        @Test("a leader that is asked to stop leaves at once, and another one leads")
        func stopped() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            var nodes = try Self.start(stage, "a", "b")
            let first = try await Self.settled(stage, 2)
            let before = try #require(first.leader)
            let name = String(before.node.prefix { $0 != "/" })
            let found = nodes.removeValue(forKey: name)
            let leader = try #require(found)
            try await leader.terminate()
            let log = leader.child.errors
            #expect(log.contains("event=stepped-down") && log.contains("event=stopped"))
            #expect(!log.contains("event=ended"), "it did not wait for the drain's end: \(log)")
            let after = try await Self.settled(stage, 1)
            #expect(after.leader?.node != before.node)
            #expect(after.nodes.count == 1, "who stops in an orderly way is not on the list")
            for node in nodes.values { try await node.terminate() }
        }

        @Test(
            "a lease that is lost at any moment is followed by another term",
            .timeLimit(.minutes(4)))
        func lostLease() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let node = try Self.node(stage, "only")
            var random = SplitMix64(seed: 11)
            for round in 1...12 {
                try await eventually("term \(round)", within: Self.limit) {
                    #expect(node.child.code == nil, "\(node.child.errors.suffix(2_000))")
                    return Self.count("event=elected", in: node.child.errors) >= round
                }
                // While readers begin, claims are under way, or everything stands.
                let pause = Int.random(in: 0...120, using: &random)
                try await ContinuousClock().sleep(for: .milliseconds(pause))
                try stage.cluster.wire(of: RedisKeys.lease).call("DEL", RedisKeys.lease)
            }
            try await Self.settled(stage, 1)
            try await node.terminate()
        }

        @Test("a node started twice under one name: the newer one stays, the older one says why")
        func superseded() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let older = try Self.node(stage, "twin")
            try await Self.settled(stage, 1)
            let newer = try Self.node(stage, "twin")
            let finished = try await older.child.finish(within: .seconds(30))
            #expect(finished.code == 1, "\(finished.errors)")
            #expect(finished.errors.contains("newer start of the same name"), "\(finished.errors)")
            try await Self.settled(stage, 1)
            try await newer.terminate()
        }

        @Test("a node whose place the late word of a dead start took has it back")
        func lateWord() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let node = try Self.node(stage, "one")
            let before = try await Self.settled(stage, 1)
            // As its first heartbeat writes it, and nothing after it.
            let wire = try stage.cluster.wire(of: RedisKeys.nodes)
            let now = try wire.clock()
            try Self.record(
                wire, "one", "\(now) \(now + 1_000) 00000000000000ff 1",
                #"{"node":"one/000000ff","host":"h","version":"0","role":"follower","shards":0}"#)
            try await eventually("it notices", within: Self.limit) {
                node.child.errors.contains("event=superseded")
            }
            let after = try await Self.settled(stage, 1)
            #expect(after.ready.map(\.node) == before.ready.map(\.node))
            try await node.terminate()
        }

        @Test("nodes of an older and a newer version take part; an unreadable record harms nobody")
        func versions() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let node = try Self.node(stage, "new")
            try await Self.settled(stage, 1)
            let wire = try stage.cluster.wire(of: RedisKeys.nodes)
            // What is not said has a default, what is not known is left alone.
            let common = #""host":"h","role":"follower","shards":0"#
            let older = #"{"node":"old/000000aa","version":"0.0.9","# + common + "}"
            let newer =
                #"{"node":"newer/000000bb","version":"9","state":"ready","ttl":3000,"# + common
                + #","zone":{"name":"x"},"progress":{"9YEARS":{"sealedTo":1,"doneTo":1}}}"#
            try await eventually("all three own shards", within: Self.limit) {
                let now = try wire.clock()
                try Self.record(wire, "old", "\(now) 1 00000000000000aa 0", older)
                try Self.record(wire, "newer", "\(now) 1 00000000000000bb 0", newer)
                try Self.record(wire, "riddle", "\(now) 1 00000000000000cc 0", "no JSON")
                let shards = try await stage.must(["shards", "-o", "json"]).output
                return shards.contains("old/000000aa") && shards.contains("newer/000000bb")
            }
            #expect(node.child.errors.contains("record of node riddle cannot be read"))
            let status = try await stage.must(["status", "-o", "json"]).output
            #expect(status.contains("node riddle is of a version"))
            let listed = try await stage.must(["nodes", "-o", "json"]).output
            #expect(listed.contains("0.0.9"))
            #expect(!listed.contains("riddle"))
            try await node.terminate()
        }

        @Test("a lease without end, and one that is none, end like any other")
        func wildLease() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let node = try Self.node(stage, "one")
            try await Self.settled(stage, 1)
            for value in ["not a lease", ""] {
                let terms = Self.count("event=elected", in: node.child.errors)
                _ = try stage.cluster.wire(of: RedisKeys.lease).call(
                    "SET", RedisKeys.lease, value)
                try await eventually("another term", within: Self.limit) {
                    Self.count("event=elected", in: node.child.errors) > terms
                }
            }
            try await node.terminate()
        }

        @Test("records of nodes and sources that no version wrote end nobody")
        func wildRecords() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let node = try Self.node(stage, "one")
            try await Self.settled(stage, 1)
            let wire = try stage.cluster.wire(of: RedisKeys.nodes)
            func record(_ shards: String) -> String {
                #"{"node":"x/000000aa","host":"h","version":"9","role":"follower","shards":"#
                    + shards + "}"
            }
            let most = String(Int64.max)
            for (header, statement) in [
                ("\(Int64.min) 1 ff 0", record("0")), ("\(most) 1 ff 0", record("0")),
                ("1 \(most) ff 0", record("0")), ("1 1 ff 0", record("0")), ("", ""),
                ("1 1 ff 0", record(most)),
            ] {
                // Under another name, too: two records of one node.
                try Self.record(wire, "x", header, statement)
                try Self.record(wire, "y", header, statement)
                try await ContinuousClock().sleep(for: .milliseconds(400))
                _ = try await stage.must(["nodes"])
                _ = try await stage.must(["rebalance", "--dry-run"])
            }
            let source = #"{"key":"ST:NEW::::","kind":"from a newer version"}"#
            _ = try wire.call("HSET", RedisKeys.sources, "ST:NEW::::", source)
            try await eventually("it says so", within: Self.limit) {
                node.child.errors.contains("record of source ST:NEW:::: cannot be read")
            }
            let status = try await stage.must(["status", "-o", "json"]).output
            #expect(status.contains("source ST:NEW:::: is of a version"))
            #expect(node.child.code == nil)
            try await node.terminate()
        }

        private static func record(
            _ wire: RedisWire, _ name: String, _ header: String, _ statement: String
        ) throws {
            _ = try wire.call("HSET", RedisKeys.nodes, name, "\(header) \(statement)")
        }

        @Test("a paused owner that wakes after it was replaced changes nothing and steps back")
        func paused() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "oldest", "--grace", "1s"])
            let nodes = try Self.start(stage, "a", "b")
            let first = try await Self.settled(stage, 2)
            let before = try #require(first.leader)
            let name = String(before.node.prefix { $0 != "/" })
            let leader = try #require(nodes[name])
            // Counted and rotated by both while one of them sleeps and wakes.
            let file = try Traffic.file(Traffic.lines(Traffic.options(4_000)))
            let load = try stage.start(["import", "-q", file])
            leader.child.send(SIGSTOP)
            let during = try await Self.settled(stage, 1)
            #expect(during.leader?.node != before.node)
            leader.child.send(SIGCONT)
            try await eventually("the woken leader steps down", within: Self.limit) {
                leader.child.errors.contains("event=stepped-down")
            }
            try await Self.settled(stage, 2)
            #expect(try await load.finish().code == 0)
            try await stage.wait()
            try await stage.expectTruth([file])
            try await stage.expectSound()
            for node in nodes.values { try await node.terminate() }
        }

        @Test("elections and maps leave no keys behind")
        func bounded() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let first = try Self.node(stage, "a")
            try await Self.settled(stage, 1)
            func keys() throws -> Int {
                try stage.cluster.servers.filter { $0.role == "master" }.reduce(0) { sum, server in
                    sum + Int(try RedisWire(server.port).call("DBSIZE").int ?? 0)
                }
            }
            try await eventually("the leader wrote down how far the runs are") {
                try stage.cluster.wire(of: RedisKeys.runs).call("EXISTS", RedisKeys.runs).int == 1
            }
            let before = try keys()
            for _ in 0..<5 {
                let second = try Self.node(stage, "b")
                try await Self.settled(stage, 2)
                try await second.terminate()
                try await Self.settled(stage, 1)
            }
            #expect(try keys() == before)
            try await first.terminate()
        }

        private static func kinds(_ stage: Stage) async throws -> Set<String> {
            let wire = try stage.cluster.wire(of: RedisKeys.audit)
            let entries = try wire.call("XRANGE", RedisKeys.audit, "-", "+").items ?? []
            return Set(
                entries.compactMap { entry in
                    guard let fields = entry.items?.last?.items else { return nil }
                    let place = fields.firstIndex { $0.text == "kind" }
                    return place.flatMap { fields[$0 + 1].text }
                })
        }

        private static func count(_ text: String, in log: String) -> Int {
            log.split(separator: "\n").count { $0.contains(text) }
        }
    }
}
