import CoordinatorCore
import Foundation
import Hashing
import Testing

@Suite("Deployment settings")
struct DeploymentSettingsTests {
    private func settings(_ change: (inout DeploymentSettings) -> Void) -> DeploymentSettings {
        var settings = DeploymentSettings(sites: .original)
        change(&settings)
        return settings
    }

    @Test("the defaults are those of the documentation, and valid")
    func defaults() throws {
        let settings = try DeploymentSettings().validated()
        #expect(settings == DeploymentSettings())
        #expect(settings.shards == 64)
        #expect(settings.graceMilliseconds == 30_000)
        #expect(settings.outageAllowanceMilliseconds == 6 * 3_600_000)
        #expect(try settings.ladder() == .standard)
        #expect(try settings.layout().count == 64)
        let rules = try settings.eventRules(hasher: SHA1Hasher())
        #expect(rules.longestKeepMilliseconds == 7 * 86_400_000 + 6 * 3_600_000)
    }

    @Test("validating writes the ladder in its one spelling")
    func canonicalLadder() throws {
        let valid = try settings { $0.tiers = "60s,5m/1800s" }.validated()
        #expect(valid.tiers == "1m,5m/30m")
        #expect(try valid.validated() == valid)
    }

    @Test("full labels are what they were before there were others; compact ones differ")
    func seriesLabels() throws {
        let full = settings { _ in }
        let compact = settings { $0.seriesLabels = .compact }
        #expect(!full.canonicalText.contains("series-labels"))
        #expect(full.digest(by: SHA1Hasher()) != compact.digest(by: SHA1Hasher()))
        #expect(
            compact.differences(from: full) == [
                "series-labels is compact here and full in the deployment"
            ])
        #expect(full.hasSeriesLabels(.page) && compact.hasSeriesLabels(.section))
        #expect(!compact.hasSeriesLabels(.page) && !compact.hasSeriesLabels(.video))
    }

    @Test("exact settings are what they were before there were others; bounded ones differ")
    func heaviest() throws {
        let exact = settings { _ in }
        let bounded = settings { $0.heaviest = 256 }
        #expect(!exact.canonicalText.contains("heaviest"))
        #expect(bounded.canonicalText != exact.canonicalText)
        #expect(
            bounded.differences(from: exact)
                == ["pageviews is sketch of the heaviest 256 here and exact in the deployment"])
        // What an older version wrote.
        let text = String(decoding: try JSONEncoder().encode(exact), as: UTF8.self)
        #expect(!text.contains("heaviest"))
        let read = try JSONDecoder().decode(DeploymentSettings.self, from: Data(text.utf8))
        #expect(read == exact && read.heaviest == nil)
    }

    private static let refusals: [(@Sendable (inout DeploymentSettings) -> Void, SettingsError)] = [
        ({ $0.schema = 2 }, .schema(2)), ({ $0.shards = 65 }, .shardCount(65)),
        ({ $0.tiers = "1m" }, .tierCount(1)),
        (
            { $0.graceMilliseconds = -1 },
            .spanOutOfRange(setting: "grace", milliseconds: -1, limitMilliseconds: 86_400_000)
        ),
        (
            { $0.outageAllowanceMilliseconds = .max },
            .spanOutOfRange(
                setting: "outage allowance", milliseconds: .max, limitMilliseconds: 2_592_000_000)
        ),
        ({ $0.heaviest = 15 }, .heaviest(15, fewest: 16, most: 400)),
        ({ $0.heaviest = 401 }, .heaviest(401, fewest: 16, most: 400)),
        ({ $0.sites.hosts["WWW.X.de"] = "X" }, .siteHost("WWW.X.de")),
        ({ $0.sites.hosts["x.de:8080"] = "X" }, .siteHost("x.de:8080")),
        ({ $0.sites.hosts["x.de:80"] = "X" }, .siteHost("x.de:80")),
        ({ $0.sites.hosts["x.de/"] = "X" }, .siteHost("x.de/")),
        ({ $0.sites.hosts["x.de."] = "X" }, .siteHost("x.de.")),
        ({ $0.sites.hosts["me@x.de"] = "X" }, .siteHost("me@x.de")),
        ({ $0.sites.hosts[""] = "X" }, .siteHost("")),
        ({ $0.sites.hosts["x\ty.de"] = "X" }, .siteHost("x\ty.de")),
        ({ $0.sites.keepQuery["RTL"] = ["a\nb"] }, .siteQuery(website: "RTL", key: "a\nb")),
        ({ $0.sites.hosts["x.de"] = "" }, .siteName("")),
        ({ $0.sites.hosts["x.de"] = "A/B" }, .siteName("A/B")),
        ({ $0.sites.hosts["x.de"] = "A\n" }, .siteName("A\n")),
        ({ $0.sites.keepQuery["RTL"] = [""] }, .siteQuery(website: "RTL", key: "")),
        (
            {
                $0.sites.hosts["*"] = "OTHER"
                $0.sites.keepQuery["NONE"] = ["id"]
            }, .siteQuery(website: "NONE", key: "id")
        ),
        (
            { $0.sites.keepQuery["RTL"] = [String](repeating: "id", count: 10_000) },
            .siteCount(10_004)
        ),
    ]

    @Test(
        "settings that cannot work are refused with the first thing that is wrong",
        arguments: refusals.indices)
    func refused(row: Int) {
        let (change, error) = Self.refusals[row]
        #expect(throws: error) { try settings(change).validated() }
        #expect(!error.description.isEmpty)
        #expect(!error.description.contains("\n"))
    }

    @Test("a host in Unicode and an IPv6 address can be in the table")
    func unusualHosts() throws {
        _ = try settings { $0.sites.hosts = ["münchen.de": "M", "[::1]": "LOCAL", "*": "OTHER"] }
            .validated()
    }

    @Test("differences are plain sentences, and none for equal settings")
    func differences() {
        let stored = DeploymentSettings(sites: .original)
        #expect(stored.differences(from: stored).isEmpty)
        let other = settings {
            $0.shards = 128
            $0.graceMilliseconds = 60_000
            $0.start = .time(0)
            $0.sites.hosts["www.rtl.lu"] = nil
            $0.sites.hosts["a.lu"] = "A"
            $0.sites.keepQuery["RTL"] = ["id", "p"]
        }
        #expect(
            other.differences(from: stored) == [
                "shards is 128 here and 64 in the deployment",
                "grace is 1m here and 30s in the deployment",
                "start is 1970-01-01T00:00:00Z here and now in the deployment",
                "site a.lu is A here and not named in the deployment",
                "site www.rtl.lu is not named here and RTL in the deployment",
                "keepQuery of RTL is id,p here and not named in the deployment",
            ])
    }

    @Test("a table that differs everywhere is summed up")
    func manyDifferences() {
        let other = settings { for number in 0..<40 { $0.sites.hosts["h\(number).lu"] = "H" } }
        let lines = other.differences(from: DeploymentSettings(sites: .original))
        #expect(lines.count == 11)
        #expect(lines.last == "30 more entries of the site table differ")
    }

    @Test(
        "settings survive being stored as JSON", arguments: [StartPolicy.now, .oldest, .time(-1)])
    func json(start: StartPolicy) throws {
        let settings = settings {
            $0.start = start
            $0.sites.keepQuery["RTL"] = ["id"]
        }
        let stored = try JSONEncoder().encode(settings)
        #expect(try JSONDecoder().decode(DeploymentSettings.self, from: stored) == settings)
    }

    @Test("a site table may leave out either part")
    func partialTable() throws {
        let table = try JSONDecoder().decode(
            SiteTable.self, from: Data(#"{"hosts":{"a.b":"A"}}"#.utf8))
        #expect(table == SiteTable(hosts: ["a.b": "A"]))
        #expect(try JSONDecoder().decode(SiteTable.self, from: Data("{}".utf8)) == .empty)
    }

    @Test("equal settings have one digest, and each change gives another")
    func digest() {
        let hasher = SHA1Hasher()
        let changes: [(inout DeploymentSettings) -> Void] = [
            { _ in }, { $0.shards = 32 }, { $0.tiers = "1m,5m/30m" }, { $0.graceMilliseconds = 1 },
            { $0.outageAllowanceMilliseconds = 1 }, { $0.start = .oldest },
            { $0.sites.hosts["a.lu"] = "A" }, { $0.sites.keepQuery["RTL"] = ["id"] },
            { $0.sites.keepQuery["RTL"] = ["i", "d"] }, { $0.sites.keepQuery["RTL"] = ["i,d"] },
        ]
        let digests = changes.map { settings($0).digest(by: hasher) }
        #expect(Set(digests).count == changes.count)
        #expect(settings { _ in }.digest(by: hasher) == digests[0])
    }

    @Test("spans of settings name their setting when they cannot be read")
    func spans() throws {
        #expect(try DeploymentSettings.span("30s", for: "grace") == 30_000)
        #expect(throws: SettingsError.spanNotReadable(setting: "grace", text: "x")) {
            try DeploymentSettings.span("x", for: "grace")
        }
    }
}

