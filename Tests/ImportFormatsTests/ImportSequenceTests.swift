import CoordinatorCore
import Testing

@testable import ImportFormats

private func logLine(
    _ second: Int, _ target: String = "/a", status: Int = 200, method: String = "GET",
    address: String = "192.0.2.1", agent: String = "A"
) -> String {
    let clock = String(second + 100).dropFirst()
    return "\(address) - - [24/Jul/2024:21:58:\(clock) +0000] \"\(method) \(target) HTTP/1.1\" "
        + "\(status) 1 \"-\" \"\(agent)\"\n"
}

private func options(
    _ format: ImportFormat = .auto, count: LogCount = .pages, device: LogDevice = .addressAgent,
    host: String? = "www.example.org", name: String? = nil, limit: Int64? = nil
) throws -> ImportOptions {
    try ImportOptions(
        format: format, count: count, device: device, host: host, sourceName: name,
        latestPlausibleTime: limit)
}

@Suite("Importing a file")
struct ImportSequenceTests {
    /// 2024-07-24T21:58:00Z.
    private static let base: Int64 = 1_721_858_280_000
    private static let time = "[24/Jul/2024:21:58:01 +0000]"

    @Test("ids are the latest time so far and the line's number, whatever is selected")
    func ids() throws {
        let log =
            logLine(20) + logLine(10) + logLine(30, "/x.css") + "garbage\n" + logLine(25)
            + logLine(31)
        let pages = try read(log, options())
        let all = try read(log, options(count: .all))
        #expect(
            pages.ids == [
                "\(Self.base + 20_000)-1", "\(Self.base + 20_000)-2", "\(Self.base + 30_000)-5",
                "\(Self.base + 31_000)-6",
            ])
        #expect(all.ids.filter { !$0.hasSuffix("-3") } == pages.ids)
        #expect(pages.values("dt").first == String(Self.base + 20_000))
        #expect(pages.values("dt")[1] == String(Self.base + 10_000))
        #expect(pages.summary.leftOut == [.asset: 1, .unparsable: 1])
    }

    @Test("the size of the batches changes nothing", arguments: [1, 2, 3, 7])
    func batches(size: Int) throws {
        let log = (0..<50).map { logLine($0) }.joined() + "x\n"
        let whole = try read(log, options())
        let pieces = try read(log, options(), batch: size)
        #expect(whole.entries == pieces.entries && whole.summary == pieces.summary)
    }

    @Test("the same file again gives nothing new, a grown one only what it has grown by")
    func again() throws {
        let log = logLine(20) + logLine(10) + logLine(30) + logLine(30)
        let first = try read(log, options())
        let last = try #require(first.ids.last)
        let second = try read(log, options(), after: last)
        #expect(second.entries.isEmpty && second.summary.alreadyThere == 4)
        let grown = try read(log + logLine(5) + logLine(40), options(), after: last)
        #expect(grown.ids == ["\(Self.base + 30_000)-5", "\(Self.base + 40_000)-6"])
        let killed = try read(log, options(), after: first.ids[1])
        #expect(killed.entries == Array(first.entries[2...]))
    }

    @Test("with a name, one file after another goes into one source")
    func named() throws {
        let first = try read(logLine(1) + logLine(2), options(name: "site"))
        let last = try #require(first.ids.last)
        #expect(last == "\(Self.base + 2_000)-2")
        let next = try read(logLine(3), options(name: "site"), after: last)
        #expect(next.ids == ["\(Self.base + 3_000)-1"])
    }

    @Test("a time that is not plausible does not move the ids, and later lines are not lost by it")
    func implausible() throws {
        let future = logLine(20).replacing("2024", with: "2051")
        let log = logLine(10) + future + logLine(11)
        let limited = try read(log, options(limit: Self.base + 86_400_000))
        #expect(
            limited.ids
                == [10, 10, 11].enumerated().map { "\(Self.base + Int64($1) * 1_000)-\($0 + 1)" })
        let later = try read(log, options(), after: limited.ids[2])
        #expect(later.entries.isEmpty)
    }

    @Test("identical lines are different events")
    func identical() throws {
        #expect(try read(logLine(1) + logLine(1), options()).entries.count == 2)
    }

    @Test("url, device and time of a log line")
    func logFields() throws {
        let reading = try read(logLine(1, "/a?b=c"), options())
        #expect(reading.format == .combined)
        #expect(reading.values("url") == ["http://www.example.org/a?b=c"])
        // SHA-1 of "192.0.2.1 A" and of "192.0.2.1", by sha1sum.
        #expect(reading.values("uui") == ["f03c227dadde450a914394001640f9e1797647a2"])
        let byAddress = try read(logLine(1), options(device: .address))
        #expect(byAddress.values("uui") == ["e7ac7ecd794e71914a63e2cbdca798fceb5afd12"])
    }

    @Test(
        "the host comes from the target, the line, or the options, in this order",
        arguments: [
            ("", "/a", "http://www.example.org/a"),
            ("h.example:8080 ", "/a", "http://h.example:8080/a"),
            ("- ", "/a", "http://www.example.org/a"),
            ("h.example ", "http://t.example/b", "http://t.example/b"),
            ("", "HTTPS://t.example", "HTTPS://t.example"), ("", "*", "http://www.example.org/*"),
            ("", "example.net:443", "http://www.example.org/example.net:443"),
        ])
    func hosts(prefix: String, target: String, url: String) throws {
        let format = prefix.isEmpty ? ImportFormat.combined : .vhost
        let reading = try read(prefix + logLine(1, target), options(format, count: .all))
        #expect(reading.values("url") == [url])
    }

    @Test("a log without hosts needs one from the options, and the error names the line")
    func hostMissing() throws {
        let log = logLine(1, "http://t.example/") + logLine(2, "/x.css") + logLine(3)
        let reading = try read(log, options(host: nil))
        #expect(reading.entries.count == 1)
        guard case .hostMissing(_, line: 3) = reading.error else {
            Issue.record("expected .hostMissing, got \(String(describing: reading.error))")
            return
        }
    }

    @Test(
        "hosts with a scheme, a path or spaces are refused",
        arguments: ["http://a", "a/b", "a b", "", "a@b"])
    func wrongHosts(host: String) {
        #expect(throws: ImportError.invalidHost(host)) { try options(host: host) }
    }

    @Test(
        "the format is found out by the first line that shows one",
        arguments: [
            (logLine(1), ImportFormat.combined), ("\n#comment\n" + logLine(1), .combined),
            ("h - - \(time) \"GET / HTTP/1.1\" 200 1\n", .common),
            ("www.example.org:80 " + logLine(1), .vhost), ("www.example.org " + logLine(1), .vhost),
            (
                "h.example 192.0.2.1 - Ann Lee \(time) \"GET / HTTP/1.1\" 200 1\n",
                .vhost
            ),
            (
                "192.0.2.1 - Ann Lee \(time) \"GET / HTTP/1.1\" 200 1 \"-\" \"A\"\n",
                .combined
            ),
            ("\u{FEFF}{\"url\":\"u\"}\n", .ndjson), (" {\"url\":\"u\"}", .ndjson), ("", .auto),
            ("\n\n", .auto),
        ])
    func formats(text: String, format: ImportFormat) throws {
        let reading = try read(text, options())
        #expect(reading.format == format && reading.error == nil)
    }

    @Test("a file of no known format is an error, not thousands of wrong lines")
    func unknownFormat() throws {
        for text in ["hello\n", String(repeating: "x\n", count: 500), "{\"url\":\n"] {
            let reading = try read(text, options())
            guard case .unknownFormat = reading.error else {
                Issue.record("expected .unknownFormat, got \(String(describing: reading.error))")
                return
            }
            #expect(reading.entries.isEmpty)
        }
    }

    @Test("events keep what they hold, and refusable ones are passed on")
    func events() throws {
        let lines = [
            #"{"url":"http://a/","uui":"d","dt":\#(Self.base),"ua":"x"}"#,
            #"{"url":"http://a/","dt":"2024-07-24T21:58:05Z"}"#,
            #"{"url":"nonsense","dt":"yesterday"}"#,
            #"{"dt":null}"#, "[1]", #"{"url":"http://a/","dt":\#(Self.base + 1)}"#, #"{"dt":-5}"#,
            #"{"dt":1e3}"#,
        ]
        let reading = try read(lines.joined(separator: "\n"), options())
        let ids = [
            "\(Self.base)-1", "\(Self.base + 5_000)-2", "\(Self.base + 5_000)-3",
            "\(Self.base + 5_000)-4",
            "\(Self.base + 5_000)-6", "\(Self.base + 5_000)-7", "\(Self.base + 5_000)-8",
        ]
        #expect(reading.ids == ids)
        #expect(reading.values("ua")[0] == "x")
        #expect(reading.values("dt")[2...3] == ["yesterday", nil])
        #expect(reading.summary.leftOut == [.unparsable: 1] && reading.summary.untimed == 4)
    }

    @Test("events before the first time have the millisecond 1")
    func untimed() throws {
        let reading = try read("{\"url\":\"u\"}\n{\"url\":\"u\"}\n{\"dt\":5}", options())
        #expect(reading.ids == ["1-1", "1-2", "5-3"])
    }

    @Test("a line too long counts once and has a number; events may be longer than log lines")
    func tooLong() throws {
        let long = String(repeating: "x", count: 70_000)
        let log = try read(logLine(1) + logLine(2, "/" + long) + logLine(3), options())
        #expect(log.summary.leftOut == [.tooLong: 1])
        #expect(log.ids.map { $0.suffix(2) } == ["-1", "-3"])
        let mebibyte = String(repeating: "x", count: 1 << 20)
        let events = try read("{\"url\":\"\(mebibyte)\"}\n{\"url\":\"u\"}\n", options())
        #expect(events.entries.count == 2 && events.entries[0].byteCount < 2_100)
    }

    @Test("what was read before damage is handed out before the error, and the error stays")
    func damage() throws {
        let log = (0..<60).map { logLine($0) }.joined()
        let member = Gzip.member(Array(log.utf8))
        let reading = try read(Array(member[..<(member.count - 50)]), options())
        #expect(reading.entries.count == 59)
        guard case .truncatedGzip = reading.error else {
            Issue.record("expected .truncatedGzip, got \(String(describing: reading.error))")
            return
        }
    }

    @Test("the source is named by content, or by name")
    func sourceIDs() throws {
        let log = Array((0..<60).map { logLine($0) }.joined().utf8)
        let plain = try ScratchFile(log)
        let compressed = try ScratchFile(Gzip.member(log + Array(logLine(59).utf8)))
        let ids = try [plain.path, compressed.path].map { path in
            try ImportSequence(try ByteSource.file(path), options: options()).sourceID()
        }
        #expect(ids[0] != nil && ids[0] == ids[1])
        let named = try ImportSequence(
            try ByteSource.file(plain.path), options: options(name: "site")
        ).sourceID()
        // SHA-1 of "site", by sha1sum.
        #expect(named?.hex == "c099a42a5555825cdb50df0c04932bcd29613457")
    }

    @Test("every error is one line")
    func errors() throws {
        let all: [ImportError] = [
            .cannotOpen(name: "f", code: 2), .notAFile(name: "f"),
            .cannotRead(name: "f", offset: 1, code: 5),
            .corruptGzip(name: "f", offset: 1, reason: "r"), .truncatedGzip(name: "f", offset: 1),
            .unknownFormat(name: "f"), .hostMissing(name: "f", line: 1), .invalidHost("a/b"),
        ]
        for error in all {
            #expect(!error.description.contains("\n") && !error.description.isEmpty)
        }
    }
}
