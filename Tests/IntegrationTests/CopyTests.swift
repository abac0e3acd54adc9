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
        private func add(_ count: Int, from first: Int64, _ wire: RedisWire) throws {
            try wire.pipeline(
                (0..<count).map { number in
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

        private func serverTime(_ wire: RedisWire) throws -> Int64 {
            (try wire.call("TIME").items?.first?.int ?? 0) * 1_000
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
            let first = try serverTime(wire) - 3_600_000
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
            let first = try serverTime(wire) - 600_000
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
            let own = try await stage.run(copy + [stage.cluster.seeds])
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
