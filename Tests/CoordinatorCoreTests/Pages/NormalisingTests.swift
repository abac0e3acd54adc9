import CoordinatorCore
import Hashing
import Testing

@Suite("Normalising")
struct NormalisingTests {
    private let resolver = PageResolver(
        sites: SiteTable(
            hosts: ["www.rtl.lu": "RTL"], keepQuery: ["RTL": ["id"], "RTL.LU": ["id", "a[b"]]),
        hasher: SHA1Hasher())

    @Test("normalising twice changes nothing", arguments: seeds)
    func idempotent(seed: UInt64) throws {
        var urls = HostileURLs(seed: seed)
        var counted = 0
        for _ in 0..<4_000 {
            let given = urls.next()
            guard let once = accepted(given) else { continue }
            counted += 1
            let twice = accepted("http://" + once.url)
            // Bytes, as two spellings that a String calls equal are two pages.
            guard twice == once, twice?.url.utf8.elementsEqual(once.url.utf8) == true else {
                Issue.record(
                    "\(given.debugDescription): \(once), then \(String(describing: twice))")
                return
            }
        }
        #expect(counted > 2_000, "too many of the URLs were refused for this to mean anything")
    }

    @Test("host and path never bring back what normalising takes away", arguments: seeds)
    func shape(seed: UInt64) throws {
        var urls = HostileURLs(seed: seed)
        for _ in 0..<4_000 {
            guard let address = accepted(urls.next()) else { continue }
            let path = address.url.utf8.drop { $0 != UInt8(ascii: "/") }
                .prefix { $0 != UInt8(ascii: "?") }
            let text = String(decoding: path, as: UTF8.self)
            let segments = text.utf8.dropFirst().split(
                separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            let isRoot = text.utf8.elementsEqual("/".utf8)
            #expect(isRoot || !segments.contains { $0.isEmpty }, "\(text)")
            #expect(
                !segments.contains { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) })
            #expect(address.levels.count <= PageAddress.maximumLevels)
            #expect(!address.section.isEmpty && !address.website.isEmpty)
        }
    }

    @Test(
        "percent-decoding in one pass gives what decoding until nothing changes gives",
        arguments: seeds)
    func percentTwin(seed: UInt64) throws {
        var urls = HostileURLs(seed: seed)
        var generator = SplitMix64(seed: seed)
        for number in 0..<4_000 {
            // The second kind has little else than the characters that matter.
            let random = (0..<20).map { _ in generator.pick("%%%%%0123456789abcdefABCDEF") }
            let path = number % 2 == 0 ? urls.nextPath() : Array(("/" + String(random)).utf8)
            guard !path.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") })
            else {
                continue
            }
            let steps = resolver.explain("http://a" + String(decoding: path, as: UTF8.self))
            let shown = try #require(steps.first { $0.step == "percent-decoding" }).value
            #expect(Array(shown.utf8) == settled(path), "\(String(decoding: path, as: UTF8.self))")
        }
    }

    @Test("long runs of escapes that complete one another take no longer than others")
    func nestedEscapes() throws {
        let nested = String(repeating: "%%34%31", count: 290)
        #expect(
            try resolver.resolve("http://a/" + nested).url == "a/"
                + String(repeating: "A", count: 290))
        let chain = String(repeating: "%2", count: 600) + "%35" + String(repeating: "5", count: 100)
        _ = try resolver.resolve("http://a/" + chain)
    }

    @Test("random bytes are refused or counted, and never end the process", arguments: seeds)
    func randomBytes(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<4_000 {
            let bytes = Array("http://".utf8) + generator.bytes(0...30).map { $0 & 0x7F }
            let url = String(decoding: bytes, as: UTF8.self)
            guard let once = accepted(url) else { continue }
            #expect(accepted("http://" + once.url) == once, "\(url.debugDescription)")
        }
    }

    @Test("lower-casing a host twice changes nothing, for every character that has a case")
    func everyScalar() throws {
        for value in UInt32(0x80)...0x1_FFFF {
            guard let scalar = Unicode.Scalar(value),
                scalar.properties.changesWhenCaseMapped || scalar.properties.isCased
            else { continue }
            let once = try resolver.resolve("http://\(String(scalar)).x/").url
            let twice = try resolver.resolve("http://\(once)").url
            guard !once.utf8.elementsEqual(twice.utf8) else { continue }
            Issue.record("U+\(String(value, radix: 16)): \(once), then \(twice)")
        }
    }

    @Test("the last steps of an explanation are what resolving gives", arguments: seeds)
    func explanation(seed: UInt64) throws {
        var urls = HostileURLs(seed: seed)
        for _ in 0..<2_000 {
            let given = urls.next()
            let steps = Dictionary(
                uniqueKeysWithValues: resolver.explain(given).map { ($0.step, $0.value) })
            guard let address = accepted(given) else {
                #expect(steps["refused"] != nil)
                continue
            }
            #expect(steps["page"]?.utf8.elementsEqual(address.url.utf8) == true)
            #expect(steps["section id"] == address.sectionID.hex)
            #expect(steps["page id"] == address.pageID.hex)
            #expect(steps["website id"] == address.websiteID.hex)
        }
    }

    @Test("an explanation names every step")
    func steps() {
        let steps = resolver.explain(
            "HTTPS://me@WWW.RTL.lu.:443/%6Eews//a/./b/../42.html/?id=1&x=2#top")
        let expected = [
            ("given", "HTTPS://me@WWW.RTL.lu.:443/%6Eews//a/./b/../42.html/?id=1&x=2#top"),
            ("scheme", "https, not part of the page"), ("host", "www.rtl.lu"),
            ("user info", "dropped"),
            ("port", "443 dropped"), ("query", "id=1 kept"), ("fragment", "top dropped"),
            ("percent-decoding", "/news//a/./b/../42.html/"),
            ("duplicate slashes", "/news/a/./b/../42.html/"),
            ("dot segments", "/news/a/42.html/"), ("trailing slash", "/news/a/42.html"),
            ("website", "RTL (from the site table)"), ("levels", "news | a | 42"),
            ("section", "news/a"),
            ("page", "www.rtl.lu/news/a/42.html?id=1"),
        ]
        #expect(steps.prefix(expected.count).map(\.step) == expected.map(\.0))
        #expect(steps.prefix(expected.count).map(\.value) == expected.map(\.1))
        #expect(
            steps.dropFirst(expected.count).map(\.step) == [
                "website id", "section id", "page id", "article_id",
            ])
        #expect(steps.last?.value == "42")
    }

    private func accepted(_ url: String) -> PageAddress? {
        do throws(RefusalError) { return try resolver.resolve(url) } catch { return nil }
    }

    /// The dumb twin: whole passes, until one changes nothing.
    private func settled(_ path: [UInt8]) -> [UInt8] {
        var text = path
        while true {
            let next = onePass(text)
            if next == text { return text }
            text = next
        }
    }

    private func onePass(_ bytes: [UInt8]) -> [UInt8] {
        let unreserved = Set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~".utf8)
        var result: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.first {
            let digits = rest.dropFirst().prefix(2)
            let isEscape =
                byte == UInt8(ascii: "%") && digits.count == 2
                && !digits.contains(UInt8(ascii: "+"))
                && !digits.contains(UInt8(ascii: "-"))
            if isEscape, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) {
                let upper = Array(String(decoding: rest.prefix(3), as: UTF8.self).uppercased().utf8)
                result += unreserved.contains(value) ? [value] : upper
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
