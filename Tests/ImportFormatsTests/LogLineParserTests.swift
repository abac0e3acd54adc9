import Testing

@testable import ImportFormats

func parsed(_ line: String, isHostFirst: Bool = false) -> LogLine? {
    var parser = LogLineParser(isHostFirst: isHostFirst)
    return Array(line.utf8).withUnsafeBytes { parser.parse($0) }
}

private func text(_ bytes: [UInt8]?) -> String? {
    bytes.map { String(decoding: $0, as: UTF8.self) }
}

@Suite("Lines of web-server logs")
struct LogLineParserTests {
    private static let time = "[24/Jul/2024:23:58:20 +0200]"

    @Test("a combined line gives all its parts")
    func combined() throws {
        let line = try #require(
            parsed(
                "192.0.2.7 - - \(Self.time) \"GET /a/b?c=d HTTP/1.1\" 200 512 \"-\" \"Agent (x)\""))
        #expect(text(line.address) == "192.0.2.7")
        #expect(line.time == 1_721_858_300_000)
        #expect(text(line.method) == "GET")
        #expect(text(line.target) == "/a/b?c=d")
        #expect(line.status == 200)
        #expect(text(line.agent) == "Agent (x)")
        #expect(line.host == nil)
    }

    @Test("a common line has no agent, a vhost line begins with its host")
    func others() throws {
        let common = try #require(parsed("h - - \(Self.time) \"GET / HTTP/1.0\" 304 -"))
        #expect(text(common.agent) == "-" && !common.hasAgent)
        let vhost = try #require(
            parsed(
                "www.example.org:443 ::1 - - \(Self.time) \"GET / HTTP/2.0\" 200 1 \"-\" \"A\"",
                isHostFirst: true))
        #expect(text(vhost.host) == "www.example.org:443")
        #expect(text(vhost.address) == "::1")
    }

    @Test(
        "the request line is taken apart, however odd it is",
        arguments: [
            ("GET / HTTP/1.1", "/"), ("GET /a b c HTTP/1.1", "/a b c"), ("GET /old", "/old"),
            ("GET http://example.org/x HTTP/1.1", "http://example.org/x"),
            ("OPTIONS * HTTP/1.1", "*"),
            ("GET /a%00b HTTP/1.1", "/a%00b"), (#"GET /\"q\" HTTP/1.1"#, "/\"q\""),
            (#"GET /\x22\x41 HTTP/1.1"#, "/\"A"),
            (#"GET /a\\ HTTP/1.1"#, "/a\\"), (#"GET /\xzz HTTP/1.1"#, #"/\xzz"#),
            (#"GET /\q HTTP/1.1"#, #"/\q"#),
            ("M-SEARCH /x HTTP/1.1", "/x"), ("", nil), ("-", nil), (#"\x16\x03\x01"#, nil),
            ("GET", nil), ("GET ", nil),
            (" / HTTP/1.1", nil), (#"\x16 / HTTP/1.1"#, nil), ("GET  HTTP/1.1", nil),
        ] as [(String, String?)])
    func requests(request: String, target: String?) {
        let line = parsed("h - - \(Self.time) \"\(request)\" 200 1 \"-\" \"A\"")
        #expect(text(line?.target) == target)
    }

    @Test(
        "names between address and time may hold anything",
        arguments: [
            "h - - TIME R", "h - Ann TIME R", "h id Ann Lee TIME R", "h - [x] TIME R",
            "h - \"q\" TIME R",
            "h TIME R",
        ])
    func names(line: String) {
        let whole = line.replacing("TIME", with: Self.time).replacing(
            "R", with: "\"GET / HTTP/1.1\" 200 1")
        #expect(parsed(whole) != nil)
    }

    @Test(
        "times",
        arguments: [
            ("13/Jul/2014:13:35:46 +0000", 1_405_258_546_000), ("01/Jan/1970:00:00:00 +0000", 0),
            ("29/Feb/2024:12:00:00 -0530", 1_709_227_800_000),
            ("31/Dec/2016:23:59:60 +0000", 1_483_228_800_000),
            ("01/Jan/1970:00:00:00 +0100", nil), ("30/Feb/2024:12:00:00 +0000", nil),
            ("13/Foo/2014:13:35:46 +0000", nil),
            ("13/jul/2014:13:35:46 +0000", nil), ("13/Jul/2014 13:35:46 +0000", nil),
            ("13/Jul/2014:13:35:46 00000", nil),
            ("3/Jul/2014:13:35:46 +00000", nil), ("13/Jul/2014:24:35:46 +0000", nil),
        ] as [(String, Int64?)])
    func times(text: String, milliseconds: Int64?) {
        #expect(parsed("h - - [\(text)] \"GET / HTTP/1.1\" 200 1")?.time == milliseconds)
    }

    @Test(
        "what is no log line is nil",
        arguments: [
            "", " ", "x", "h - -", "h - - [", "h - - \(time)", "h - - \(time) ",
            "h - - \(time) \"GET / HTTP/1.1\"",
            "h - - \(time) \"GET / HTTP/1.1", "h - - \(time) \"GET / HTTP/1.1\" 20 1",
            "h - - \(time) \"GET / HTTP/1.1\" abc 1",
            "h - - \(time) \"GET / HTTP/1.1\" 200", "h - - \(time) \"GET / HTTP/1.1\\",
            "{\"url\":1}", " - - \(time) \"GET / H\" 200 1",
        ])
    func garbage(line: String) {
        #expect(parsed(line) == nil)
    }

    @Test("a host that could change what is host and what is path is no host")
    func hosts() {
        for host in ["a/b", "a@b", "a?b", "a#b", "a\\b"] {
            #expect(
                parsed("\(host) h - - \(Self.time) \"GET / H\" 200 1", isHostFirst: true) == nil)
        }
        let unnamed = parsed("- h - - \(Self.time) \"GET / H\" 200 1", isHostFirst: true)
        #expect(unnamed != nil && unnamed?.host == nil)
    }

    @Test("cut at any byte, or with any byte replaced, a line never stops the program")
    func hostile() {
        let line = Array(
            "h - - \(Self.time) \"GET /\\x41\\\" HTTP/1.1\" 200 1 \"-\" \"A\\\\\"".utf8)
        for position in line.indices {
            for replacement in [0x00, 0x0A, 0x20, 0x22, 0x5B, 0x5C, 0xFF] as [UInt8] {
                var changed = line
                changed[position] = replacement
                var parser = LogLineParser(isHostFirst: position % 2 == 0)
                changed.withUnsafeBytes { _ = parser.parse($0) }
            }
            var parser = LogLineParser(isHostFirst: false)
            line[..<position].withUnsafeBytes { _ = parser.parse($0) }
        }
    }

    @Test(
        "pages are told from the rest in the order method, status, asset",
        arguments: [
            ("GET", 200, "/a", nil), ("GET", 304, "/", nil), ("GET", 206, "/a.html", nil),
            ("HEAD", 404, "/a.css", .method),
            ("get", 200, "/", .method), ("GET", 301, "/", .status), ("GET", 404, "/a.css", .status),
            ("GET", 200, "/a.css", .asset),
            ("GET", 200, "/a.CSS?x=1", .asset), ("GET", 200, "/a.b/c", nil),
            ("GET", 200, "/a?x=b.css", nil),
            ("GET", 200, "/a#b.css", nil), ("GET", 200, "/x.woff2", .asset),
            ("GET", 200, "/x.woff22", nil),
            ("GET", 200, "/x.tar.gz", .asset), ("GET", 200, "http://example.gz", nil),
            ("GET", 200, "http://e.org/a.png", .asset),
            ("GET", 200, "HTTPS://e.org?a.png", nil), ("GET", 200, "*", nil),
            ("GET", 200, "/css", nil), ("GET", 200, "/a.", nil),
        ] as [(String, Int, String, LeftOutReason?)])
    func selection(method: String, status: Int, target: String, reason: LeftOutReason?) {
        let line = LogLine(
            host: nil, address: [], time: 0, method: Array(method.utf8), target: Array(target.utf8),
            status: status, agent: [], hasAgent: false)
        #expect(LogCount.pages.reasonToLeaveOut(line) == reason)
        #expect(LogCount.all.reasonToLeaveOut(line) == nil)
    }
}
