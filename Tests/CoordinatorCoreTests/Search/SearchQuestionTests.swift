import CoordinatorCore
import Hashing
import Testing

@Suite("Words and questions of a search")
struct SearchQuestionTests {
    @Test(
        "a text is taken apart into words",
        arguments: [
            ("Covid-19_été", "covid 19 ete"), ("l'été à l’ÉCOLE", "l ete a ecole"),
            ("foo_bar-baz/qux.html", "foo bar baz qux html"), ("", ""), ("  -_/.,!? ", ""),
            ("Straße Œuvre Ærø", "strasse oeuvre aero"), ("e\u{301}te\u{301}", "ete"),
            ("ÀÉÎÕÜ", "aeiou"), ("İstanbul", "istanbul"), ("Lëtzebuerg", "letzebuerg"),
            ("the THE The", "the"), ("Москва 北京", "москва 北京"), ("a\u{0}b\u{7}c", "a b c"),
            ("co\u{AD}op", "coop"), ("👍 ok", "ok"),
            ("@title:(x) {y} [z] \"q\" *|-~$%^\\", "title x y z q"),
            ("\u{FFFD}x\u{FFFD}", "x"), ("١٢٣", "١٢٣"),
        ] as [(String, String)])
    func words(text: String, expected: String) {
        let words = SearchWords.words(of: text)
        #expect(words.joined(separator: " ") == expected)
        #expect(SearchWords.words(of: expected) == words, "taking apart twice changes nothing")
    }

    @Test(
        "the words of a URL are those behind its escapes",
        arguments: [
            ("www.rtl.lu/actu/caf%C3%A9_noir/a/123.html", "www rtl lu actu cafe noir a 123 html"),
            ("x.lu/%E9%ZZ/a%2Fb", "x lu zz a b"), ("x.lu/", "x lu"),
            ("x.lu/a?id=7", "x lu a id 7"),
        ])
    func urls(url: String, expected: String) {
        #expect(SearchWords.words(ofURL: url).joined(separator: " ") == expected)
    }

    @Test("a text of any size costs no more than its bounds")
    func bounded() {
        let run = SearchWords.words(of: String(repeating: "a", count: 1_000_000))
        #expect(run == [String(repeating: "a", count: SearchWords.longestWord)])
        let many = SearchWords.words(of: (0..<100_000).map { "w\($0)" }.joined(separator: " "))
        #expect(many.count == SearchWords.maximumWords)
    }

    private func query(
        _ words: String, of dimension: Dimension = .page,
        _ change: (inout SearchQuestion) throws -> Void = { _ in }
    ) throws -> (text: String, values: [String]) {
        var question = try SearchQuestion(dimension, words: words)
        try change(&question)
        let query = try question.query()
        return (query.text, query.parameters.map { "\($0.name)=\($0.value)" })
    }

    private static let fields = "@words|title_words|url|title|kicker"

