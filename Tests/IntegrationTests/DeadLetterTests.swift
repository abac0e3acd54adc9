import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension OtherServerSuites {
    /// Refused events are found, sent through counting again once, and cleared away; the ledgers
    /// balance all the while.
    @Suite("Dead letters", .serialized)
    struct DeadLetterTests {
        private static let usage: Int32 = 64
        private static let tracker = RedisKeys.defaultSource

        private struct Listed: Decodable {
            let letter: String
            let source: String
            let entry: String
            let reason: String
            let fields: [String: String]
        }

        private func begin() async throws -> (Stage, RunningNode) {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "now"])
            return (stage, try stage.node())
        }

        /// Adds events to the tracker's stream.
        private func add(_ events: [[String]], _ stage: Stage) throws {
            let wire = try stage.cluster.wire(of: Self.tracker)
            try wire.pipeline(
                events.map { (["XADD", Self.tracker, "*"] + $0).map { Array($0.utf8) } })
        }

        private func read(_ stage: Stage, _ words: [String] = []) async throws -> [Listed] {
            let output = try await stage.must(
                ["dead-letters", "list", "-o", "json"]
                    + (words.contains("-n") ? [] : ["-n", "10000"])
                    + words
            ).output
            return try JSONDecoder().decode([Listed].self, from: Data(output.utf8))
        }

        /// Until so many of the tracker's entries are read.
        private func taken(_ count: Int, _ stage: Stage) async throws {
            try await eventually("\(count) entries are read") {
                try await stage.ledgers().reduce(0) { $0 + $1.read.value } >= count
            }
            try await stage.wait()
        }

        private func views(_ website: String, _ stage: Stage) async throws -> Int {
            struct Row: Decodable { let pageviews: Int }
            // Events of this minute lie in windows that have not ended.
            let output = try await stage.must([
                "export", "--dimension", "W", "--tier", "1MINUTE",
                "-o", "ndjson",
            ]).output
            return try output.split(separator: "\n").filter { $0.contains("\"\(website)\"") }
                .map { try JSONDecoder().decode(Row.self, from: Data($0.utf8)).pageviews }
                .reduce(0, +)
        }

        @Test("letters are listed by reason, replayed once, and what stays refused does not loop")
        func replay() async throws {
            let (stage, node) = try await begin()
            let good = (0..<20).map { ["url", "https://site.example/a/b/\($0)", "uui", "d\($0)"] }
            let timeless = (0..<30).map {
                ["url", "https://site.example/a/b/\($0)", "uui", "e\($0)", "dt", "yesterday"]
            }
            let homeless = (0..<7).map { ["uui", "f\($0)", "note", "no url"] }
            let plays = (0..<2).map { ["kind", "video", "id", "clip \($0)", "dt", "never"] }
            try add(good + timeless + homeless + plays, stage)
            try await taken(59, stage)
            #expect(try await views("SITE.EXAMPLE", stage) == 20)

            let all = try await read(stage)
            #expect(all.count == 39)
            #expect(try await read(stage, ["--reason", "time"]).count == 32)
            #expect(try await read(stage, ["--reason", "url", "-n", "3"]).count == 3)
            #expect(try await read(stage, ["--source", "other"]).isEmpty)
            #expect(try await read(stage, ["--to", "1h"]).isEmpty)
            #expect(try await read(stage, ["--from", "1h", "--source", Self.tracker]).count == 39)
            let one = try #require(all.first { $0.reason == "time" && $0.fields["url"] != nil })
            #expect(one.fields["dt"] == "yesterday" && one.source == Self.tracker)
            let shown = try await stage.must(["dead-letters", "show", one.letter])
            #expect(shown.output.contains("yesterday") && shown.output.contains(one.entry))

            let replay = ["dead-letters", "replay", "--reason", "time", "--at-arrival"]
            let rehearsal = try await stage.must(replay + ["--dry-run"])
            #expect(rehearsal.errors.hasPrefix("would replay 32 letters"), "\(rehearsal.errors)")
            let unsure = try await stage.run(replay)
            #expect(unsure.code == Self.usage && unsure.errors.contains("--yes"))
            #expect(try await read(stage).count == 39)

            try await stage.must(replay + ["--yes"])
            try await stage.wait()
            #expect(try await views("SITE.EXAMPLE", stage) == 50)
            #expect(try await read(stage).count == 7)
            let again = try await stage.must(replay + ["--yes"])
            #expect(again.errors.contains("no change"), "\(again.errors)")

            // What no settings can count is refused again, and stays where it is.
            try await stage.must(["dead-letters", "replay", "--yes"])
            try await stage.wait()
            let refused = try await read(stage)
            #expect(refused.count == 7)
            #expect(refused.allSatisfy { $0.source.hasPrefix("ST:REPLAY::{") })
            #expect(refused.allSatisfy { $0.reason == "url" })
            let idle = try await stage.must(["dead-letters", "replay", "--yes"])
            #expect(idle.errors.contains("no change"), "\(idle.errors)")
            try await stage.must(["dead-letters", "replay", "--again", "--yes"])
            try await stage.wait()
            #expect(try await read(stage).count == 7)

            let ledger = try await stage.ledger()
            #expect(ledger.read.value == 59 + 32 + 7 + 7)
            #expect(ledger.counted.value == 52)
            try await stage.expectSound()

            let purge = ["dead-letters", "purge"]
            let first = try #require(try await read(stage).first).letter
            try await stage.must(purge + [first, "--yes"])
            #expect(try await read(stage).count == 6)
            let gone = try await stage.run(["dead-letters", "show", first])
            #expect(gone.code == Self.usage && gone.errors.contains(first), "\(gone.errors)")
            try await stage.must(purge + ["--yes"])
            #expect(try await read(stage).isEmpty)
            #expect(try await stage.ledger() == ledger, "what was refused stays counted as that")
            try await stage.expectSound()
            try await node.terminate()
        }

        @Test(
            "replays and nodes that are killed count each letter once",
            arguments: [UInt64.random(in: 1...1_000_000)])
        func killed(seed: UInt64) async throws {
            print("dead letters: the kills follow seed \(seed)")
            var random = SplitMix64(seed: seed)
            let count = 3_000
            var (stage, node) = try await begin()
            let events = (0..<count).map {
                ["url", "https://site.example/a/b/\($0 % 300)", "uui", "d\($0)", "dt", "never"]
            }
            try add(events, stage)
            try await taken(count, stage)
            #expect(try await views("SITE.EXAMPLE", stage) == 0)
            let replay = ["dead-letters", "replay", "--at-arrival", "--yes", "-q"]
            for round in 0..<4 {
                let left = try await read(stage).count
                let goal = left - Int.random(in: 1...600, using: &random)
                let replaying = try stage.start(replay)
                try await eventually("some letters have left") {
                    if replaying.code != nil { return true }
                    return try await read(stage, ["--reason", "time"]).count <= goal
                }
                replaying.send(SIGKILL)
                _ = try await replaying.finish()
                if round == 1 {
                    try await node.kill()
                    node = try stage.node()
                }
            }
            // Two at once share what is left.
            let both = try [stage.start(replay), stage.start(replay)]
            for replaying in both {
                let finished = try await replaying.finish()
                #expect(finished.code == 0, "\(finished.errors)")
            }
            try await stage.wait()
            #expect(try await views("SITE.EXAMPLE", stage) == count)
            let ledger = try await stage.ledger()
            #expect(ledger.read.value == 2 * count && ledger.counted.value == count, "\(ledger)")
            #expect(try await read(stage).isEmpty)
            try await stage.expectSound()
            try await node.terminate()
        }

        @Test(
            "the letters' master dies in mid-replay, then the replay, then the node: to the truth",
            arguments: [UInt64.random(in: 1...1_000_000)])
        func failover(seed: UInt64) async throws {
            print("dead letters: the faults follow seed \(seed)")
            var random = SplitMix64(seed: seed)
            let count = 6_000
            let tiers = "1s,5s/1h,10s/2h,60s/6h"
            let cluster = try await TestCluster(
                "letters", ["--replicas", "1", "--node-timeout", "1000"])
            let stage = Stage(cluster: cluster)
            try await stage.initialise(["--start", "now", "--tiers", tiers, "--grace", "1s"])
            var node = try stage.node()
            let events = (0..<count).map {
                ["url", "https://site.example/a/b/\($0 % 300)", "uui", "d\($0 % 700)", "dt", "-"]
            }
            try add(events, stage)
            try await taken(count, stage)
            let letters = try await read(stage)
            #expect(letters.count == count)
            let layout = try ShardLayout(count: 64)
            let key = RedisKeys.deadLetters(
                layout.tag(of: layout.shard(of: HashSlot(key: Self.tracker))))
            let replay = ["dead-letters", "replay", "--at-arrival", "--yes", "-q"]

            /// In the middle of the rest.
            func more(_ replaying: Child) async throws {
                let before = try Int(cluster.wire(of: key).call("XLEN", key).int ?? 0)
                let goal = before - Int.random(in: 100...1_000, using: &random)
                let wire = try cluster.wire(of: key)
                try await eventually("letters leave") {
                    try Int(wire.call("XLEN", key).int ?? 0) <= goal
                }
                let left = try wire.call("XLEN", key).int ?? 0
                #expect(left > 0, "the replay was over before it was disturbed")
            }
            var replaying = try stage.start(replay)
            try await more(replaying)
            try await cluster.fail(try cluster.server(of: key))
            // It goes on, or says what was not answered; it never ends as if all were well early.
            let disturbed = try await replaying.finish(within: .seconds(60))
            #expect([0, 2, 4, 6].contains(disturbed.code), "\(disturbed.code) \(disturbed.errors)")
            let left = try cluster.wire(of: key).call("XLEN", key).int ?? 0
            if left > 1_500 {
                replaying = try stage.start(replay)
                try await more(replaying)
                replaying.send(SIGKILL)
                _ = try await replaying.finish()
            }
            try await node.kill()
            node = try stage.node()
            try await eventually("everything is replayed", within: .seconds(60)) {
                let finished = try await stage.run(replay)
                guard finished.code == 0 else { return false }
                return try cluster.wire(of: key).call("XLEN", key).int == 0
            }
            try await eventually("everything is counted", within: .seconds(60)) {
                try await stage.ledgers().reduce(0) { $0 + $1.counted.value } >= count
            }
            let until = try await Self.merged(letters, stage)
            let ledger = try await stage.ledger()
            #expect(ledger.read.value == 2 * count && ledger.counted.value == count, "\(ledger)")
            let file = try Self.arrived(letters)
            let verdict = try await stage.expectTruth(
                [file], ["--tiers", tiers, "--until", "\(until)"])
            #expect(verdict.windows > 300, "\(verdict.text)")
            try await stage.expectSound()
            try await node.terminate()
            try await cluster.stop()
        }

        /// Waits until the last window of ten seconds that has a letter is merged.
        ///
        /// - Returns: its end, ms.
        private static func merged(_ letters: [Listed], _ stage: Stage) async throws -> Int64 {
            let last = try #require(
                letters.compactMap { Int64($0.entry.prefix { $0 != "-" }) }.max())
            let until = last / 10_000 * 10_000 + 10_000
            try await eventually("the last window is due, its grace included") {
                try stage.cluster.wire(of: tracker).clock() > until + 1_000
            }
            try await stage.wait()
            return until
        }

        /// The letters' events at their first arrival, for the independent count.
        private static func arrived(_ letters: [Listed]) throws -> String {
            let lines = letters.map { letter in
                let arrival = letter.entry.prefix { $0 != "-" }
                let url = letter.fields["url"] ?? ""
                return #"{"url":"\#(url)","uui":"\#(letter.fields["uui"] ?? "")","dt":\#(arrival)}"#
                    + "\n"
            }
            return try Scratch.file("letters.ndjson", Array(lines.joined().utf8))
        }

        @Test("letters that are named wrongly, or at a Redis that is not there, are an error")
        func wrong() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            for name in ["x", "1", "1/2", "999/1-1", "1/1-1/2", "-1/1-1"] {
                let shown = try await stage.run(["dead-letters", "show", "--", name])
                #expect(shown.code == Self.usage, "\(name): \(shown.errors)")
            }
            let empty = try await stage.must(["dead-letters", "list"])
            #expect(empty.errors.contains("no such letter"), "\(empty.errors)")
            let none = try await stage.must(["dead-letters", "purge"])
            #expect(none.errors.contains("no change"), "\(none.errors)")
            let turned = try await stage.run(
                ["dead-letters", "list", "--from", "1h", "--to", "2h"])
            #expect(turned.code == Self.usage && turned.errors.contains("--from"))
        }
    }
}
