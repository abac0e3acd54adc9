import Testing

@testable import ImportFormats

private func fields(_ line: [UInt8]) -> [(String, [UInt8])]? {
    line.withUnsafeBytes { JSONEventParser.parse($0) }?.fields.map {
        (String(decoding: $0.name, as: UTF8.self), $0.value)
    }
}

private func texts(_ line: String) -> [String]? {
    fields(Array(line.utf8))?.map { "\($0)=\(String(decoding: $1, as: UTF8.self))" }
}

@Suite("Events as JSON")
struct JSONEventParserTests {
    @Test(
        "members become fields",
        arguments: [
            (
                #"{"url":"http://a/","uui":"d","dt":1721858300123}"#,
                ["url=http://a/", "uui=d", "dt=1721858300123"]
            ),
            ("{}", []), (" { } ", []),
            (#"{"dt":12345678901234567890.5e-3}"#, ["dt=12345678901234567890.5e-3"]),
            (
                #"{"a":null,"b":true,"c":[1,{"x":"]"}],"d":{"e":[]}}"#,
                ["b=true", #"c=[1,{"x":"]"}]"#, #"d={"e":[]}"#]
            ),
            (#"{"\u0075rl":"\u00e9\n\/\"\\\ud83d\ude00"}"#, ["url=é\n/\"\\😀"]),
            (#"{"a":1,"a":2}"#, ["a=2"]),
            (#"{"a":1,"a":null}"#, []), (#"{"a":"\u0000"}"#, ["a=\0"]),
            ("{\"a\" :\t-0.5 }", ["a=-0.5"]), (#"{"":""}"#, ["="]),
        ] as [(String, [String])])
    func members(line: String, expected: [String]) {
        #expect(texts(line) == expected)
    }

    @Test(
        "anything but one whole object is nil",
        arguments: [
            "", "[]", "1", "\"a\"", "null", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}x",
            "{\"a\":1}{}", "{a:1}",
            "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":1e}", "{\"a\":tru}",
            "{\"a\":\"\\q\"}", "{\"a\":\"\\u12\"}",
            "{\"a\":\"\u{1}\"}", "{\"a\":\"b}", "{\"a\":[1}", "{\"a\":{\"b\"}}", "{\"a\":[1,]}",
            "{\"a\":NaN}", "{\"a\":'b'}",
        ])
    func garbage(line: String) {
        #expect(texts(line) == nil)
    }

    @Test(
        "bytes that are not UTF-8 and lone surrogates are carried, so that the node can refuse them"
    )
    func encodings() {
        let raw: [UInt8] = Array("{\"url\":\"a".utf8) + [0xFF, 0xC0] + Array("\"}".utf8)
        #expect(fields(raw)?.first?.1 == [0x61, 0xFF, 0xC0])
        #expect(fields(Array(#"{"url":"\ud800"}"#.utf8))?.first?.1 == [0xED, 0xA0, 0x80])
        #expect(
            fields(Array(#"{"url":"\ud800\u0041"}"#.utf8))?.first?.1 == [0xED, 0xA0, 0x80, 0x41])
        #expect(fields(Array(#"{"url":"\udc00x"}"#.utf8))?.first?.1 == [0xED, 0xB0, 0x80, 0x78])
    }

    @Test("a field of a megabyte is cut to one byte more than a node accepts")
    func megabytes() {
        let long = String(repeating: "x", count: 1 << 20)
        for line in ["{\"url\":\"\(long)\"}", "{\"url\":[\"\(long)\"]}", "{\"\(long)\":1}"] {
            let found = fields(Array(line.utf8))
            #expect(found?.count == 1)
            #expect(found.map { $0.map { max($0.0.utf8.count, $0.1.count) } } == [2_049])
        }
    }

    @Test("nesting is bounded, and so are the members that nobody needs")
    func bounds() {
        func nested(_ depth: Int) -> String {
            "{\"a\":" + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
                + "}"
        }
        #expect(texts(nested(64)) != nil)
        #expect(texts(nested(65)) == nil)
        #expect(texts(nested(1_000_000)) == nil)
        let many = (0..<10_000).map { "\"k\($0)\":1" }.joined(separator: ",")
        let found = texts("{\(many),\"url\":\"u\",\"dt\":1,\"uui\":\"d\"}")
        #expect(found?.count == JSONEventParser.maximumOtherFields + 3)
        #expect(found?.suffix(3) == ["url=u", "dt=1", "uui=d"])
    }

    @Test("cut at any byte, or with any byte replaced, a line never stops the program")
    func hostile() {
        let line = Array(#"{"url":"a\u00e9\ud83d\ude00","dt":-1.5e+3,"x":[{"y":null},true]}"#.utf8)
        for position in line.indices {
            #expect(fields(Array(line[..<position])) == nil)
            for replacement in [0x00, 0x22, 0x2C, 0x5C, 0x5B, 0x7B, 0x75, 0xFF] as [UInt8] {
                var changed = line
                changed[position] = replacement
                _ = fields(changed)
            }
        }
    }
}
