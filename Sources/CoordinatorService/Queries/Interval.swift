public import CoordinatorCore

/// The stretch of time that a question is answered for, in whole windows of one tier.
public struct Interval: Sendable, Equatable {
    /// The tier whose windows it is made of.
    public let tier: Tier
    /// Start and end, ms, half-open.
    public let from: Int64
    public let to: Int64

    /// The last `span` before `at`, by the finest tier that keeps as much.
    ///
    /// - Returns: nil when no tier keeps that long.
    public init?(last span: Int64, at: Int64, ladder: Ladder) {
        let candidates = ladder.tiers.dropFirst()
        guard span > 0, let tier = candidates.first(where: { $0.keepMilliseconds >= span }) else {
            return nil
        }
        self.tier = tier
        to = tier.start(of: at)
        from = tier.start(of: to - span)
    }

    public init(tier: Tier, from: Int64, to: Int64) {
        self.tier = tier
        self.from = tier.start(of: from)
        self.to = to > tier.start(of: to) ? tier.start(of: to) + tier.lengthMilliseconds : to
    }

    /// One stored window.
    struct Piece: Hashable {
        let tier: Tier
        let start: Int64
    }

    /// The windows that hold the interval's figures in one shard: those of the tier where they are
    /// done, and their parts, down to the base, where they are not yet.
    func pieces(in state: ShardState, _ ladder: Ladder) -> [Piece] {
        var pieces: [Piece] = []
        var start = from
        while start < to {
            Self.collect(tier, start, state, ladder, &pieces)
            start += tier.lengthMilliseconds
        }
        return pieces
    }

    private static func collect(
        _ tier: Tier, _ start: Int64, _ state: ShardState, _ ladder: Ladder, _ pieces: inout [Piece]
    ) {
        let isDone = tier.index == 0 || start + tier.lengthMilliseconds <= state.done[tier.name] ?? 0
        if isDone {
            pieces.append(Piece(tier: tier, start: start))
            return
        }
        let below = ladder.tiers[tier.index - 1]
        var child = start
        while child < start + tier.lengthMilliseconds {
            collect(below, child, state, ladder, &pieces)
            child += below.lengthMilliseconds
        }
    }
}
