import CoordinatorCore
import Testing

/// What a node is told of the article API, and what is refused.
@Suite("Enrichment settings")
struct EnrichmentSettingsTests {
    private func settings(
        _ change: (inout EnrichmentSettings.Given) -> Void
    ) throws -> EnrichmentSettings? {
        var given = EnrichmentSettings.Given()
        given.url = "https://api.example.org/items/urn:newstool:article:{article_id}"
        given.allowedHosts = ["api.example.org"]
        change(&given)
        return try EnrichmentSettings(given)
    }

    @Test("without a URL enrichment is off, whatever else is said")
    func off() throws {
        #expect(try settings { $0.url = "" } == nil)
        #expect(
            try settings {
                $0.url = ""
                $0.rate = "nonsense"
            } == nil)
    }

    @Test("the URL of an article is the template with its number in it")
    func template() throws {
        let settings = try #require(try settings { _ in })
        #expect(settings.template.host == "api.example.org" && settings.template.port == 443)
        #expect(
            settings.template.url(of: 18_446_744_073_709_551_615)
                == "https://api.example.org/items/urn:newstool:article:18446744073709551615")
        let twice = try ArticleTemplate(parsing: "HTTP://[::1]:8080/{article_id}?n={article_id}")
        #expect(twice.host == "::1" && twice.port == 8_080)
        #expect(twice.url(of: 7) == "HTTP://[::1]:8080/7?n=7")
        #expect(try ArticleTemplate(parsing: "http://a.b?{article_id}").port == 80)
    }

    @Test(
        "a template that cannot work is refused with the way out",
        arguments: [
            ("ftp://a/{article_id}", "https://"), ("https://a/x", "{article_id}"),
            ("https://{article_id}.a/x", "one host"), ("https://user@a/{article_id}", "user"),
            ("https://a/{article_id}#x", "fragment"),
            ("https://a/{id}/{article_id}", "placeholder"),
            ("https://a:0/{article_id}", "port"), ("https://a:65536/{article_id}", "port"),
            ("https://a:x/{article_id}", "port"), ("https:///{article_id}", "host"),
            ("https://a./{article_id}", "host"), ("https://é.example/{article_id}", "ASCII"),
            ("https://a/{article_id} ", "spaces"), ("https://a b/{article_id}", "spaces"),
            ("https://a/\u{7F}{article_id}", "ASCII"), ("https://a%41/{article_id}", "host"),
            ("https://a\\b/{article_id}", "host"), ("https://[::1]x/{article_id}", "port"),
            ("https://a/{article_id}" + String(repeating: "x", count: 1_100), "1024"),
        ])
    func refused(text: String, word: String) {
        do throws(EnrichmentError) {
            let template = try ArticleTemplate(parsing: text)
            Issue.record("\(text) is \(template)")
        } catch {
            #expect(error.description.contains(word), "\(text): \(error)")
        }
    }

    @Test("settings that cannot work together are refused with the way out")
    func combinations() {
        let rows: [(String, (inout EnrichmentSettings.Given) -> Void)] = [
            ("--enrich-allow api.example.org", { $0.allowedHosts = [] }),
            ("--enrich-allow api.example.org", { $0.allowedHosts = ["example.org"] }),
            ("--enrich-timeout", { $0.timeout = .milliseconds(99) }),
            ("--enrich-timeout", { $0.timeout = .seconds(61) }),
            ("--enrich-concurrency", { $0.concurrency = 0 }),
            ("--enrich-rate", { $0.rate = "0" }), ("--enrich-rate", { $0.rate = "1001" }),
            ("--enrich-rate", { $0.rate = "10/d" }), ("--enrich-rate", { $0.rate = "-1" }),
            ("--enrich-rate", { $0.rate = "1/s/m" }), ("--enrich-rate", { $0.rate = "" }),
            ("--enrich-attempts", { $0.attempts = 0 }),
            ("--enrich-refresh", { $0.refresh = .seconds(59) }),
            ("--enrich-title", { $0.title = "" }), ("--enrich-kicker", { $0.kicker = "a..b" }),
            ("--enrich-display-date", { $0.displayDate = "a.b.c.d.e.f.g.h.i" }),
        ]
        for (word, change) in rows {
            #expect(throws: EnrichmentError.self, "\(word)") { _ = try settings(change) }
            do { _ = try settings(change) } catch { #expect("\(error)".contains(word), "\(error)") }
        }
    }

    @Test("rates are counts per unit; slots keep any unit of time within the count")
    func rates() throws {
        for (text, count, unit) in [
            ("10", Int64(10), RequestRate.Unit.second), ("1/s", 1, .second),
            ("300/m", 300, .minute),
            ("5000/h", 5_000, .hour), ("1000", 1_000, .second),
        ] {
            let rate = try #require(RequestRate(text))
            #expect(rate.count == count && rate.unit == unit)
            // One more than the count: the first at the end of its slot, the last at its start.
            let spread = rate.count * rate.periodMicroseconds - rate.slotMicroseconds
            #expect(spread >= (unit == .second ? 1 : unit == .minute ? 60 : 3_600) * 1_000_000)
        }
    }

    @Test("an allowed host may be written in capitals, an IPv6 address with brackets")
    func hosts() throws {
        let settings = try settings {
            $0.url = "http://[::1]/{article_id}"
            $0.allowedHosts = ["API.example.org", "[::1]"]
        }
        #expect(settings?.allowedHosts == ["api.example.org", "::1"])
        #expect(try self.settings { $0.refresh = .zero }?.refresh == nil)
    }
}
