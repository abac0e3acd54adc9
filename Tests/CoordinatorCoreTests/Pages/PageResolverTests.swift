import CoordinatorCore
import Hashing
import Testing

/// A URL, and the page, website, section, levels and article that it must give.
struct Resolved: Sendable, CustomTestStringConvertible {
    let given: String
    let url: String
    let website: String
    let section: String
    let levels: [String]
    let article: UInt64?

    init(
        _ given: String, _ url: String, _ website: String, _ section: String,
        _ levels: [String] = [],
        article: UInt64? = nil
    ) {
        (self.given, self.url, self.website) = (given, url, website)
        (self.section, self.levels, self.article) = (section, levels, article)
    }

    var testDescription: String { given }
}

@Suite("Pages of URLs")
struct PageResolverTests {
    private let original = PageResolver(sites: .original, hasher: SHA1Hasher())

    private func expect(_ row: Resolved, from resolver: PageResolver) throws {
        let address = try resolver.resolve(row.given)
        #expect(address.url.utf8.elementsEqual(row.url.utf8), "\(address.url)")
        #expect(address.website == row.website)
        #expect(address.section == row.section)
        #expect(address.levels == row.levels)
        #expect(address.articleID == row.article)
        let hasher = SHA1Hasher()
        #expect(address.websiteID == hasher.recordID(of: row.website))
        #expect(address.sectionID == hasher.recordID(of: row.website + "/" + row.section))
        #expect(address.pageID == hasher.recordID(of: row.url))
    }

