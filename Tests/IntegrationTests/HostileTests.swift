import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension ServerSuites {
    /// Input of every kind that must be refused, and of kinds that must not be: with reason, place
    /// and ledger, the rest exact, the node alive and small.
    @Suite("Hostile input", .serialized)
    struct HostileTests {
        private typealias Fields = [(name: [UInt8], value: [UInt8])]

        private struct Row {
            let name: String
            let reason: RefusalReason?
            let fields: Fields
        }

        private static let source = RedisKeys.defaultSource
        /// What a node may have in memory, KiB: a quarter of a GiB, as with a million events.
        private static let maximumKilobytes = 256 * 1_024

        private static func field(
            _ name: String, _ value: String
        ) -> (name: [UInt8], value: [UInt8]) {
            (Array(name.utf8), Array(value.utf8))
        }

        private static func row(
            _ name: String, _ reason: RefusalReason?, _ fields: (String, String)...
        ) -> Row {
            Row(name: name, reason: reason, fields: fields.map { field($0.0, $0.1) })
        }

        private static let good = "http://www.rtl.lu/actu/monde/a/1.html"

        private static func rows(now: Int64) -> [Row] {
            addresses + bytes + times(now) + plays + accepted
        }

        private static var addresses: [Row] {
            [
                row("no field of ours", .url, ("a", "b")), row("no url", .url, ("uui", "d")),
                row("empty url", .url, ("url", "")), row("relative", .url, ("url", "/a")),
                row("no scheme", .url, ("url", "www.rtl.lu/a")),
                row("other scheme", .url, ("url", "ftp://www.rtl.lu/")),
                row("no host", .url, ("url", "http:///a")),
                row("port", .url, ("url", "http://h:99999/")),
            ]
        }

        private static func row(
            _ name: String, _ reason: RefusalReason, bytes field: String, _ value: [UInt8]
        ) -> Row {
            let url = self.field("url", good)
            let own = (name: Array(field.utf8), value: value)
            return Row(name: name, reason: reason, fields: field == "url" ? [own] : [url, own])
        }

        private static var bytes: [Row] {
            let long = [UInt8](repeating: 0x78, count: EventRules.maximumFieldBytes + 1)
            let mebibyte = [UInt8](repeating: 0x79, count: 1 << 20)
            let host = Array("http://h/".utf8)
            let url = field("url", good)
            return [
                row("long url", .url, bytes: "url", host + long),
                row("huge url", .url, bytes: "url", host + mebibyte),
                row("url not UTF-8", .encoding, bytes: "url", host + [0xFF]),
                row("device not UTF-8", .encoding, bytes: "uui", [0xC0, 0xAF]),
                row("agent not UTF-8", .encoding, bytes: "ua", [0xED, 0xA0, 0x80]),
                Row(name: "name not UTF-8", reason: .encoding, fields: [url, ([0xFE], [])]),
                row("long device", .size, bytes: "uui", long),
                row("huge agent", .size, bytes: "ua", mebibyte),
                Row(name: "huge name", reason: .size, fields: [url, (mebibyte, [1])]),
            ]
        }

        private static func times(_ now: Int64) -> [Row] {
            [
                row("no time", .time, ("url", good), ("dt", "yesterday")),
                row("no zone", .time, ("url", good), ("dt", "2024-07-24T21:58:20")),
                row("ahead", .time, ("url", good), ("dt", "\(now + 3_600_000)")),
                row("the oldest there is", .expired, ("url", good), ("dt", "-9223372036854775808")),
                row("no number", .time, ("url", good), ("dt", "99999999999999999999999999")),
                row("NUL in time", .time, ("url", good), ("dt", "\(now)\0")),
                row("expired", .expired, ("url", good), ("dt", "\(now - 40 * 86_400_000)")),
                row("1970", .expired, ("url", good), ("dt", "0")),
            ]
        }

        /// Plays of what nobody knows, of nothing, of what looks dangerous, of one id in two kinds.
        private static var plays: [Row] {
            let long = String(repeating: "i", count: EventRules.maximumFieldBytes + 1)
            return [
                row("other kind", .kind, ("kind", "tv"), ("id", "1"), ("url", good)),
                row("kind in capitals", .kind, ("kind", "AUDIO"), ("id", "1")),
                row("long kind", .kind, ("kind", long), ("id", "1")),
                row("nothing played", .id, ("kind", "audio"), ("url", good)),
                row("empty id", .id, ("kind", "video"), ("id", "")),
                row("long id", .size, ("kind", "video"), ("id", long)),
                row("play of the past", .expired, ("kind", "audio"), ("id", "1"), ("dt", "0")),
                Row(
                    name: "id not UTF-8", reason: .encoding,
                    fields: [field("kind", "podcast"), (Array("id".utf8), [0xFF])]),
                row("audio", nil, ("kind", "audio"), ("id", "RTL"), ("uui", "d1")),
                row("video", nil, ("kind", "video"), ("id", "RTL"), ("url", "no url")),
                row("podcast", nil, ("kind", "podcast"), ("id", "{a}:\0,()"), ("uui", "null")),
                row("no kind", nil, ("kind", ""), ("id", "1"), ("url", good)),
            ]
        }

        /// What looks dangerous and is a page view all the same.
        private static var accepted: [Row] {
            [
                row("plain", nil, ("url", good), ("uui", "d1")),
                row("NULs", nil, ("url", "http://www.rtl.lu/a%00b/\0/c"), ("uui", "d\0d")),
                row("braces", nil, ("url", "http://h.example/{a}:{b}/c:d/{}"), ("uui", "{a}:b")),
                row(
                    "quotes", nil, ("url", "http://h.example/\"a\"/\\b/'c'/\u{2028}"), ("uui", "\"")
                ),
                row("lines", nil, ("url", "http://h.example/a\r\nb/c"), ("uui", "\r\n")),
                row(
                    "marks", nil, ("url", "http://h.example/e\u{301}/é/\u{202E}"),
                    ("uui", "e\u{301}")),
                row("labels", nil, ("url", "http://h.example/a(b),c/d=e/f"), ("uui", "=,()")),
                row("last wins", nil, ("url", "x"), ("url", good), ("uui", "null")),
                row("dots", nil, ("url", "HTTP://User:Pw@H.example:80/../a/./b//..//c.html?q#f")),
            ]
        }

        @Test("a tracker's stream: every refusal has its reason and place, the rest is exact")
        func stream() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "now"])
            let node = try stage.node()
            let wire = try stage.cluster.wire(of: Self.source)
            let now = try wire.clock()
            var refused: [String: RefusalReason] = [:]
            var lines: [UInt8] = []
            var counted = 0
            for turn in 0..<3 {
                for row in Self.rows(now: now) {
                    var fields = row.fields
                    let hasTime = fields.contains { $0.name == Array("dt".utf8) }
                    if row.reason == nil, !hasTime {
                        fields.append(Self.field("dt", "\(now + Int64(turn))"))
                    }
                    let words = ["XADD", Self.source, "*"].map { Array($0.utf8) }
                    let id = try wire.call(words + fields.flatMap { [$0.name, $0.value] })
                    guard let reason = row.reason else {
                        counted += 1
                        lines += try Self.line(fields)
                        continue
                    }
                    refused[id.text ?? ""] = reason
                }
            }
            try await stage.wait()
            let ledger = try await stage.ledger()
            #expect(ledger.counted.value == counted)
            let byReason = Dictionary(grouping: refused.values) { $0.rawValue }.mapValues(\.count)
            #expect(ledger.refused.mapValues(\.value) == byReason)
            let file = try Scratch.file("good.ndjson", lines)
            try await stage.expectTruth([file], ["--tier", "1MINUTE"])
            try expectLetters(stage, refused)
            try await stage.expectSound()
            try await end(node)
        }

        private func end(
            _ node: RunningNode, location: SourceLocation = #_sourceLocation
        ) async throws {
            let peak = try #require(node.child.peakKilobytes, sourceLocation: location)
            print("hostile input: the node had \(peak) KiB at most")
            #expect(peak < Self.maximumKilobytes, sourceLocation: location)
            try await node.terminate(location: location)
        }

        /// An event as the truth reads it; the last of equal names counts.
        private static func line(_ fields: Fields) throws -> [UInt8] {
            var members: [String: String] = [:]
            for field in fields {
                members[String(decoding: field.name, as: UTF8.self)] = String(
                    decoding: field.value, as: UTF8.self)
            }
            return Array(try JSONEncoder().encode(members)) + [10]
        }

        private func expectLetters(_ stage: Stage, _ refused: [String: RefusalReason]) throws {
            var letters: [String: String] = [:]
            for server in stage.cluster.masters {
                let wire = try RedisWire(server.port)
                for key in try wire.call("KEYS", "ST:DEADLETTER:*").items ?? [] {
                    for entry in try wire.call("XRANGE", key.text ?? "", "-", "+").items ?? [] {
                        let fields = entry.items?[1]
                        #expect(fields?["source"]?.text == Self.source)
                        #expect(fields?["detail"]?.text?.isEmpty == false)
                        letters[fields?["id"]?.text ?? ""] = fields?["reason"]?.text
                        let sizes = fields?.items?.compactMap { $0.bytes?.count } ?? []
                        #expect(sizes.allSatisfy { $0 <= EventRules.maximumFieldBytes + 1 })
                    }
                }
            }
            #expect(letters == refused.mapValues(\.rawValue))
        }

        @Test("a flood of large fields, more than a reply may have, is refused in bounded memory")
        func flood() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "now"])
            let wire = try stage.cluster.wire(of: Self.source)
            let mebibyte = [UInt8](repeating: 0x61, count: 1 << 20)
            let words = ["XADD", Self.source, "*", "url"].map { Array($0.utf8) }
            for _ in 0..<200 { try wire.call(words + [mebibyte]) }
            try wire.call(words + [Array("http://www.rtl.lu/".utf8)])
            let node = try stage.node()
            try await stage.wait()
            // Behind the flood everything is as before.
            try wire.call(words + [Array("http://www.rtl.lu/".utf8)])
            try await stage.wait()
            let ledger = try await stage.ledger()
            #expect(ledger.counted.value == 2)
            #expect(ledger.refused.mapValues(\.value) == ["url": 200])
            try await end(node)
        }

        @Test("a file: refusals are in the ledger, what is no event is left out, the rest is exact")
        func file() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "now"])
            let node = try stage.node()
            let start: Int64 = 1_721_856_300_000
            // The first line shows the format, and has a time that the others are judged by.
            let first = "{\"url\":\"http://www.rtl.lu/\",\"dt\":\(start)}\n"
            var lines = Array(first.utf8)
            var counted = lines
            var refused: [String: Int] = [:]
            // In a file nothing is ahead: its ids follow its times.
            for row in Self.rows(now: start) where row.name != "ahead" {
                var text = Array("{".utf8)
                for (index, field) in row.fields.enumerated() {
                    if index > 0 { text.append(UInt8(ascii: ",")) }
                    text += Self.quoted(field.name) + [UInt8(ascii: ":")] + Self.quoted(field.value)
                }
                let hasTime = row.fields.contains { $0.name == Array("dt".utf8) }
                let end = hasTime ? "}\n" : ",\"dt\":\(start)}\n"
                lines += text + Array(end.utf8)
                if let reason = row.reason {
                    refused[reason.rawValue, default: 0] += 1
                } else {
                    counted += text + Array(end.utf8)
                }
            }
            let left = ["", "   ", "{", "[]", "{\"url\":1}x", "\u{0}", "null"]
            for line in left { lines += Array((line + "\n").utf8) }
            let path = try Scratch.file("hostile.ndjson", lines)
            let report = try await stage.must(["import", "-q", "-o", "json", path]).output
            #expect(report.contains("\"unparsable\""), "\(report)")
            try await stage.wait()
            try await stage.expectTruth([try Scratch.file("good.ndjson", counted)])
            let ledger = try await stage.ledger()
            #expect(ledger.refused.mapValues(\.value) == refused)
            #expect(refused.count == RefusalReason.allCases.count)
            try await stage.expectSound()
            try await end(node)
        }

        /// A JSON string of any bytes: the reader carries what is not UTF-8, for the node.
        private static func quoted(_ bytes: [UInt8]) -> [UInt8] {
            var out: [UInt8] = [UInt8(ascii: "\"")]
            for byte in bytes {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
                case ..<0x20:
                    out += Array("\\u00".utf8) + Array(byte < 16 ? "0".utf8 : "1".utf8)
                    out += Array(String(byte & 15, radix: 16).utf8)
                default: out.append(byte)
                }
            }
            return out + [UInt8(ascii: "\"")]
        }

        @Test("a compressed file that is one line of 200 MB is left out in bounded memory")
        func oneLine() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "now"])
            let node = try stage.node()
            let good = #"{"url":"http://www.rtl.lu/","dt":1721856300000}"#
            let path = Scratch.path("bomb.gz")
            let script = """
                { echo "$1"; head -c 200000000 /dev/zero | tr '\\0' a; echo; echo "$1"; } |
                    gzip -1 >"$2"
                """
            let packing = try Child(["/bin/sh", "-c", script, "sh", good, path])
            #expect(try await packing.finish().code == 0)
            let importing = try stage.start(["import", "-q", "-o", "json", path])
            var peak = 0
            try await eventually("the import has ended", within: .seconds(120)) {
                peak = max(peak, importing.peakKilobytes ?? 0)
                return importing.code != nil
            }
            print("hostile input: the import had \(peak) KiB at most")
            #expect(peak < 64 * 1_024)
            #expect(importing.code == 0, "\(importing.errors)")
            #expect(importing.output.contains("\"too-long\""), "\(importing.output)")
            try await stage.wait()
            #expect(try await stage.ledger().counted.value == 2)
            try await end(node)
        }
    }
}
