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
    /// - Units: ms; `at` since 1970.
    /// - Returns: nil when no tier keeps that long.
    public init?(last span: Int64, at: Int64, ladder: Ladder) {
        let candidates = ladder.tiers.dropFirst()
        guard span > 0, at >= 0,
            let tier = candidates.first(where: { $0.keepMilliseconds >= span })
        else { return nil }
        self.tier = tier
        to = tier.start(of: at)
        from = tier.start(of: to - span)
    }

    /// The windows of a tier that hold a stretch of time.
    ///
    /// - Units: ms since 1970, half-open.
    public init(tier: Tier, from: Int64, to: Int64) {
        self.tier = tier
        self.from = tier.start(of: from)
        self.to = to > tier.start(of: to) ? tier.start(of: to) &+ tier.lengthMilliseconds : to
    }

    /// One stored window.
    struct Piece: Hashable {
        let tier: Tier
        /// ms since 1970.
        let start: Int64
    }

    /// The stored windows that hold the interval's figures in one shard: those of the tier where
    /// they are done, and their parts, down to the base, where they are not yet.
    ///
    /// - Invariant: every event lies in one piece at most, and in one exactly if it lies in the
    ///   interval.
    func pieces(in index: WindowIndex, _ ladder: Ladder) -> [Piece] {
        var pieces: [Piece] = []
        for tier in ladder.tiers[...self.tier.index] {
            let coarser = ladder.tiers[(tier.index + 1)...].prefix(self.tier.index - tier.index)
            for start in index.windows[tier.index] where start >= from && start < to {
                guard tier.index == 0 || index.isDone(tier, start) else { continue }
                if coarser.contains(where: { index.isDone($0, $0.start(of: start)) }) { continue }
                pieces.append(Piece(tier: tier, start: start))
            }
        }
        return pieces
    }
}