    @Test(
        "scheme, user info, port, query and fragment are not the page's",
        arguments: [
            Resolved("http://www.rtl.lu", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("HTTPS://WWW.RTL.LU/", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu?x=1", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu#top", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu/a?b/c#d/e", "www.rtl.lu/a", "RTL", "a", ["a"]),
            Resolved("http://www.rtl.lu/a#b?c", "www.rtl.lu/a", "RTL", "a", ["a"]),
            Resolved("http://me:secret@www.rtl.lu/a", "www.rtl.lu/a", "RTL", "a", ["a"]),
            Resolved("http://a@b@www.rtl.lu/a", "www.rtl.lu/a", "RTL", "a", ["a"]),
            Resolved("http://@www.rtl.lu/", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu/a@b", "www.rtl.lu/a@b", "RTL", "a@b", ["a@b"]),
            Resolved("http://www.rtl.lu:80/", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu:443/", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("https://www.rtl.lu:80/", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu:/", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu:0080/", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu:8080/a", "www.rtl.lu:8080/a", "RTL", "a", ["a"]),
            Resolved("http://www.rtl.lu:08080", "www.rtl.lu:8080/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu.:8080/", "www.rtl.lu:8080/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu./", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu.../", "www.rtl.lu/", "RTL", "(home)"),
        ])
    func authority(row: Resolved) throws {
        try expect(row, from: original)
    }

    @Test(
        "a host that the table does not name is a website of its own",
        arguments: [
            Resolved("http://5minutes.rtl.lu/x", "5minutes.rtl.lu/x", "5MINUTES", "x", ["x"]),
            Resolved("http://www.eldo.lu/", "www.eldo.lu/", "ELDO", "(home)"),
            Resolved("http://today.rtl.lu/", "today.rtl.lu/", "TODAY", "(home)"),
            Resolved("http://rtl.lu/", "rtl.lu/", "RTL.LU", "(home)"),
            Resolved("http://www.example.com/", "www.example.com/", "EXAMPLE.COM", "(home)"),
            Resolved("http://www.www.de/", "www.www.de/", "WWW.DE", "(home)"),
            Resolved("http://www./", "www/", "WWW", "(home)"),
            Resolved("http://www/", "www/", "WWW", "(home)"),
            Resolved("http://wwwx.de/", "wwwx.de/", "WWWX.DE", "(home)"),
            Resolved("http://[2001:DB8::1]/a", "[2001:db8::1]/a", "[2001:DB8::1]", "a", ["a"]),
            Resolved("http://[::1]:8080/", "[::1]:8080/", "[::1]", "(home)"),
            Resolved("http://[::1]:80", "[::1]/", "[::1]", "(home)"),
            Resolved("http://u@[::1]/", "[::1]/", "[::1]", "(home)"),
            Resolved("http://127.0.0.1/", "127.0.0.1/", "127.0.0.1", "(home)"),
            Resolved("http://MÜNCHEN.de/", "münchen.de/", "MÜNCHEN.DE", "(home)"),
            Resolved("http://straße.de/", "straße.de/", "STRASSE.DE", "(home)"),
            Resolved("http://日本.jp/", "日本.jp/", "日本.JP", "(home)"),
            Resolved("http://E\u{301}.fr/", "e\u{301}.fr/", "E\u{301}.FR", "(home)"),
            Resolved(
                "http://xn--mnchen-3ya.de/", "xn--mnchen-3ya.de/", "XN--MNCHEN-3YA.DE", "(home)"),
            Resolved("http://{a:1}@x{y}/", "x{y}/", "X{Y}", "(home)"),
            Resolved("http://a%2Fb/", "a%2fb/", "A%2FB", "(home)"),
            Resolved("http://a b\u{0}c/", "a b\u{0}c/", "A B\u{0}C", "(home)"),
        ])
    func hosts(row: Resolved) throws {
        try expect(row, from: original)
    }

    @Test(
        "a path is percent-decoded, joined, resolved and cut, in that order",
        arguments: [
            Resolved("http://www.rtl.lu/a%62%7E%2D", "www.rtl.lu/ab~-", "RTL", "ab~-", ["ab~-"]),
            Resolved("http://www.rtl.lu/%c3%a9", "www.rtl.lu/%C3%A9", "RTL", "é", ["é"]),
            Resolved("http://www.rtl.lu/é", "www.rtl.lu/é", "RTL", "é", ["é"]),
            Resolved(
                "http://www.rtl.lu/%ff%zz%", "www.rtl.lu/%FF%zz%", "RTL", "\u{FFFD}%zz%",
                ["\u{FFFD}%zz%"]),
            Resolved(
                "http://www.rtl.lu/%ed%a0%80", "www.rtl.lu/%ED%A0%80", "RTL",
                "\u{FFFD}\u{FFFD}\u{FFFD}", ["\u{FFFD}\u{FFFD}\u{FFFD}"]),
            Resolved(
                "http://www.rtl.lu/%e2%82", "www.rtl.lu/%E2%82", "RTL", "\u{FFFD}", ["\u{FFFD}"]),
            Resolved("http://www.rtl.lu/%2541", "www.rtl.lu/%2541", "RTL", "%41", ["%41"]),
            Resolved("http://www.rtl.lu/%%34%31", "www.rtl.lu/A", "RTL", "A", ["A"]),
            Resolved("http://www.rtl.lu/%4%31", "www.rtl.lu/A", "RTL", "A", ["A"]),
            Resolved("http://www.rtl.lu/%%32f", "www.rtl.lu/%2F", "RTL", "/", ["/"]),
            Resolved("http://www.rtl.lu/%00", "www.rtl.lu/%00", "RTL", "\u{0}", ["\u{0}"]),
            Resolved(
                "http://www.rtl.lu/a//b///c", "www.rtl.lu/a/b/c", "RTL", "a/b", ["a", "b", "c"]),
            Resolved("http://www.rtl.lu//", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu/a/", "www.rtl.lu/a", "RTL", "a", ["a"]),
            Resolved("http://www.rtl.lu/a/./b/../c", "www.rtl.lu/a/c", "RTL", "a", ["a", "c"]),
            Resolved("http://www.rtl.lu/a//../b", "www.rtl.lu/b", "RTL", "b", ["b"]),
            Resolved("http://www.rtl.lu/../../a", "www.rtl.lu/a", "RTL", "a", ["a"]),
            Resolved("http://www.rtl.lu/a/b/..", "www.rtl.lu/a", "RTL", "a", ["a"]),
            Resolved("http://www.rtl.lu/a/..", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://www.rtl.lu/%2e%2E/a/%2e", "www.rtl.lu/a", "RTL", "a", ["a"]),
            Resolved("http://www.rtl.lu/%%32e/a", "www.rtl.lu/a", "RTL", "a", ["a"]),
            Resolved("http://www.rtl.lu/...", "www.rtl.lu/...", "RTL", "...", ["..."]),
            Resolved("http://www.rtl.lu/a%2f..%2Fb", "www.rtl.lu/a%2F..%2Fb", "RTL", "a/", ["a/"]),
            Resolved(
                "http://www.rtl.lu/a%2fb/c/d", "www.rtl.lu/a%2Fb/c/d", "RTL", "a/b/c",
                ["a/b", "c", "d"]),
            Resolved(
                "http://www.rtl.lu/a:b{c}\\ d", "www.rtl.lu/a:b{c}\\ d", "RTL", "a:b{c}\\ d",
                ["a:b{c}\\ d"]),
            Resolved("http://www.rtl.lu/a%3Fb%23", "www.rtl.lu/a%3Fb%23", "RTL", "a?b#", ["a?b#"]),
        ])
    func paths(row: Resolved) throws {
        try expect(row, from: original)
    }

    @Test(
        "section, levels and article follow from the segments",
        arguments: [
            Resolved(
                "http://www.rtl.lu/news.html", "www.rtl.lu/news.html", "RTL", "news", ["news"]),
            Resolved(
                "http://www.rtl.lu/a.b/c.d.e", "www.rtl.lu/a.b/c.d.e", "RTL", "a.b", ["a.b", "c"]),
            Resolved("http://www.rtl.lu/.a.b", "www.rtl.lu/.a.b", "RTL", ".a.b", [".a.b"]),
            Resolved("http://www.rtl.lu/a%2Eb", "www.rtl.lu/a.b", "RTL", "a", ["a"]),
            Resolved(
                "http://www.rtl.lu/news/national/a/2212345.html",
                "www.rtl.lu/news/national/a/2212345.html", "RTL", "news/national",
                ["news", "national", "a", "2212345"], article: 2_212_345),
            Resolved("http://www.rtl.lu/007", "www.rtl.lu/007", "RTL", "007", ["007"], article: 7),
            Resolved(
                "http://www.rtl.lu/18446744073709551615", "www.rtl.lu/18446744073709551615", "RTL",
                "18446744073709551615", ["18446744073709551615"], article: .max),
            Resolved(
                "http://www.rtl.lu/18446744073709551616", "www.rtl.lu/18446744073709551616", "RTL",
                "18446744073709551616", ["18446744073709551616"]),
            Resolved("http://www.rtl.lu/a/12a", "www.rtl.lu/a/12a", "RTL", "a", ["a", "12a"]),
            Resolved("http://www.rtl.lu/a/%D9%A1", "www.rtl.lu/a/%D9%A1", "RTL", "a", ["a", "١"]),
            Resolved(
                "http://www.rtl.lu/a/b/c/d/e/f/99.x", "www.rtl.lu/a/b/c/d/e/f/99.x", "RTL", "a/b",
                ["a", "b", "c", "d", "e"], article: 99),
            Resolved("http://www.rtl.lu/a/b", "www.rtl.lu/a/b", "RTL", "a", ["a", "b"]),
            Resolved("http://www.rtl.lu/a/b/", "www.rtl.lu/a/b", "RTL", "a", ["a", "b"]),
        ])
    func sections(row: Resolved) throws {
        try expect(row, from: original)
    }

    @Test(
        "a site may keep query keys, sorted; the default names all other hosts",
        arguments: [
            Resolved("http://www.rtl.lu/a?x=1&id=2", "www.rtl.lu/a?id=2", "RTL", "a", ["a"]),
            Resolved(
                "http://www.rtl.lu/a?page=2&id=9&id=1", "www.rtl.lu/a?id=1&id=9&page=2", "RTL", "a",
                ["a"]),
            Resolved("http://www.rtl.lu?id=5", "www.rtl.lu/?id=5", "RTL", "(home)"),
            Resolved("http://www.rtl.lu/?id", "www.rtl.lu/?id", "RTL", "(home)"),
            Resolved(
                "http://www.rtl.lu/?%69d=%2f%41/../?b#c", "www.rtl.lu/?id=%2FA/../?b", "RTL",
                "(home)"),
            Resolved("http://www.rtl.lu/?a%5bb=1&&=&ID=1", "www.rtl.lu/?a%5Bb=1", "RTL", "(home)"),
            Resolved("http://www.rtl.lu/?x=1", "www.rtl.lu/", "RTL", "(home)"),
            Resolved("http://other.lu/?id=1", "other.lu/", "OTHER", "(home)"),
        ])
    func keptQueries(row: Resolved) throws {
        let sites = SiteTable(
            hosts: ["www.rtl.lu": "RTL", "*": "OTHER"], keepQuery: ["RTL": ["page", "id", "a[b"]])
        try expect(row, from: PageResolver(sites: sites, hasher: SHA1Hasher()))
    }

    @Test("hosts are looked up by their bytes, not by what a String calls equal")
    func lookupOnBytes() throws {
        let sites = SiteTable(hosts: ["\u{E9}.fr": "COMPOSED"])
        let resolver = PageResolver(sites: sites, hasher: SHA1Hasher())
        #expect(try resolver.resolve("http://\u{C9}.fr/").website == "COMPOSED")
        #expect(try resolver.resolve("http://e\u{301}.fr/").website != "COMPOSED")
    }

    @Test(
        "what is no absolute http URL with a host is refused",
        arguments: [
            "", "www.rtl.lu/", "//www.rtl.lu/", "ftp://www.rtl.lu/", "http:/www.rtl.lu", "http//x",
            "http:", "http", "httpx://a", " http://a/", "https:", "javascript:alert(1)",
            "http://", "http:///a", "http://?a", "http://#a", "http://@/", "http://me@", "http://.",
            "http://.../", "http://:80/", "http://a:b/", "http://a:80:80/", "http://a:65536/",
            "http://a:-1/", "http://a:99999999999999999999/", "http://[::1", "http://[::1]x/",
            "http://]:a/",
            "http://[::1]:x/", "hＴtp://a/",
        ])
    func refused(url: String) {
        let error = #expect(throws: RefusalError.self) { try original.resolve(url) }
        #expect(error?.reason == .url)
        #expect(original.explain(url).last?.step == "refused")
    }

    @Test("a URL of 2 KiB counts, a longer one is refused for its length before anything else")
    func length() throws {
        let longest = "http://a/" + String(repeating: "x", count: 2_048 - 9)
        #expect(try original.resolve(longest).url.utf8.count == 2_048 - 7)
        let tooLong = #expect(throws: RefusalError.self) { try original.resolve(longest + "x") }
        #expect(tooLong?.reason == .url)
        let invalid = [UInt8](repeating: 0xFF, count: 1_048_576)
        #expect(lend(invalid) { refusal(of: $0) } == .url)
    }

    @Test("a URL that is not UTF-8 is refused, one with encoded bytes that are not counts")
    func encoding() {
        #expect(lend(Array("http://a/".utf8) + [0xC3]) { refusal(of: $0) } == .encoding)
        #expect(lend([0xFF]) { refusal(of: $0) } == .encoding)
        #expect(lend(Array("http://a/%C3".utf8)) { refusal(of: $0) } == nil)
    }

    private func refusal(of url: UnsafeRawBufferPointer) -> RefusalReason? {
        do throws(RefusalError) {
            _ = try original.resolve(url)
            return nil
        } catch {
            return error.reason
        }
    }
}
