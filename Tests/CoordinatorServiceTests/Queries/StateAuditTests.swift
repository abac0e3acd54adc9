import CoordinatorCore
import Testing

@testable import CoordinatorService

@Suite("A shard's own state is judged from one reading")
struct StateAuditTests {
    private static let token = "00000000000000000003-00001795470758201167-3a63bbabed313ded"
    private static let other = "00000000000000000003-00001795470758201168-3a63bbabed313dee"
    private static let shard = ShardID(rawValue: 3)
    /// The map that the healthy shard agrees with.
    private static let map = FencingToken(token).map { token in
        ShardMap(
            version: token,
            entries: Array(repeating: .init(owner: NodeID("vm/1"), token: token), count: 4))
    }

    /// A shard that has merged everything to noon, with one source.
    private static let healthy: [String: String] = [
        "settings": "digest", "token": token, "owner": "vm/1",
        "sealed:5MINUTES": "43200000", "done:5MINUTES": "43200000", "sealed:10MINUTES": "43200000",
        "done:10MINUTES": "43200000", "sealed:1HOUR": "43200000", "done:1HOUR": "43200000",
        "sealed:3HOURS": "43200000", "done:3HOURS": "43200000",
        "wm:ST:TRACKER::::": "43210000-7", "at:ST:TRACKER::::": "43210000-7",
        "read:ST:TRACKER::::": "10", "counted:ST:TRACKER::::": "9",
        "refused:ST:TRACKER:::::url": "1",
        "floor": "0", "rotations": "12",
    ]

    private func kinds(
        _ changes: [String: String?], unmerged: [Dimension] = [], hasMap: Bool = true
    ) -> Set<Violation.Kind> {
        var fields = Self.healthy
        for (name, value) in changes { fields[name] = value }
        let audit = StateAudit(
            ladder: .standard, stamp: "digest", map: hasMap ? Self.map : nil, latest: 43_260_000)
        return Set(audit.violations(Self.shard, fields, unmerged: unmerged).map(\.kind))
    }

    @Test("nothing is wrong with a healthy shard, with a map or without")
    func healthy() {
        #expect(kinds([:]).isEmpty)
        #expect(kinds([:], hasMap: false).isEmpty)
    }

    @Test("a rotation under way is no fault")
    func rotating() {
        let open: [String: String?] = [
            "open": "3:42600000", "sealed:10MINUTES": "43200000", "done:10MINUTES": "42600000",
            "sealed:1HOUR": "39600000", "done:1HOUR": "39600000", "sealed:3HOURS": "32400000",
            "done:3HOURS": "32400000", "collected": "4",
        ]
        #expect(kinds(open, unmerged: [.page]).isEmpty)
    }

    @Test(
        "every field that somebody changes is found",
        arguments: [
            ("token", "x", Violation.Kind.token), ("token", Self.other, .token),
            ("owner", "vm/2", .owner), ("owner", "", .owner), ("settings", "other", .settings),
            ("sealed:1HOUR", "46800000", .progress), ("done:1HOUR", "39600000", .progress),
            ("done:1HOUR", "46800000", .progress), ("sealed:1HOUR", "43200001", .progress),
            ("sealed:3HOURS", "", .progress), ("open", "9:0", .rotation), ("open", "x", .rotation),
            ("open", "2:1", .rotation), ("open", "2:43200000", .progress),
            ("collected", "3", .rotation),
            ("wm:ST:TRACKER::::", "43210000-6", .watermark),
            ("at:ST:TRACKER::::", "43210001-7", .watermark),
            ("at:gone", "1-1", .watermark), ("read:ST:TRACKER::::", "-1", .ledger),
            ("counted:ST:TRACKER::::", "many", .ledger),
            ("refused:ST:TRACKER:::::url", "", .ledger),
        ])
    func changed(field: String, value: String, kind: Violation.Kind) {
        #expect(kinds([field: value]).contains(kind), "\(field) = \(value)")
    }

    @Test("tiers ahead of the clock, or of the tier below, are found")
    func ahead() {
        var all: [String: String?] = [:]
        for tier in Ladder.standard.tiers.dropFirst() {
            all["sealed:\(tier.name)"] = "54000000"
            all["done:\(tier.name)"] = "54000000"
        }
        #expect(kinds(all) == [.progress])
        #expect(kinds(["sealed:5MINUTES": "42900000", "done:5MINUTES": "42900000"]) == [.progress])
    }

    @Test("both copies of a watermark that is no id are found")
    func unreadable() {
        #expect(kinds(["wm:ST:TRACKER::::": "x", "at:ST:TRACKER::::": "x"]) == [.watermark])
    }

    @Test("lists of records to merge without a rotation are found, and so is a shard without state")
    func orphans() {
        #expect(kinds([:], unmerged: [.website]) == [.rotation])
        #expect(kinds(["settings": nil]) == [.owner])
    }
}
