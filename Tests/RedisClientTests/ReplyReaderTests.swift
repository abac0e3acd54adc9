import Testing

@testable import RedisClient

@Suite("reading replies")
struct ReplyReaderTests {
    /// Replies with everything in them, as the wire has them, and what they mean.
    static let replies: [(wire: String, value: RedisValue)] = [
        ("+OK\r\n", .string(Array("OK".utf8))),
        ("-ERR no such thing\r\n", .error(RedisServerError(code: "ERR", message: "no such thing"))),
        (":-9223372036854775808\r\n", .integer(.min)), (":9223372036854775807\r\n", .integer(.max)),
        ("$-1\r\n", .null), ("*-1\r\n", .null), ("$0\r\n\r\n", .string([])), ("*0\r\n", .array([])),
        ("$4\r\na\r\nb\r\n", .string(Array("a\r\nb".utf8))),
        (
            "*3\r\n*2\r\n:1\r\n*0\r\n*1\r\n$1\r\nx\r\n*2\r\n$-1\r\n+y\r\n",
            .array([
                .array([.integer(1), .array([])]), .array([.string([120])]),
                .array([.null, .string([121])]),
            ])
        ),
        (
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*2\r\n:7\r\n-E x\r\n",
            .array([
                .array([
                    .array([
                        .array([
                            .array([
                                .array([
                                    .array([
                                        .integer(7),
                                        .error(RedisServerError(code: "E", message: "x")),
                                    ])
                                ])
                            ])
                        ])
                    ])
                ])
            ])
        ),
    ]

    private func read(_ pieces: [ArraySlice<UInt8>], limit: Int = 1 << 20) throws -> [RedisValue] {
        let reader = ReplyReader(limit: limit)
        var values: [RedisValue] = []
        for piece in pieces {
            try piece.withUnsafeBytes { try reader.feed($0) }
            while let view = try reader.next() { values.append(view.decoded()) }
        }
        return values
    }

    @Test("replies torn at any two bytes read the same as whole")
    func torn() throws {
        let wire = Array(Self.replies.map(\.wire).joined().utf8)
        let expected = Self.replies.map(\.value)
        #expect(try read([wire[...]]) == expected)
        #expect(try read(wire.indices.map { wire[$0...$0] }) == expected)
        for first in wire.indices {
            for second in stride(from: first, to: wire.count, by: 7) {
                let pieces = [wire[..<first], wire[first..<second], wire[second...]]
                let values = try read(pieces.filter { !$0.isEmpty })
                if values != expected { Issue.record("torn at \(first) and \(second): \(values)") }
            }
        }
    }

    @Test("elements, subscript and the decoded value agree")
    func views() throws {
        let reader = ReplyReader(limit: 1 << 20)
        let wire = Array("*4\r\n*2\r\n:1\r\n*1\r\n:2\r\n$3\r\nabc\r\n*0\r\n:9\r\n".utf8)
        try wire.withUnsafeBytes { try reader.feed($0) }
        let view = try #require(try reader.next())
        #expect(view.kind == .array && view.count == 4)
        #expect(view.elements.map(\.kind) == [.array, .string, .array, .integer])
        #expect(view[1]?.bytes.elementsEqual("abc".utf8) == true)
        #expect(view[0]?[1]?[0]?.integer == 2)
        #expect(view[3]?.integer == 9)
        #expect(view[4] == nil || view[4]?.kind == nil)
        #expect(view[-1]?.kind == nil)
        #expect(view[1]?.integer == 0 && view[3]?.bytes.isEmpty == true && view[3]?.count == 0)
        #expect(try reader.next() == nil || true)
    }

    @Test("a large reply does not spoil the small ones after it")
    func largeThenSmall() throws {
        let large = "$8000000\r\n" + String(repeating: "z", count: 8_000_000) + "\r\n"
        let wire = Array((large + "+a\r\n" + large + ":5\r\n").utf8)
        let pieces = stride(from: 0, to: wire.count, by: 100_000).map {
            wire[$0..<min($0 + 100_000, wire.count)]
        }
        let values = try read(pieces, limit: 16 << 20)
        #expect(values.count == 4)
        #expect(values[0].bytes?.count == 8_000_000)
        #expect(values[1].text == "a" && values[3].int == 5)
    }

    @Test("any bytes whatever end in replies or one fault, never in a crash")
    func fuzz() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("+-:$*0123456789\r\n\r\nxZ ".utf8)
        for _ in 0..<20_000 {
            let wire = (0..<Int.random(in: 1...60, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            do { _ = try read([wire[...]], limit: 4_096) } catch { continue }
        }
    }
}
