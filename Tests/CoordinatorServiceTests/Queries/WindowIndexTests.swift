import CoordinatorCore
import Testing

@testable import CoordinatorService

@Suite("What is no longer kept is told apart from what never was")
struct WindowIndexTests {
    private static let hour: Int64 = 3_600_000
    private static let day: Int64 = 24 * hour
    /// Noon of day 100, the allowance six hours.
    private static let now = 100 * day + 12 * hour
    private static let allowance = 6 * hour

    private func index(floor: Int64 = 0, windows: [[Int64]] = [[], [], [], [], []]) -> WindowIndex {
        var state = ShardState(shard: ShardID(rawValue: 0), fields: [])
        for tier in Ladder.standard.tiers.dropFirst() { state.done[tier.name] = Self.now }
        state.floor = floor
        return WindowIndex(state: state, open: nil, windows: windows)
    }

    private func keeps(_ index: WindowIndex, _ tier: Int, from: Int64) -> Bool {
        let tier = Ladder.standard.tiers[tier]
        return index.keeps(
            tier, from: from, to: tier.end(of: from), .standard, allowance: Self.allowance,
            now: Self.now)
    }

    @Test(
        "each tier keeps its windows for its time and the outage allowance",
        arguments: [
            (1, hour * 13 / 2 - 300_000, true), (1, hour * 13 / 2 + 300_000, false),
            (2, hour * 7 - 600_000, true), (2, hour * 7 + 600_000, false),
            (3, hour * 30, true), (3, hour * 31, false), (4, hour * 174, true),
            (4, hour * 177, false),
        ])
    func natural(tier: Int, age: Int64, isKept: Bool) {
        #expect(keeps(index(), tier, from: Self.now - age) == isKept)
    }

    @Test("what is not merged yet has no end, however old it is")
    func notDone() {
        var index = index()
        index = WindowIndex(
            state: ShardState(shard: index.state.shard, fields: []), open: nil,
            windows: index.windows)
        for tier in 0...4 { #expect(keeps(index, tier, from: 0)) }
    }

    @Test("an import keeps its old windows from its own start on")
    func imported() {
        let old = 10 * Self.day
        #expect(!keeps(index(floor: Self.now - 7 * Self.hour), 1, from: old))
        #expect(keeps(index(floor: Self.now - 6 * Self.hour), 1, from: old))
    }

    @Test("an import keeps nothing that the deployment counted itself and keeps no more")
    func countedLive() {
        let old = 10 * Self.day
        var index = index(floor: Self.now - Self.hour)
        index.initialisedAt = old
        #expect(!keeps(index, 1, from: old))
        index.initialisedAt = old + Self.hour
        #expect(keeps(index, 1, from: old))
    }

    @Test("an import does not bring back what had expired before it: the coarser window shows that")
    func expiredBefore() {
        let old = 97 * Self.day
        let gone = index(floor: Self.now, windows: [[], [], [], [], [old]])
        #expect(!keeps(gone, 1, from: old))
        #expect(!keeps(gone, 3, from: old))
        #expect(keeps(gone, 4, from: old))
        let there = index(
            floor: Self.now, windows: [[], [old + 900_000], [old + 600_000], [old], [old]])
        #expect(keeps(there, 1, from: old))
        // Another time of day is no evidence.
        #expect(keeps(gone, 1, from: old + 3 * Self.hour))
    }

    @Test("a part is comparable while nothing beside it can have expired")
    func comparable() {
        let ladder = Ladder.standard
        let tier = ladder.tiers[2]
        let below = ladder.tiers[1]
        func audit(_ expiries: [(tier: Int, start: Int64, ends: Int64)]) -> PartsAudit {
            let pairs = expiries.map {
                (PartsAudit.WindowName(tier: $0.tier, start: $0.start), $0.ends)
            }
            return PartsAudit(
                ladder: ladder, allowance: Self.allowance, now: Self.now,
                expiries: Dictionary(pairs) { first, _ in first })
        }
        let recent = Self.now - 2 * Self.hour
        let old = 10 * Self.day
        #expect(audit([]).areComparable(tier, recent, parts: []))
        #expect(!audit([]).areComparable(tier, old, parts: [old]))
        // Brought by one import: the parent and the part were given their time from its start.
        let floor = Self.now - Self.hour
        let own = floor + tier.keepMilliseconds + Self.allowance
        let part = floor + below.keepMilliseconds + Self.allowance
        #expect(audit([(2, old, own), (1, old, part)]).areComparable(tier, old, parts: [old]))
        #expect(!audit([(2, old, own), (1, old, part)]).areComparable(tier, old, parts: []))
        // Made again by a later import.
        #expect(
            !audit([(2, old, own), (1, old, part + 60_000)]).areComparable(tier, old, parts: [old]))
        // The parent is older than the import that brought the part.
        let natural = tier.end(of: old) + tier.keepMilliseconds + Self.allowance
        #expect(!audit([(2, old, natural), (1, old, part)]).areComparable(tier, old, parts: [old]))
    }
}
