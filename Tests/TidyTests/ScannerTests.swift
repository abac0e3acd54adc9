import Testing

/// The scanner is trusted by every other rule, so it has rows of its own.
@Suite("Telling code, comments and literals apart")
struct ScannerTests {
    @Test(
        "code and comment of a line",
        arguments: [
            ("let a = 1 // why", "let a = 1 ", "// why"),
            ("a(\"try! // x\") // y", "a(\"\") ", "// y"),
            ("\"\\(b(\"c\"))\" + d", "\"b(\"\")\" + d", ""), ("#\"\\(x\"#, y", "\"\", y", ""),
            ("/* a /* b */ c */ d", " d", " a  b  c "), ("\"\\\\\" + e", "\"\" + e", ""),
            ("#if os(Linux)", "#if os(Linux)", ""),
            ("\"\\\"\" // z", "\"\" ", "// z"),
        ])
    func parts(text: String, code: String, comment: String) {
        let line = SwiftText.lines(of: text)[0]
        #expect(String(decoding: line.code, as: UTF8.self) == code)
        #expect(String(decoding: line.comment, as: UTF8.self) == comment)
    }

    @Test("a literal over several lines is no code")
    func multiline() {
        let lines = SwiftText.lines(of: "let a = \"\"\"\n    try! x // y\n    \"\"\"\nlet b = 1")
        #expect(lines.count == 4 && !lines.contains { $0.hasCode("try!") || $0.hasComment("y") })
        #expect(lines[3].hasCode(word: "let"))
    }

    @Test("a word is not a part of a name")
    func words() {
        let line = SwiftText.lines(of: "await loopSleep(x); publicly(); public let")[0]
        #expect(
            !line.hasCode(word: "sleep(") && line.hasCode(word: "public")
                && !line.hasCode(word: "loop"))
    }

    @Test("functions are measured from their first line to their last brace")
    func functions() {
        let text = """
            struct A {
                init() { self.init(b: { 1 }) }
                func b(
                    c: Int
                ) -> Int {
                    if c > 1 {
                        return c
                    }
                    return 0
                }
                var d: Int { 0 }
            }
            """
        let found = DeclarationScan.functions(in: SwiftText.lines(of: text))
        #expect(found.map(\.firstLine) == [2, 3] && found.map(\.length) == [1, 8])
    }
}
