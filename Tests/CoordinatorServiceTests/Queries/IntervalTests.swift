import CoordinatorCore
import Testing

@testable import CoordinatorService

@Suite("Intervals are covered once, by the coarsest windows that are done")
struct IntervalTests {
    private let ladder = Result { try Ladder(parsing: "1m,5m/30m,10m/1h,1h/24h,3h/7d") }

    @Test("whatever is done in a shard, the pieces touch and never overlap", arguments: seeds)
    func covers(seed: UInt64) throws {
        let ladder = try ladder.get()
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            let tier = random.pick(ladder.tiers)
            let from = Int64.random(in: 0...10_000_000_000, using: &random)
            let to = from + Int64.random(in: 0...50_000_000, using: &random)
            let interval = Interval(tier: tier, from: from, to: to)
            #expect(interval.from <= from && interval.to >= to)
            #expect(interval.from % tier.lengthMilliseconds == 0)
            #expect(interval.to % tier.lengthMilliseconds == 0)
            var state = ShardState(shard: ShardID(rawValue: 0), fields: [])
            // Coarser tiers are never further than finer ones; the coarsest may have begun nothing.
            var done = interval.to + Int64.random(in: -60_000_000...60_000_000, using: &random)
            let begun = Int.random(in: 0...ladder.tiers.count - 1, using: &random)
            for tier in ladder.tiers.dropFirst().prefix(begun) {
                done = tier.start(of: max(0, done))
                state.done[tier.name] = done
            }
            let windows = ladder.tiers.map {
                Array(
                    stride(
                        from: $0.start(of: interval.from), to: interval.to,
                        by: Int($0.lengthMilliseconds)))
            }
            let index = WindowIndex(state: state, open: nil, windows: windows)
            let pieces = interval.pieces(in: index, ladder).sorted { $0.start < $1.start }
            var end = interval.from
            for piece in pieces {
                #expect(piece.start == end, "seed \(seed)")
                end = piece.start + piece.tier.lengthMilliseconds
                let isDone = piece.tier.index == 0 || end <= state.done[piece.tier.name] ?? 0
                #expect(isDone, "seed \(seed)")
            }
            #expect(end == interval.to, "seed \(seed)")
            guard tier.index > 0, interval.to <= state.done[tier.name] ?? 0 else { continue }
            #expect(pieces.allSatisfy { $0.tier == tier }, "seed \(seed)")
        }
    }

    @Test(
        "the last stretch is answered by the finest tier that keeps it",
        arguments: [
            (Int64(1_800_000), "5MINUTES"), (1_800_001, "10MINUTES"), (3_600_000, "10MINUTES"),
            (86_400_000, "1HOUR"), (604_800_000, "3HOURS"), (1, "5MINUTES"),
        ])
    func last(span: Int64, tier: String) throws {
        let ladder = try ladder.get()
        let interval = try #require(Interval(last: span, at: 1_721_856_300_123, ladder: ladder))
        #expect(interval.tier.name == tier)
        #expect(interval.to <= 1_721_856_300_123)
        #expect(interval.to - interval.from >= span)
    }

    @Test("longer than everything is kept, or nothing at all, has no answer")
    func none() throws {
        let ladder = try ladder.get()
        for span in [Int64(604_800_001), 0, -1, .min, .max] {
            #expect(Interval(last: span, at: 1_721_856_300_123, ladder: ladder) == nil, "\(span)")
        }
    }
}
