import CoordinatorCore
import EventLoop
import Testing

@testable import CoordinatorService

@Suite("Small parts of a node")
struct NodePartsTests {
    @Test(
        "values of a log line are quoted where logfmt needs it",
        arguments: [
            ("plain", "plain"), ("", "\"\""), ("two words", "\"two words\""), ("a=b", "\"a=b\""),
            ("say \"hi\"", "\"say \\\"hi\\\"\""), ("back\\slash", "\"back\\\\slash\""),
            ("line\nbreak", "\"line\\u{a}break\""), ("\u{1B}[31m", "\"\\u{1b}[31m\""),
            ("\u{202E}evil", "\"\\u{202e}evil\""), ("\0", "\"\\u{0}\""),
            ("\u{2028}", "\"\\u{2028}\""), ("Lëtzebuerg", "Lëtzebuerg"), ("e\u{301}", "e\u{301}"),
        ])
    @LoopActor func quoted(text: String, expected: String) {
        #expect(NodeLog.quoted(text) == expected)
    }

    @Test("no value can begin a line, a field or an escape of its own", arguments: seeds)
    @LoopActor func hostile(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let alphabet = [
            "\"", "\\", " ", "=", "\n", "\r", "\t", "\u{7F}", "\u{85}", "a", "é", "\u{200F}",
        ]
        for _ in 0..<1_000 {
            let text = (0..<Int.random(in: 0...8, using: &random)).map { _ in random.pick(alphabet)
            }
            .joined()
            let quoted = NodeLog.quoted(text)
            #expect(
                !quoted.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }, "\(seed)")
            guard quoted.hasPrefix("\"") else {
                #expect(
                    !quoted.contains { " =\"\\".contains($0) } && !quoted.isEmpty, "seed \(seed)")
                continue
            }
            // Between the quotes every quote and backslash is escaped.
            var inside = quoted.dropFirst().dropLast().unicodeScalars[...]
            while let scalar = inside.popFirst() {
                #expect(scalar != "\"", "seed \(seed): \(quoted)")
                if scalar == "\\" { #expect(inside.popFirst() != nil, "seed \(seed): \(quoted)") }
            }
        }
    }

    @Test("pauses double to their bound, with jitter, and begin anew after a success")
    func backoff() {
        var backoff = Backoff()
        var longest: Duration = .milliseconds(50)
        for failures in 1...40 {
            let pause = backoff.next()
            #expect(pause >= longest / 2 && pause <= longest, "failure \(failures): \(pause)")
            longest = min(longest * 2, .seconds(2))
        }
        backoff.reset()
        #expect(backoff.next() <= .milliseconds(50))
        for failures in [-5, 0, .max] {
            #expect((.milliseconds(25)...(.seconds(2))).contains(Backoff.pause(after: failures)))
        }
    }

    @Test("a lease's value names its holder and token, or is nobody's")
    func lease() {
        let token = "00000000000000000007-00000000000000000009-0123456789abcdef"
        let holder = LeaseAnswer.Holder("\(token) a/12")
        #expect(holder?.node.text == "a/12" && holder?.node.name == "a")
        #expect(holder?.token.epoch == 7)
        for text in [
            "", " ", token, "\(token)x a/1", "\(token) a", "\(token) a/b/c", "not a token",
        ] {
            #expect(LeaseAnswer.Holder(text) == nil, "\(text)")
        }
    }

    @Test("a source holds rotation back while it may still bring something")
    func sources() {
        func record(_ change: (inout SourceRecord) -> Void) -> SourceRecord {
            var record = SourceRecord(
                key: "ST:IMPORT::{a}b::", kind: .import, name: nil, startedAt: 0, markedAt: 100_000,
                isFinished: false, lastID: nil, confirmedAt: nil, isSettled: false)
            change(&record)
            return record
        }
        let rows: [(SourceRecord, now: Int64, holds: Bool)] = [
            (record { $0.kind = .live }, 10_000_000, true),
            (record { _ in }, 100_000, true), (record { _ in }, 159_999, true),
            (record { _ in }, 160_000, false),
            (record { $0.isFinished = true }, 10_000_000, true),
            (
                record {
                    $0.isFinished = true
                    $0.confirmedAt = 5
                }, 100_000, false
            ),
        ]
        for (index, row) in rows.enumerated() {
            #expect(row.0.holdsRotation(now: row.now) == row.holds, "row \(index)")
        }
    }
}