    @Test(
        "every word must occur; a word finds what it begins, a number and a short word only itself")
    func text() throws {
        #expect(try query("Été").text == "\(Self.fields):(ete|ete*)")
        #expect(
            try query("1250240 a be").text
                == "\(Self.fields):(1250240) \(Self.fields):(a) \(Self.fields):(be)")
    }

    @Test("filters are parameters, never part of the query")
    func filters() throws {
        let hostile = "} | * {@id:[0 +inf]}"
        let found = try query("") {
            $0.keep(website: SHA1Hasher().recordID(of: "RTL"))
            try $0.keep(section: hostile)
            try $0.keep(level: .init("1=\(hostile)"))
            $0.keep(since: 5)
        }
        #expect(
            found.text
                == "@website_id:{$p0} @section_level_0:{$p1} (@section_level_1:{$p2}) "
                + "@last_visited:[5 +inf]")
        #expect(found.values[1] == "p1=\(hostile)" && found.values[2] == "p2=\(hostile)")
    }

    @Test("a section and what is below it")
    func sections() throws {
        let one = try query("") { try $0.keep(section: "actu") }
        #expect(one.text == "@section_level_0:{$p0}")
        let home = try query("") { try $0.keep(section: "(home)") }
        #expect(home.text == "@section_name:{$p0}")
        let two = try query("") { try $0.keep(section: "actu/monde") }
        #expect(
            two.text
                == "@section_name:{$p0} @section_name:{$p1} "
                + "((@section_level_0:{$p0} @section_level_1:{$p1})|@section_level_0:{$p2})")
        #expect(two.values == ["p0=actu", "p1=monde", "p2=actu/monde"])
        let three = try query("") { try $0.keep(section: "a/b/c") }
        #expect(three.text.hasSuffix("@section_level_2:{$p2}"))
        let level = try query("") { try $0.keep(level: .init("monde")) }
        #expect(level.text.contains("@section_level_0:{$p0}|@section_level_1:{$p0}|"))
        #expect(level.text.contains("@section_level_4:{$p0}"))
    }

    @Test("sections are looked for by the words of their name, their levels and their website")
    func ofSections() throws {
        let website = SHA1Hasher().recordID(of: "RTL")
        let found = try query("Été", of: .section) {
            $0.keep(website: website)
            try $0.keep(section: "actu/monde")
            try $0.keep(level: .init("1=monde"))
        }
        #expect(
            found.text
                == "@website_id:{$p0} @name:{$p1} @name:{$p2} "
                + "((@level_0:{$p1} @level_1:{$p2})|@level_0:{$p3}) (@level_1:{$p4}) "
                + "@words:(ete|ete*)")
        #expect(
            found.values
                == ["p0=\(website.hex)", "p1=actu", "p2=monde", "p3=actu/monde", "p4=monde"])
    }

    @Test("websites are looked for by the words of their name, and by a section that they have")
    func ofWebsites() throws {
        let website = SHA1Hasher().recordID(of: "RTL")
        let found = try query("rtl", of: .website) {
            $0.keep(website: website)
            try $0.keep(section: "a} | *")
        }
        #expect(found.text == "@id:{$p0} @section_name:{$p1|$p2*} @words:(rtl|rtl*)")
        #expect(found.values == ["p0=\(website.hex)", "p1=a} | *", "p2=a} | */"])
        #expect(throws: SearchQuestion.Refusal.levelOfWebsite) {
            try query("", of: .website) { try $0.keep(level: .init("monde")) }
        }
    }

    @Test("what cannot be asked is a sentence")
    func refused() throws {
        func refusal(
            _ words: String, _ change: (inout SearchQuestion) throws -> Void = { _ in }
        ) -> SearchQuestion.Refusal? {
            do {
                _ = try query(words, change)
                return nil
            } catch {
                return error as? SearchQuestion.Refusal
            }
        }
        #expect(refusal("") == .empty && refusal(" \n\t") == .empty)
        #expect(refusal("?!* -") == .noWords("?!* -"))
        let seventeen = (1...17).map { "w\($0)" }.joined(separator: " ")
        #expect(refusal(seventeen) == .tooManyWords(17))
        for path in ["", "/", "a/", "/a", "a//b", "1/2/3/4/5/6"] {
            let found = refusal("x") { try $0.keep(section: path) }
            #expect(found == .path(path))
        }
        for level in ["", "5=a", "0="] {
            let found = refusal("x") { try $0.keep(level: .init(level)) }
            #expect(found == .path(level))
        }
        #expect(try SearchQuestion.Level("x=y") == .init("x=y"), "a name may hold the sign")
        #expect(try SearchQuestion.Level("x=y").place == nil)
        #expect(try SearchQuestion.Level("4=y").place == 4)
    }

    @Test("the newest are looked for in a longer while each time, never before what was asked for")
    func narrowing() throws {
        let now: Int64 = 1_795_549_038_708
        let minute: Int64 = 60_000
        func starts(_ question: SearchQuestion) throws -> [String] {
            try question.narrowed(now: now).map { question in
                let text = try question.query().text
                return text.split(separator: "[").dropFirst().first.map { String($0.prefix(13)) }
                    ?? ""
            }
        }
        var question = try SearchQuestion(words: "opera")
        let all = [Int64(1), 10, 100, 1_000, 10_000].map { "\(now - $0 * minute)" }
        #expect(try starts(question) == all + [""])
        question.keep(since: now - 30 * minute)
        #expect(try starts(question) == all.prefix(2) + ["\(now - 30 * minute)"])
    }
}
