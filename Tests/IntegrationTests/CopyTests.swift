import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension ServerSuites {
    /// A tracker's stream of another deployment, copied: once, whatever dies, at the times that its
    /// entries have there.
    @Suite("Copies", .serialized)
    struct CopyTests {
        private static let usage: Int32 = 64
        private static let configuration: Int32 = 78
        private static let stream = "ST:TRACKER::::"

        private func begin() async throws -> (Stage, RunningNode) {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "now"])
            return (stage, try stage.node())
        }

        /// Adds views with ids of our making, from `first` on, one each 10 ms.
        private func add(
            _ count: Int, from first: Int64, _ wire: RedisWire, behind others: Int = 0
        ) throws {
            try wire.pipeline(
                (others..<others + count).map { number in
                    [
                        "XADD", Self.stream, "\(first + Int64(number) * 10)-7", "url",
                        "https://copied.example/a/b/\(number % 200)", "uui", "d\(number % 500)",
                        "ua", "a browser",
                    ].map { Array($0.utf8) }
                })
        }

        private struct Row: Decodable {
            let name: String?
            let window: Int64
            let pageviews: Int
        }

        /// Pageviews of the website by the minute that they are counted in.
        private func minutes(_ stage: Stage) async throws -> [Int64: Int] {
            let output = try await stage.must(
                ["export", "--dimension", "W", "--tier", "1MINUTE", "-o", "ndjson"]
            ).output
            var minutes: [Int64: Int] = [:]
            for line in output.split(separator: "\n") {
                let row = try JSONDecoder().decode(Row.self, from: Data(line.utf8))
                minutes[row.window, default: 0] += row.pageviews
            }
            return minutes
        }

        @Test(
            "a stream of a single Redis is copied once, though the copy is killed again and again",
            arguments: [UInt64.random(in: 1...1_000_000)])
        func killed(seed: UInt64) async throws {
            print("copies: the kills follow seed \(seed)")
            var random = SplitMix64(seed: seed)
            let count = 20_000
            let plain = try await TestCluster.plain.value
            let wire = try RedisWire(plain.servers[0].port)
            try wire.call("DEL", Self.stream)
            let first = try wire.clock() - 3_600_000
            try add(count, from: first, wire)
            let (stage, node) = try await begin()
            let copy = ["import", "-q", "--from-redis", plain.seeds]
            for _ in 0..<3 {
                let copying = try stage.start(copy)
                let before = try await copied(stage)
                let goal = before + Int.random(in: 1...6_000, using: &random)
                try await eventually("the copy has added something") {
                    if copying.code != nil { return true }
                    return try await copied(stage) >= goal
                }
                copying.send(SIGKILL)
                _ = try await copying.finish()
            }
            let both = try [stage.start(copy), stage.start(copy)]
            for copying in both {
                let finished = try await copying.finish()
                #expect(finished.code == 0, "\(finished.errors)")
            }
            let again = try await stage.must(copy + ["-o", "json"])
            #expect(again.output.contains("\"added\": 0"), "\(again.output)")
            try await stage.wait()
            let ledger = try await stage.ledger()
            #expect(ledger.read.value == count && ledger.counted.value == count, "\(ledger)")
            var expected: [Int64: Int] = [:]
            for number in 0..<count {
                let time = first + Int64(number) * 10
                expected[time - time % 60_000, default: 0] += 1
            }
            #expect(try await minutes(stage) == expected)
            #expect(try await stage.ledgers().count == 2, "a tracker's stream and one copy")
            try await stage.expectSound()
            try wire.call("DEL", Self.stream)
            try await node.terminate()
        }

        /// How many entries copies have ever written.
        private func copied(_ stage: Stage) async throws -> Int {
            var sum = 0
            for ledger in try await stage.ledgers() where ledger.key.hasPrefix("ST:COPY") {
                let info = try stage.cluster.wire(of: ledger.key).call(
                    "XINFO", "STREAM", ledger.key)
                sum += Int(info["entries-added"]?.int ?? 0)
            }
            return sum
        }

        @Test("a stream of a cluster is followed through broken connections until a signal")
        func followed() async throws {
            let other = try await TestCluster("other", ["--plain"])
            let (stage, node) = try await begin()
            let wire = try other.wire(of: Self.stream)
            let first = try wire.clock() - 600_000
            try add(1_000, from: first, wire)
            let following = try stage.start(
                ["import", "--from-redis", other.seeds, "--follow", "--timeout", "1s"])
            try await eventually("the backlog is copied") { try await copied(stage) == 1_000 }
            // The other side loses every connection, three times, and sleeps once.
            for round in 0..<3 {
                for server in other.servers {
                    try RedisWire(server.port).call("CLIENT", "KILL", "TYPE", "normal")
                }
                try add(
                    500, from: first + 20_000 * Int64(round + 1), try other.wire(of: Self.stream))
                try await eventually("what came is copied") {
                    try await copied(stage) == 1_500 + 500 * round
                }
            }
            for server in other.servers { kill(server.pid, SIGSTOP) }
            try await eventually("the copy says who is silent") {
                following.errors.contains("trying again")
            }
            for server in other.servers { kill(server.pid, SIGCONT) }
            try add(500, from: first + 100_000, try other.wire(of: Self.stream))
            try await eventually("the rest is copied") { try await copied(stage) == 3_000 }
            following.send(SIGTERM)
            let finished = try await following.finish(within: .seconds(30))
            #expect(finished.code == 0, "\(finished.errors)")
            #expect(finished.output.contains("3,000"), "\(finished.output)")
            try await stage.wait()
            let ledger = try await stage.ledger()
            #expect(ledger.read.value == 3_000 && ledger.counted.value == 3_000, "\(ledger)")
            try await stage.expectSound()
            try await node.terminate()
            try await other.stop()
        }

        @Test(
            "masters die, the copy is killed, its source cuts it off: each entry once",
            arguments: [UInt64.random(in: 1...1_000_000)])
        func failover(seed: UInt64) async throws {
            print("copies: the faults follow seed \(seed)")
            var random = SplitMix64(seed: seed)
            var count = 0
            let plain = try await TestCluster.plain.value
            let wire = try RedisWire(plain.servers[0].port)
            try wire.call("DEL", Self.stream)
            let cluster = try await TestCluster(
                "copies", ["--replicas", "1", "--node-timeout", "1000"])
            let stage = Stage(cluster: cluster)
            try await stage.initialise(["--start", "now"])
            let until = try wire.clock() / 1_000 * 1_000
            let first = until - 3_600_000
            var node = try stage.node()
            let copy = ["import", "--from-redis", plain.seeds, "--follow", "--timeout", "2s"]

            /// Goes on to somewhere in the middle of what is there.
            func more(_ copying: Child) async throws {
                let before = count
                try add(6_000, from: first, wire, behind: count)
                count += 6_000
                let goal = before + Int.random(in: 500...3_000, using: &random)
                let key = try await Self.copyKey(cluster)
                var there = 0
                try await eventually("the copy goes on") {
                    // Nobody answers during a failover.
                    guard let wire = try? cluster.wire(of: key) else { return false }
                    there = Int((try? wire.call("XLEN", key).int) ?? 0)
                    return there >= goal
                }
                #expect(copying.code == nil && there < count, "\(there) are copied already")
            }
            var copying = try stage.start(copy)
            try await more(copying)
            let key = try await Self.copyKey(cluster)
            // The master of the copy's own stream, with whatever its replica had not got yet.
            try await cluster.fail(try cluster.server(of: key))
            try await more(copying)
            try wire.call("CLIENT", "KILL", "TYPE", "normal")
            try await more(copying)
            copying.send(SIGKILL)
            _ = try await copying.finish()
            try await node.kill()
            node = try stage.node()
            copying = try stage.start(copy)
            try await more(copying)
            // Another one, which holds shards that the copy's entries are counted in.
            let gone = try cluster.server(of: key).port
            let other = try #require(
                cluster.masters.first { $0.port != gone && (try? RedisWire($0.port)) != nil })
            try await cluster.fail(other)
            let all = Int64(count)
            try await eventually("all is copied", within: .seconds(120)) {
                let wire = try? cluster.wire(of: key)
                return try wire?.call("XLEN", key).int == all
            }
            copying.send(SIGTERM)
            let finished = try await copying.finish(within: .seconds(30))
            #expect(finished.code == 0, "\(finished.errors)")
            try await stage.must(copy.filter { $0 != "--follow" } + ["-q"])
            try await stage.wait()
            let ledger = try await stage.ledger()
            #expect(ledger.read.value == count && ledger.counted.value == count, "\(ledger)")
            let file = try Self.copied(count, from: first)
            let verdict = try await stage.expectTruth([file], ["--until", "\(until)"])
            #expect(verdict.windows > 1_000, "\(verdict.text)")
            try await stage.expectSound()
            try await node.terminate()
            try await cluster.stop()
        }

        /// What `add` has added, for the independent count.
        private static func copied(_ count: Int, from first: Int64) throws -> String {
            let lines = (0..<count).map { number in
                #"{"url":"https://copied.example/a/b/\#(number % 200)","uui":"d\#(number % 500)","#
                    + #""dt":\#(first + Int64(number) * 10)}"# + "\n"
            }
            return try Scratch.file("copied.ndjson", Array(lines.joined().utf8))
        }

        /// The stream of the only copy, once there is one.
        private static func copyKey(_ cluster: TestCluster) async throws -> String {
            var found: String?
            try await eventually("the copy has begun") {
                for server in cluster.servers where found == nil {
                    let keys = try? RedisWire(server.port).call("KEYS", "ST:COPY*").items
                    found = keys?.first?.text
                }
                return found != nil
            }
            return try #require(found)
        }

        @Test("passwords in arguments, streams that are not there and one's own are refused")
        func wrong() async throws {
            let plain = try await TestCluster.plain.value
            let wire = try RedisWire(plain.servers[0].port)
            try wire.call("DEL", Self.stream)
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let copy = ["import", "--from-redis"]
            let secret = try await stage.run(copy + ["redis://user:hush@127.0.0.1:1"])
            #expect(secret.code == Self.configuration, "\(secret.errors)")
            #expect(secret.errors.contains("COORDINATOR_FROM_PASSWORD"), "\(secret.errors)")
            #expect(!secret.errors.contains("hush"))
            let absent = try await stage.run(copy + [plain.seeds, "--stream", "no:such"])
            #expect(absent.code == Self.usage && absent.errors.contains("no:such"))
            let own = try await stage.run(
                copy + [stage.cluster.seeds], environment: stage.cluster.asOther)
            #expect(own.code == Self.usage && own.errors.contains("own Redis"), "\(own.errors)")
            let nobody = try await stage.run(copy + ["127.0.0.1:1", "--timeout", "300ms"])
            #expect(nobody.code == 2 && nobody.errors.contains("127.0.0.1:1"), "\(nobody.errors)")
            for words in [
                ["--from-redis", "127.0.0.1:1", "file"], ["--follow"], ["--stream", "x", "file"],
                ["--from-redis", "127.0.0.1:1", "--host", "x"],
            ] {
                let finished = try await stage.run(["import"] + words)
                #expect(finished.code == Self.usage, "\(words): \(finished.errors)")
            }
            // The same Redis by another name would be counted twice.
            try add(10, from: 1_700_000_000_000, wire)
            let port = plain.servers[0].port
            try await stage.must(copy + ["127.0.0.1:\(port)"])
            let twin = try await stage.run(copy + ["localhost:\(port)"])
            #expect(twin.code == Self.usage && twin.errors.contains("--source-name"))
            let named = try await stage.must(
                copy + ["localhost:\(port)", "--source-name", "elsewhere", "-o", "json"])
            #expect(named.output.contains("\"added\": 10"), "\(named.output)")
            let kind = try await stage.run(copy + ["127.0.0.1:\(port)", "--stream", "text"])
            #expect(kind.code == Self.usage, "\(kind.errors)")
            try wire.call("SET", "text", "x")
            let wrongKind = try await stage.run(copy + ["127.0.0.1:\(port)", "--stream", "text"])
            #expect(wrongKind.code == 4 && wrongKind.errors.contains("WRONGTYPE"))
            try wire.call("DEL", Self.stream, "text")
        }
    }
}
