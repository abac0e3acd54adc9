import CoordinatorCore
import RedisClient
import Testing

@testable import CoordinatorService

@Suite("Questions are taken apart and put together without loss")
struct QueryPartsTests {
    @Test(
        "groups hold all in order, and more than the limit only when one alone does",
        arguments: seeds)
    func groups(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let sizes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
            Int64.random(in: 0...120, using: &random)
        }
        let groups = Figures.grouped(sizes, limit: 100)
        #expect(groups.flatMap { Array($0) } == Array(sizes.indices))
        for group in groups {
            #expect(!group.isEmpty)
            #expect(group.count == 1 || sizes[group].reduce(0, +) <= 100)
        }
    }

    @Test(
        "a section is named with its website, by an option or in its name",
        arguments: [
            ("actu/monde", "RTL" as String?, "RTL", "actu/monde"),
            ("RTL/actu/monde", nil, "RTL", "actu/monde"),
            ("RTL/(home)", nil, "RTL", "(home)"),
        ])
    func section(name: String, website: String?, site: String, section: String) throws {
        let parts = try RecordFinder.split(name, website)
        #expect(parts.website == site && parts.section == section)
    }

    @Test("a section without a website is refused", arguments: ["actu", "/actu", "RTL/", "", "/"])
    func noWebsite(name: String) {
        #expect(throws: ServiceError.self) { try RecordFinder.split(name, nil) }
    }

    @Test("scores are whole numbers in any spelling, and nothing else")
    func scores() {
        let rows: [(String, Int64?)] = [
            ("0", 0), ("12", 12), ("1e3", 1_000), ("12.0", 12), ("1.5", nil), ("-3", -3), ("", nil),
            ("inf", nil),
            ("nan", nil), ("9007199254740993", 9_007_199_254_740_993), ("1e300", nil), ("x", nil),
        ]
        for (text, expected) in rows {
            #expect(RedisValue.string(Array(text.utf8)).score == expected, "\(text)")
        }
        #expect(RedisValue.integer(7).score == 7)
        #expect(RedisValue.null.score == nil)
    }

    @Test("samples are pairs; what is none is left out")
    func points() {
        func text(_ text: String) -> RedisValue { .string(Array(text.utf8)) }
        let reply = RedisValue.array([
            .array([.integer(300_000), text("5")]), .array([.integer(600_000)]), .null,
            .array([.integer(900_000), text("7.5")]), .array([.integer(1_200_000), text("8")]),
        ])
        #expect(
            Series.points(reply) == [
                Series.Point(window: 300_000, value: 5), Series.Point(window: 1_200_000, value: 8),
            ])
        #expect(Series.points(.error(RedisServerError(code: "ERR", message: "no key"))).isEmpty)
    }

    @Test("names come from documents that we wrote; others have none")
    func documents() {
        func text(_ text: String) -> RedisValue { .string(Array(text.utf8)) }
        let page = RecordDocument(
            text(
                #"{"$.url":["a.b/c"],"$.website.name":["B"],"#
                    + #""$.website.id":["1"],"$.section.id":["2"]}"#
            ),
            .page)
        #expect(page?.name == "a.b/c" && page?.website == "B")
        #expect(page?.websiteID == "1" && page?.sectionID == "2")
        #expect(RecordDocument(text("{\"$.url\":[3]}"), .page) == nil)
        #expect(RecordDocument(.null, .page) == nil)
        #expect(RecordDocument.name(text("[\"x\"]")) == "x")
        for reply in [text("[]"), text("7"), text(""), .null] {
            #expect(RecordDocument.name(reply) == "")
        }
    }
}
