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
            #expect(pieces.allSatisfy { $0.tier.index >= tier.index }, "seed \(seed)")
            // Wherever a coarser window that is done lies inside, it stands for its parts.
            for coarser in ladder.tiers[(tier.index + 1)...] {
                let done = state.done[coarser.name] ?? 0
                for piece in pieces where piece.tier.index < coarser.index {
                    let start = coarser.start(of: piece.start)
                    let end = start + coarser.lengthMilliseconds
                    #expect(start < interval.from || end > interval.to || end > done)
                }
            }
        }
    }

    @Test("a coarser tier that is kept less long does not stand for its parts")
    func invertedKeeps() throws {
        let ladder = try Ladder(parsing: "1m,5m/7d,10m/1h")
        var state = ShardState(shard: ShardID(rawValue: 0), fields: [])
        state.done = ["5MINUTES": 1_200_000, "10MINUTES": 1_200_000]
        let index = WindowIndex(
            state: state, open: nil,
            windows: [[], [0, 300_000, 600_000, 900_000], [0, 600_000]])
        let fine = Interval(tier: ladder.tiers[1], from: 0, to: 1_200_000)
        #expect(fine.pieces(in: index, ladder).allSatisfy { $0.tier.index == 1 })
        let coarse = Interval(tier: ladder.tiers[2], from: 0, to: 1_200_000)
        #expect(coarse.pieces(in: index, ladder).allSatisfy { $0.tier.index == 2 })
    }

    @Test("a window that has expired leaves its parts to be counted")
    func expired() throws {
        let ladder = try ladder.get()
        var state = ShardState(shard: ShardID(rawValue: 0), fields: [])
        state.done = ["5MINUTES": 1_200_000, "10MINUTES": 1_200_000]
        let index = WindowIndex(
            state: state, open: nil, windows: [[], [600_000, 900_000], [0], [], []])
        let interval = Interval(tier: ladder.tiers[1], from: 0, to: 1_200_000)
        let pieces = interval.pieces(in: index, ladder).map { "\($0.tier.index):\($0.start)" }
        #expect(pieces.sorted() == ["1:600000", "1:900000", "2:0"])
    }

    @Test("a day is covered as closely as what is kept allows", arguments: seeds)
    func stretches(seed: UInt64) throws {
        let ladder = try ladder.get()
        var random = SplitMix64(seed: seed)
        for _ in 0..<500 {
            let now = Int64.random(in: 1_700_000_000_000...1_800_000_000_000, using: &random)
            let from = now - Int64.random(in: 0...900_000_000, using: &random)
            let to = min(now, from + Int64.random(in: 1...90_000_000, using: &random))
            func keeps(_ tier: Tier, _ start: Int64) -> Bool {
                tier.end(of: tier.start(of: start)) + tier.keepMilliseconds + 21_600_000 > now
            }
            let interval = Interval(
                holding: from..<max(from + 1, to), ladder, now: now, keeps: keeps)
            guard let interval else {
                #expect(!keeps(ladder.top, from), "seed \(seed)")
                continue
            }
            // The beginning is held, by the finest tier that is kept there.
            #expect(interval.from <= from)
            #expect(keeps(interval.tier, interval.from))
            for finer in ladder.tiers.dropFirst() where finer.index < interval.tier.index {
                #expect(!keeps(finer, finer.start(of: from)), "seed \(seed)")
            }
            // The end is held, too, unless its window has not ended.
            #expect(interval.edge.index <= interval.tier.index)
            #expect(interval.to <= now && interval.to >= interval.from)
            #expect(interval.to % interval.edge.lengthMilliseconds == 0, "seed \(seed)")
            let edge = interval.edge
            #expect(
                interval.to >= to || edge.end(of: edge.start(of: interval.to)) > now,
                "seed \(seed): \(interval)")
            #expect(interval.to - to < edge.lengthMilliseconds, "seed \(seed)")
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
