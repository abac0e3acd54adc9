import CoordinatorCore
import RedisClient
import Testing

@testable import CoordinatorService

@Suite("What happened, as it is read and shown")
struct HistoryTests {
    private static let token = "00000000000000000003-00001795470758201167-3a63bbabed313ded"

    private func entry(_ fields: [(String, String)], id: String = "1795482000123-0") -> RedisValue {
        func text(_ text: String) -> RedisValue { .string(Array(text.utf8)) }
        return .array([text(id), .array(fields.flatMap { [text($0.0), text($0.1)] })])
    }

    @Test("an entry has its time, kind, node, term, map and reason")
    func whole() throws {
        let read = try #require(
            HistoryEntry(
                entry([
                    ("kind", "map"), ("node", "n1/abcd"), ("term", Self.token),
                    ("map", Self.token), ("reason", "3 of 64 shards: balance"),
                ])))
        #expect(read.at == 1_795_482_000_123)
        #expect(read.kind == .map && read.subject == "n1/abcd")
        #expect(read.term?.text == Self.token && read.mapVersion?.text == Self.token)
        #expect(read.sentence { "\($0)" } == "3 of 64 shards: balance")
    }

    @Test("what is not there is nothing, and a kind of a newer version is passed over")
    func parts() throws {
        let read = try #require(
            HistoryEntry(entry([("kind", "order"), ("node", ""), ("term", ""), ("map", "")])))
        #expect(read.subject.isEmpty && read.term == nil && read.mapVersion == nil)
        #expect(HistoryEntry(entry([("kind", "dance")])) == nil)
        #expect(HistoryEntry(entry([])) == nil)
        #expect(HistoryEntry(.null) == nil)
        #expect(HistoryEntry(entry([("kind", "map")], id: "soon")) == nil)
    }

    @Test(
        "a run says first up to when, in a form for people",
        arguments: [
            (
                "5MINUTES: 1 window done in all shards, up to 1795482000000",
                "5MINUTES up to <1795482000000>: 1 window done in all shards"
            ),
            ("up to 1795482000000", "up to 1795482000000"),
            ("5MINUTES: done, up to soon", "5MINUTES: done, up to soon"), ("", ""),
        ])
    func run(reason: String, sentence: String) {
        let run = HistoryEntry(id: .zero, kind: .run, subject: "n1/abcd", reason: reason)
        #expect(run.sentence { "<\($0)>" } == sentence)
        let other = HistoryEntry(id: .zero, kind: .map, subject: "n1/abcd", reason: reason)
        #expect(other.sentence { "<\($0)>" } == reason)
    }
}
