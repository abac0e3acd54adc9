import Glibc
import Testing

@testable import Terminal

@Suite("Text on a terminal")
struct TerminalTextTests {
    @Test(
        "widths",
        arguments: [
            ("abc", 3), ("", 0), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("👍", 2),
            ("👨‍👩‍👧", 2), ("한", 2),
            ("ﾊ", 1), ("Ａ", 2), ("❤️", 2), ("\u{200D}", 0), ("…", 1),
        ])
    func widths(text: String, width: Int) {
        #expect(TerminalText.width(of: text) == width)
    }

    @Test(
        "what could move the cursor or reorder text is shown, not sent",
        arguments: [
            ("plain", "plain"), ("\u{1B}[31m", "\\u{1B}[31m"), ("a\u{202E}b", "a\\u{202E}b"),
            ("\u{9B}x", "\\u{9B}x"), ("a\r\nb", "a\\u{D}\\u{A}b"), ("\u{0}", "\\u{0}"),
            ("é日", "é日"),
            ("\u{2028}", "\\u{2028}"), ("\u{FEFF}", "\\u{FEFF}"), ("\u{2066}", "\\u{2066}"),
        ])
    func escapes(text: String, shown: String) {
        #expect(TerminalText.escaped(text) == shown)
    }

    @Test("what is cut ends with an ellipsis and fits, wide characters too")
    func cuts() {
        #expect(TerminalText.shortened("abcdef", toWidth: 4) == "abc…")
        #expect(TerminalText.shortened("abcd", toWidth: 4) == "abcd")
        #expect(TerminalText.shortened("日本語", toWidth: 4) == "日…")
        #expect(TerminalText.shortened("abc", toWidth: 0) == "")
    }
}

@Suite("Tables")
struct TableTests {
    private var table: Table {
        var table = Table([
            TableColumn("RANK", .trailing), TableColumn("URL", isElastic: true, isName: true),
            TableColumn("VIEWS", field: "pageviews", .trailing),
            TableColumn("ID", isWideOnly: true),
        ])
        table.append([
            .number(1), "www.example.org/a/very/long/path/of/a/page", .number(1_234_567), "x",
        ])
        table.append([.number(2), "=cmd\u{1B}", .number(nil), "y"])
        return table
    }

    @Test("columns are aligned, and the elastic one is cut to the terminal")
    func narrow() {
        let expected = """
            RANK  URL                     VIEWS
               1  www.example.org/a…  1,234,567
               2  =cmd\\u{1B}                  –

            """
        #expect(table.text(RenderingStyle(width: 35)) == expected)
    }

    @Test("no line is wider than the terminal while an elastic column can give way")
    func widths() {
        for width in 27...120 {
            for line in table.text(RenderingStyle(width: width)).split(separator: "\n") {
                #expect(TerminalText.width(of: String(line)) <= width)
            }
        }
    }

    @Test("wide shows every column and cuts nothing")
    func wide() {
        let text = table.text(RenderingStyle(format: .wide, width: 20))
        #expect(text.contains("www.example.org/a/very/long/path/of/a/page"))
        #expect(text.contains("  ID\n"))
    }

    @Test("a drawing is for people alone, what a heading tells them is in csv alone")
    func audiences() {
        var table = Table([
            TableColumn("NAME"), TableColumn("BAR", audience: .people),
            TableColumn("", field: "from", audience: .programs),
        ])
        table.append(["a", "▇▇", "5"])
        #expect(table.text(RenderingStyle(format: .csv)) == "name,from\r\na,5\r\n")
        for format in [OutputFormat.table, .wide] {
            let text = table.text(RenderingStyle(format: format))
            #expect(text.contains("▇▇") && !text.contains("5"), "\(text)")
        }
    }

