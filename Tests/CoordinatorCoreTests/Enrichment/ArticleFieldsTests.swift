import Testing

@testable import CoordinatorCore

/// What is taken from an API's answer, which may be anything.
@Suite("Article fields")
struct ArticleFieldsTests {
    private static func fields(
        _ title: String = "title", _ kicker: String = "kicker", _ date: String = "display_date"
    ) throws -> ArticleFields {
        try ArticleFields(title: title, kicker: kicker, displayDate: date)
    }

    private func read(_ text: String, _ fields: ArticleFields? = nil) throws -> ArticleFields
        .Values?
    {
        let fields = try fields ?? Self.fields()
        do throws(ArticleFields.Unreadable) { return try fields.read(Array(text.utf8)) } catch {
            return nil
        }
    }

    @Test("title, kicker and date are taken; what is missing or another type is left out")
    func plain() throws {
        let whole =
            #"{"title":" A “title” ","kicker":"K","display_date":"2024-07-24T21:58:20+02:00"}"#
        #expect(
            try read(whole)
                == .init(title: "A “title”", kicker: "K", displayDate: 1_721_851_100_000))
        let bare = ArticleFields.Values(title: "T", kicker: nil, displayDate: nil)
        for text in [
            #"{"title":"T"}"#, #"{"title":"T","kicker":null,"display_date":5}"#,
            #"{"kicker":["K"],"title":"T","display_date":"yesterday"}"#,
            #"{"title":{"title":"X"},"title":"T"}"#, #"{"title":"X","title":"T","kicker":" "}"#,
            #"  {"title" : "T" , "more": [1, -2.5e+3, true, false, null, {}, []] }  "#,
            #"{"other":{"title":"X","kicker":"X"},"title":"T"}"#, #"{"\u0074itle":"T"}"#,
        ] {
            #expect(try read(text) == bare, "\(text)")
        }
    }

    @Test("paths lead into objects and arrays")
    func paths() throws {
        let fields = try Self.fields("data.1.attributes.title", "data.0", "when.at")
        let text =
            #"{"data":["K",{"attributes":{"title":"T"}}],"when":{"at":"1970-01-01T00:00:01Z"}}"#
        #expect(try read(text, fields) == .init(title: "T", kicker: "K", displayDate: 1_000))
        // A later member of the same name replaces all that the earlier one held.
        #expect(try read(#"{"data":["K",{"attributes":{"title":"T"}}],"data":[]}"#, fields) == nil)
    }

    @Test(
        "what is no article is refused",
        arguments: [
            "", " ", "{", "{}", "[]", "null", "\"title\"", #"{"title":null}"#, #"{"title":""}"#,
            #"{"title":" \n "}"#, #"{"title":7}"#, #"{"title":"T"} x"#, #"{"title":"T",}"#,
            #"{"title":"T""#, #"{title:"T"}"#, #"{"title":"T\x"}"#, #"{"title":"T\u00"}"#,
            #"{"a":01,"title":"T"}"#, #"{"a":.5,"title":"T"}"#, #"{"a":1.,"title":"T"}"#,
            #"{"a":1e,"title":"T"}"#, #"{"a":tru,"title":"T"}"#, "{\"title\":\"a\nb\"}",
            "<html><title>Login</title></html>", #"{"a":-,"title":"T"}"#, #"{"a":+1,"title":"T"}"#,
        ])
    func refused(text: String) throws {
        #expect(try read(text) == nil, "\(text)")
    }

    @Test("escapes become what they stand for; half a pair becomes a replacement")
    func escapes() throws {
        let text = #"{"title":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\ud83d\uD83Dx"}"#
        #expect(
            try read(text)?.title
                == "\"\\/\u{8}\u{C}\n\r\t\u{E9}\u{1F600}\u{FFFD}\u{FFFD}x")
    }

    @Test("bytes that are not UTF-8 and depths without end are refused; long titles are cut")
    func bounds() throws {
        let fields = try Self.fields()
        let bytes = Array(#"{"title":""#.utf8) + [0xFF] + Array(#""}"#.utf8)
        #expect(throws: ArticleFields.Unreadable.self) { _ = try fields.read(bytes) }
        for deep in [
            String(repeating: "[", count: 100_000), String(repeating: #"{"a":"#, count: 100_000),
        ] {
            #expect(try read(deep) == nil)
        }
        let shallow = String(repeating: "[", count: 50) + String(repeating: "]", count: 50)
        #expect(try read(#"{"a":\#(shallow),"title":"T"}"#) != nil)
        let long = String(repeating: "é", count: 2_000)
        let cut = try #require(try read(#"{"title":"x\#(long)"}"#)?.title)
        #expect(cut.utf8.count == 1_023 && cut.hasSuffix("é"))
    }

    @Test("a status decides what becomes of the page")
    func statuses() throws {
        let fields = try Self.fields()
        func outcome(_ status: Int, _ body: String = #"{"title":"T"}"#) -> ArticleOutcome {
            ArticleOutcome(
                status: status, body: Array(body.utf8), retryAfter: .seconds(3), fields: fields)
        }
        #expect(outcome(200) == .found(.init(title: "T", kicker: nil, displayDate: nil)))
        guard case .unreadable(_, isHostAtFault: true) = outcome(200, "<html>"),
            case .unreadable(_, isHostAtFault: false) = outcome(200, "{}"),
            case .unreadable(_, isHostAtFault: false) = outcome(204, "")
        else {
            Issue.record("a page was taken that is none")
            return
        }
        for status in [404, 410] { #expect(outcome(status) == .missing) }
        for status in [408, 425, 429, 500, 502, 503, 504, 520] {
            #expect(
                outcome(status) == .failed(reason: "status \(status)", retryAfter: .seconds(3)))
        }
        for (status, isHost) in [
            (301, true), (302, true), (304, true), (400, false), (401, true), (403, true),
            (406, false), (418, false), (501, true),
        ] {
            guard case .refused(_, isHostAtFault: isHost) = outcome(status) else {
                Issue.record("\(status): \(outcome(status))")
                continue
            }
        }
    }
}
