import CoordinatorCore
import Foundation
import RedisClient
import Testing

extension OtherServerSuites {
    /// Windows that somebody damaged are made again from their parts, to the unit, whatever goes on
    /// meanwhile.
    @Suite("Rebuild", .serialized)
    struct RebuildTests {
        private static let usage: Int32 = 64
        private static let unhealthy: Int32 = 5
        private static let everything = [
            "rebuild", "--tier", "5MINUTES", "--from", "1970-01-01T00:00:00Z",
        ]

        private struct Report: Decodable {
            let records: Int
            let changed: Int
            let expired: Int
            let unmerged: Int

            private enum Keys: String, CodingKey { case records, changed, expired, unmerged }

            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: Keys.self)
                func number(_ key: Keys) throws -> Int {
                    try container.decode(Ledger.Count.self, forKey: key).value
                }
                records = try number(.records)
                changed = try number(.changed)
                expired = try number(.expired)
                unmerged = try number(.unmerged)
            }
        }

        private func report(_ stage: Stage, _ words: [String]) async throws -> Report {
            let output = try await stage.must(words + ["-q", "-o", "json"]).output
            return try JSONDecoder().decode(Report.self, from: Data(output.utf8))
        }

        /// Keys of all masters that fit a pattern, in one order.
        private func keys(_ pattern: String, _ stage: Stage) throws -> [(key: String, port: Int)] {
            var found: [(key: String, port: Int)] = []
            for server in stage.cluster.masters {
                let reply = try RedisWire(server.port).call("KEYS", pattern)
                found += (reply.items ?? []).compactMap(\.text).map { ($0, server.port) }
            }
            return found.sorted { $0.key < $1.key }
        }

        /// Damages merged windows of every tier in every way that a hand can.
        private func damage(_ stage: Stage, _ random: inout SplitMix64) throws {
            for tier in ["5MINUTES", "10MINUTES", "1HOUR", "3HOURS"] {
                for dimension in ["W", "S", "P"] {
                    let counters = try keys("SS:\(tier):\(dimension):*:PG", stage)
                    for way in 0..<5 {
                        let (key, port) = try #require(counters.randomElement(using: &random))
                        let wire = try RedisWire(port)
                        let member = try wire.call("ZRANDMEMBER", key).text ?? ""
                        switch way {
                        case 0: try wire.call("ZINCRBY", key, "1000", member)
                        case 1: try wire.call("ZREM", key, member)
                        case 2: try wire.call("ZADD", key, "7", String(repeating: "0", count: 40))
                        case 3: try wire.call("ZINCRBY", key, "-1", member)
                        default: try wire.call("DEL", key)
                        }
                    }
                    let devices = try keys("HLL:\(tier):\(dimension):*", stage)
                    for way in 0..<3 {
                        let (key, port) = try #require(devices.randomElement(using: &random))
                        let wire = try RedisWire(port)
                        switch way {
                        case 0: try wire.call("DEL", key)
                        case 1:
                            try wire.call("DEL", key)
                            try wire.call("PFADD", key, "stranger")
                        default:
                            try wire.call(
                                ["PFADD", key].map { Array($0.utf8) }
                                    + (0..<300).map { Array("stranger \($0)".utf8) })
                        }
                    }
                    let series = try keys("TS:\(tier):\(dimension):*", stage)
                    let (key, port) = try #require(series.randomElement(using: &random))
                    let wire = try RedisWire(port)
                    let newest = try wire.call("TS.GET", key).items?.first?.int ?? 0
                    try wire.call("TS.ADD", key, "\(newest)", "99999", "ON_DUPLICATE", "LAST")
                }
            }
        }

        @Test(
            "what a hand damaged is what it was, and the audit is clean",
            arguments: [UInt64.random(in: 1...1_000_000)])
        func repaired(seed: UInt64) async throws {
            print("rebuild: the damage follows seed \(seed)")
            var random = SplitMix64(seed: seed)
            let file = try Traffic.file(Traffic.lines(Traffic.options(1_500, seed: 11)))
            let stage = try await Stage.fresh()
            try await stage.initialise(
                ["--start", "oldest", "--grace", "1s", "--shards", "16"])
            let node = try stage.node()
            try await stage.importFiles(file)
            try await stage.wait()
            try await stage.expectTruth([file])
            let truth = try await stage.digest()
            let untouched = try await report(stage, Self.everything + ["--yes"])
            #expect(untouched.changed == 0 && untouched.records > 500, "\(untouched)")
            #expect(untouched.expired == 0, "\(untouched)")
            #expect(try await stage.digest() == truth)

            try damage(stage, &random)
            let damaged = try await stage.digest()
            #expect(damaged != truth)
            #expect(try await stage.run(["audit", "-q"]).code == Self.unhealthy)
            let rehearsal = try await report(stage, Self.everything + ["--dry-run"])
            #expect(rehearsal.changed > 20, "\(rehearsal)")
            let unsure = try await stage.run(Self.everything)
            #expect(unsure.code == Self.usage && unsure.errors.contains("--yes"))
            #expect(try await stage.digest() == damaged, "a rehearsal changes nothing")

            // What is no HyperLogLog at all keeps an export from its end, but no rebuild.
            for (key, port) in try keys("HLL:5MINUTES:W:*", stage).prefix(3) {
                try RedisWire(port).call("SET", key, "no devices at all")
            }
            for _ in 0..<3 { try await killed(stage, &random) }
            try await stage.must(Self.everything + ["--yes", "-q"])
            #expect(try await stage.digest() == truth)
            try await stage.expectTruth([file])
            try await stage.expectSound()
            let again = try await report(stage, Self.everything + ["--yes"])
            #expect(again.changed == 0, "\(again)")
            try await expectExpiries(stage)
            try await node.terminate()
        }

        /// Begins to make all again, and is killed in the midst of it.
        private func killed(_ stage: Stage, _ random: inout SplitMix64) async throws {
            func commands() throws -> Int {
                try stage.cluster.masters.reduce(0) { sum, server in
                    let text = try RedisWire(server.port).call("INFO", "stats").text ?? ""
                    let line = text.split(whereSeparator: \.isNewline).first {
                        $0.hasPrefix("total_commands_processed:")
                    }
                    return sum + (line.flatMap { Int($0.filter(\.isNumber)) } ?? 0)
                }
            }
            let goal = try commands() + Int.random(in: 100...800, using: &random)
            let rebuilding = try stage.start(Self.everything + ["--yes", "-q"])
            try await eventually("it is under way") {
                try rebuilding.code != nil || commands() > goal
            }
            rebuilding.send(SIGKILL)
            _ = try await rebuilding.finish()
        }

        /// A key that was made again ends when its window does.
        private func expectExpiries(_ stage: Stage) async throws {
            for pattern in ["SS:*:PG", "HLL:*"] {
                for (key, port) in try keys(pattern, stage) {
                    let parts = key.split(separator: ":", omittingEmptySubsequences: false)
                    guard parts[1] != "1MINUTE" else { continue }
                    let wire = try RedisWire(port)
                    let tag = parts[3].prefix { $0 != "}" } + "}"
                    let tiers = ["1MINUTE", "5MINUTES", "10MINUTES", "1HOUR", "3HOURS"]
                    let number = (tiers.firstIndex(of: String(parts[1])) ?? 0) + 1
                    let ends = try wire.call(
                        "ZSCORE", "SS:EXPIRY::\(tag)::", "\(number):\(parts[4])")
                    let expires = try wire.call("PEXPIRETIME", key).int ?? 0
                    let expected = ends.text.flatMap { Double($0) }.map { Int64($0) } ?? -1
                    #expect(expires == expected, "\(key)")
                }
            }
        }

        @Test("while events are counted and windows are merged, nothing is lost or counted twice")
        func meanwhile() async throws {
            let first = try Traffic.file(Traffic.lines(Traffic.options(600, seed: 12)))
            let second = try Traffic.file(Traffic.lines(Traffic.options(1_200, seed: 13)))
            let stage = try await Stage.fresh()
            try await stage.initialise(
                ["--start", "oldest", "--grace", "1s", "--shards", "16"])
            let node = try stage.node()
            try await stage.importFiles(first)
            try await stage.wait()
            let importing = try stage.start(["import", "-q", second])
            var rounds = 0
            while importing.code == nil || rounds < 3 {
                try await stage.must(Self.everything + ["--yes", "-q", "-o", "json"])
                rounds += 1
            }
            #expect(try await importing.finish().code == 0)
            try await stage.wait()
            try await stage.expectTruth([first, second])
            try await stage.expectSound()
            let report = try await report(stage, Self.everything + ["--yes"])
            #expect(report.changed == 0, "\(report)")
            try await node.terminate()
        }

        @Test("windows whose parts are gone are left alone, and what cannot be meant is refused")
        func leftAlone() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([
                "--tiers", "1s,2s/4s,4s/1h", "--grace", "1s", "--outage-allowance", "0s",
                "--shards", "4",
            ])
            let node = try stage.node()
            let wire = try stage.cluster.wire(of: RedisKeys.defaultSource)
            try wire.call("XADD", RedisKeys.defaultSource, "*", "url", "https://a.example/x")
            try await eventually("the parts of the coarsest window are gone") {
                let coarse = try keys("SS:4SECONDS:P:*:PG", stage)
                return try !coarse.isEmpty && keys("SS:2SECONDS:P:*:PG", stage).isEmpty
            }
            let words = ["rebuild", "--from", "1h", "--yes"]
            let report = try await report(stage, words + ["--tier", "4SECONDS"])
            #expect(report.changed == 0 && report.expired > 0, "\(report)")
            #expect(try !keys("SS:4SECONDS:P:*:PG", stage).isEmpty)
            for (line, word) in [
                (words + ["--tier", "1SECOND"], "base"), (words + ["--tier", "9H"], "9H"),
                (["rebuild", "--tier", "4SECONDS"], "from"), (words, "tier"),
                (words + ["--tier", "4SECONDS", "--to", "2h"], "--from"),
            ] {
                let finished = try await stage.run(line)
                #expect(finished.code == Self.usage, "\(line): \(finished.errors)")
                #expect(finished.errors.contains(word), "\(line): \(finished.errors)")
            }
            try await node.terminate()
        }
    }
}