    @Test("headers can be left out, csv holds plain values, names stand alone")
    func otherFormats() {
        let bare = table.text(RenderingStyle(width: 80, showsHeaders: false))
        #expect(!bare.contains("RANK"))
        let csv = table.text(RenderingStyle(format: .csv))
        #expect(
            csv.hasPrefix(
                "rank,url,pageviews,id\r\n"
                    + "1,www.example.org/a/very/long/path/of/a/page,1234567,x\r\n"
            ))
        #expect(csv.hasSuffix("2,'=cmd\\u{1B},,y\r\n"))
        let names = table.text(RenderingStyle(format: .name))
        #expect(names == "www.example.org/a/very/long/path/of/a/page\n=cmd\\u{1B}\n")
    }

    @Test("colour only where it is wanted")
    func colour() {
        var table = Table([TableColumn("A")])
        table.append([TableCell("x", tone: .bad)])
        #expect(table.text(RenderingStyle()) == "A\nx\n")
        let coloured = table.text(RenderingStyle(hasColour: true))
        #expect(coloured == "\u{1B}[1mA\u{1B}[0m\n\u{1B}[31mx\u{1B}[0m\n")
    }

    @Test(
        "csv cells are quoted, and formulas defused",
        arguments: [
            ("a", "a"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("a\nb", "a\\u{A}b"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"), ("-1", "-1"), ("-1.5", "-1.5"), ("-x", "'-x"), ("-1+2", "'-1+2"),
            ("@x", "'@x"),
            ("\tx", "'\\u{9}x"), ("\r=1,2", "\"'\\u{D}=1,2\""), ("\n=x", "'\\u{A}=x"),
            ("\u{FF1D}1", "'\u{FF1D}1"), ("a\u{1B}[2Jb\u{202E}", "a\\u{1B}[2Jb\\u{202E}"), ("", ""),
        ])
    func csvCells(cell: String, written: String) {
        var writer = CSVWriter()
        writer.row([cell])
        #expect(String(decoding: writer.take(), as: UTF8.self) == written + "\r\n")
        #expect(writer.bytes.isEmpty)
    }
}

@Suite("JSON")
struct JSONTests {
    @Test("a document keeps the order of its keys")
    func document() {
        let value: JSONValue = [
            "z": 1, "a": [1, "x", nil, true], "big": .largeInteger(.max), "n": .number(1.5),
            "e": [:], "l": [],
            "nan": .number(.nan), "o": .optional(nil as Int64?),
        ]
        #expect(
            value.text()
                == #"{"z":1,"a":[1,"x",null,true],"big":"18446744073709551615","n":1.5,"#
                + #""e":{},"l":[],"nan":null,"o":null}"# + "\n")
    }

    @Test("an indented document")
    func indented() {
        let value: JSONValue = ["a": [1], "b": [:]]
        #expect(value.text(isIndented: true) == "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}\n")
    }

    @Test(
        "strings are escaped, harmless on a terminal too",
        arguments: [
            ("a\"b\\", #""a\"b\\""#), ("\n\r\t", #""\n\r\t""#), ("\u{0}\u{1B}", #""\u0000\u001b""#),
            ("é日👍", "\"é日👍\""), ("\u{202E}", #""\u202e""#), ("\u{2028}", #""\u2028""#),
            ("\u{E0001}", #""\udb40\udc01""#), ("/", "\"/\""), ("\u{7F}", #""\u007f""#),
        ])
    func strings(text: String, written: String) {
        #expect(JSONValue.string(text).text() == written + "\n")
    }

    @Test("bytes that are not UTF-8 are replaced")
    func invalid() {
        var writer = JSONWriter()
        ([0x61, 0xFF, 0x62] as [UInt8]).withUnsafeBytes { writer.string(bytes: $0) }
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "\"a\u{FFFD}b\"")
    }

    @Test("a long document is handed out piece by piece")
    func pieces() {
        var writer = JSONWriter()
        var sent: [UInt8] = []
        writer.beginArray()
        for number in 0..<3 {
            writer.integer(Int64(number))
            sent += writer.take()
        }
        writer.endArray()
        sent += writer.take()
        #expect(String(decoding: sent, as: UTF8.self) == "[0,1,2]")
    }

    @Test("an answer in the JSON formats and as a table")
    func answer() {
        var table = Table([TableColumn("NAME")])
        table.append(["x"])
        let answer = Document(["rows": ["x"]], lines: ["x"], table: table)
        #expect(answer.text(RenderingStyle(format: .ndjson)) == "\"x\"\n")
        #expect(
            answer.text(RenderingStyle(format: .json)) == "{\n  \"rows\": [\n    \"x\"\n  ]\n}\n")
        #expect(answer.text(RenderingStyle(format: .name)) == "x\n")
    }
}

@Suite("Numbers for people")
struct NumberTextTests {
    @Test(
        "grouped digits",
        arguments: [
            (0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567"),
            (Int64.min, "-9,223,372,036,854,775,808"),
        ]
            as [(Int64, String)])
    func grouped(number: Int64, text: String) {
        #expect(NumberText.grouped(number) == text)
    }

    @Test(
        "spans",
        arguments: [
            (0, "0 ms"), (850, "850 ms"), (1_000, "1 s"), (1_500, "1.5 s"), (59_999, "59 s"),
            (123_000, "2 min 3 s"),
            (120_000, "2 min"), (86_400_000 + 3_600_000 * 4, "1 d 4 h"), (-5_000, "-5 s"),
        ] as [(Int64, String)])
    func spans(milliseconds: Int64, text: String) {
        #expect(NumberText.span(.milliseconds(milliseconds)) == text)
    }

    @Test("relative times, shares and sizes")
    func others() {
        #expect(NumberText.relative(1_000, now: 6_000) == "5 s ago")
        #expect(NumberText.relative(6_000, now: 1_000) == "in 5 s")
        #expect(NumberText.relative(1_000, now: 1_100) == "now")
        #expect(NumberText.relative(.min, now: .max) == "–")
        #expect(NumberText.percent(0.1234) == "12.3 %")
        #expect(NumberText.percent(.nan) == "–")
        #expect(NumberText.bytes(1_536) == "1.5 KiB")
        #expect(NumberText.bytes(.max) == "8.0 EiB")
    }
}

@Suite("Progress and output")
struct OutputTests {
    @Test("elsewhere than on a terminal a line comes every ten seconds")
    func lines() {
        var bar = ProgressBar("import", total: 1_000, unit: .items("lines"), mode: .lines)
        #expect(bar.update(done: 0, at: .zero) == nil)
        #expect(bar.update(done: 100, at: .seconds(9)) == nil)
        #expect(
            bar.update(done: 200, at: .seconds(10))
                == "import: 20.0 %, 200 lines, 20/s, 40 s left\n")
        #expect(bar.finish(done: 1_000, at: .seconds(50)) == "import: 1,000 lines in 50 s, 20/s\n")
    }

    @Test("on a terminal the bar never takes the last column, and is redrawn in place")
    func bar() {
        for width in [20, 40, 80, 200] {
            var bar = ProgressBar("import", total: 1_000, unit: .bytes, mode: .bar(width: width))
            var text = bar.update(done: 0, at: .zero)
            #expect(text?.hasPrefix("\r") == true)
            #expect(bar.update(done: 1, at: .milliseconds(50)) == nil)
            text = bar.update(done: 500, at: .seconds(1))
            let shown = (text ?? "").dropFirst().dropLast(3)
            #expect(TerminalText.width(of: String(shown)) < width, "\(shown)")
        }
    }

    @Test("a quiet one says nothing, a total unknown makes no bar")
    func quiet() {
        var quiet = ProgressBar("x", total: nil, unit: .bytes, mode: .silent)
        #expect(quiet.update(done: 0, at: .zero) == nil)
        #expect(quiet.finish(done: 5, at: .seconds(100)) == nil)
        var unknown = ProgressBar("x", total: nil, unit: .bytes, mode: .bar(width: 80))
        #expect(unknown.update(done: 5, at: .zero) == "\rx 5 B\u{1B}[K")
        #expect(unknown.finish(done: 5, at: .zero) == "\r\u{1B}[Kx: 5 B in 0 ms\n")
    }

    @Test("what is written arrives, and a reader that goes away is no error")
    func pipes() throws {
        OutputWriter.ignoreBrokenPipes()
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let writer = OutputWriter(descriptor: ends[1])
        writer.write("hello ")
        writer.write(Array("world".utf8))
        writer.flush()
        var received = [UInt8](repeating: 0, count: 64)
        let count = read(ends[0], &received, received.count)
        #expect(String(decoding: received.prefix(max(0, count)), as: UTF8.self) == "hello world")
        close(ends[0])
        writer.write("more")
        #expect(writer.finish() == nil)
        #expect(writer.isReaderGone && !writer.isUsable)
        close(ends[1])
    }

    @Test("any other failure is told")
    func failures() {
        let writer = OutputWriter(descriptor: -1)
        writer.write("x")
        #expect(writer.finish() == "cannot write the output: Bad file descriptor")
    }

    @Test("no terminal means 80 columns and no colour")
    func noTerminal() {
        let info = TerminalInfo(descriptor: -1, environment: [:])
        #expect(!info.isTerminal && info.width == 80 && !info.hasColour)
    }

    @Test("the exit codes are the ones scripts rely on")
    func exitCodes() {
        #expect(ExitCode.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 6, 64, 78])
        #expect(ExitCode.helpTable.contains("  64  wrong usage"))
    }
}
