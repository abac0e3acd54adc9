import CoordinatorCore
import Testing

@testable import CoordinatorService

@Suite("What rises, and what happens now")
struct TrendingTests {
    @Test(
        "a rise is so many times the typical level, and never of less than the floor",
        arguments: [
            (100, 10, 10.0 as Double?), (20, 10, 2.0), (19, 10, nil), (20, 0, 2.0), (19, 0, nil),
            (5_000, 2_499, 5_000 / 2_499), (4_000, 2_499, nil), (0, 0, nil),
        ] as [(Int64, Int64, Double?)])
    func rises(views: Int64, typical: Int64, expected: Double?) {
        #expect(TrendingRule(floor: 10, factor: 2).rise(views, typical: typical) == expected)
    }

    @Test("a rule without a floor or factor still has some")
    func least() {
        let rule = TrendingRule(floor: -5, factor: 0)
        #expect(rule.floor == 1 && rule.factor == 1)
    }

    @Test(
        "the median is the middle, of an even number the lower one",
        arguments: [
            ([], 0), ([7], 7), ([9, 1], 1), ([3, 1, 2], 2), ([5, 5, 0, 0], 0), ([0, 0, 9], 0),
        ] as [([Int64], Int64)])
    func median(figures: [Int64], expected: Int64) {
        #expect(TrendingRule.median(figures) == expected)
    }

    @Test("a merged window is spread over its parts without a view more or less", arguments: seeds)
    func spread(seed: UInt64) throws {
        let ladder = Ladder.standard
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            let views = Int64.random(in: 0...1_000_000, using: &random)
            let tier = ladder.tiers[Int.random(in: 0...1, using: &random)]
            let piece = Interval.Piece(tier: tier, start: tier.start(of: 1_721_856_300_000))
            let bars = Figures.spread(views, piece, ladder.base)
            #expect(bars.reduce(0) { $0 + $1.pageviews } == views)
            #expect(bars.first?.window == piece.start)
            #expect(bars.count == Int(tier.lengthMilliseconds / 60_000))
            let most = bars.map(\.pageviews).max() ?? 0
            let least = bars.map(\.pageviews).min() ?? 0
            #expect(most - least <= 1)
            #expect(bars.allSatisfy { $0.isSpread == (tier.index > 0) })
        }
    }

    @Test("an earlier interval is as long, and where its name says")
    func earlier() {
        let now: Range<Int64> = 1_000_000_000..<1_003_600_000
        #expect(Comparison(.previous).earlier(now) == 996_400_000..<1_000_000_000)
        #expect(Comparison(.day).earlier(now) == 913_600_000..<917_200_000)
        #expect(Comparison(.week).earlier(now) == 395_200_000..<398_800_000)
        let shifted = Comparison(.day, days: 1) { $0 - $1 * 82_800_000 }
        #expect(shifted.earlier(now) == 917_200_000..<920_800_000)
    }
}