@Suite("Where rotation starts")
struct StartPolicyTests {
    @Test(
        "--start takes now, oldest or a time",
        arguments: [
            ("now", StartPolicy.now), ("oldest", .oldest),
            ("1721858300000", .time(1_721_858_300_000)),
            ("2024-07-24T21:58:20Z", .time(1_721_858_300_000)), ("0", .time(0)),
        ])
    func reads(text: String, policy: StartPolicy) throws {
        #expect(try StartPolicy.parse(text) == policy)
        #expect(try StartPolicy.parse(policy.description) == policy)
    }

    @Test("a span back is a time when it is said from when")
    func spanBack() throws {
        #expect(try StartPolicy.parse("1s", now: Timestamp(milliseconds: 5_000)) == .time(4_000))
        #expect(throws: SettingsError.startNotReadable("1s")) { try StartPolicy.parse("1s") }
    }

    @Test(
        "anything else is refused with what was given",
        arguments: ["", "NOW", "tomorrow", "2024-07-24"])
    func refused(text: String) {
        #expect(throws: SettingsError.startNotReadable(text)) { try StartPolicy.parse(text) }
    }
}

@Suite("Messages of settings")
struct SettingsErrorTests {
    @Test("what came from outside is quoted, escaped and cut")
    func quoted() {
        let error = SettingsError.siteHost(
            "a\n\u{1B}[31m\u{202E}" + String(repeating: "x", count: 500))
        #expect(
            error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\u{202E}" })
        #expect(error.description.utf8.count < 300)
    }

    @Test("a message names the thing and the way out")
    func wayOut() {
        #expect(
            SettingsError.shardCount(3).description
                == "shards 3 is no power of two from 1 to 16384: use 64, or another power of two")
        #expect(
            SettingsError.keepTooShort(tier: "5MINUTES", neededMilliseconds: 600_000).description
                == "tier 5MINUTES keeps too little to fill a window: keep it 10m or longer")
    }
}
