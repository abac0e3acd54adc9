public import CoordinatorCore

/// The stretch of time that a question is answered for, in whole windows.
public struct Interval: Sendable, Equatable {
    /// The coarsest tier whose windows it takes to tell where it begins.
    public let tier: Tier
    /// The tier whose windows it ends with: a finer one where the end is not one of `tier`'s.
    public let edge: Tier
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
        let to = tier.start(of: at)
        self.init(tier: tier, edge: tier, from: tier.start(of: to - span), to: to)
    }

    /// The windows of a tier that hold a stretch of time.
    ///
    /// - Units: ms since 1970, half-open.
    public init(tier: Tier, from: Int64, to: Int64) {
        self.init(
            tier: tier, edge: tier, from: tier.start(of: from),
            to: to > tier.start(of: to) ? tier.start(of: to) &+ tier.lengthMilliseconds : to)
    }

    /// An interval whose ends are known to be ends of windows.
    init(tier: Tier, edge: Tier, from: Int64, to: Int64) {
        self.tier = tier
        self.edge = edge
        self.from = from
        self.to = to
    }

    /// The windows that hold a stretch, as close to its ends as what is kept allows: it begins with
    /// the finest tier that is kept there, and where its end lies within a window of that tier,
    /// finer ones go on as far as they are kept.
    ///
    /// - Parameter keeps: whether a tier has everything from a moment on.
    /// - Units: ms since 1970, half-open; nothing after `now` is covered.
    /// - Returns: nil when no tier keeps its beginning.
    init?(
        holding asked: Range<Int64>, _ ladder: Ladder, now: Int64, keeps: (Tier, Int64) -> Bool
    ) {
        let tiers = ladder.tiers.dropFirst()
        guard let tier = tiers.first(where: { keeps($0, $0.start(of: asked.lowerBound)) }) else {
            return nil
        }
        let from = tier.start(of: asked.lowerBound)
        var edge = tier
        var to = max(from, tier.start(of: asked.upperBound))
        for finer in tiers.prefix(while: { $0.index < tier.index }).reversed()
        where to < asked.upperBound && keeps(finer, to) {
            let end = finer.start(of: asked.upperBound)
            if end > to { edge = finer }
            to = max(to, end)
        }
        if to < asked.upperBound {
            // The window that the end lies in, unless it has not ended itself.
            let last =
                tiers.first { $0.index <= edge.index && keeps($0, $0.start(of: to)) } ?? edge
            let end = last.end(of: last.start(of: to))
            if end <= now {
                to = end
                edge = last
            }
        }
        self.init(tier: tier, edge: edge, from: from, to: to)
    }

    /// As long as it lasts, ms.
    public var length: Int64 { to - from }

    /// One stored window.
    struct Piece: Hashable {
        let tier: Tier
        /// ms since 1970.
        let start: Int64
    }

    /// The stored windows that hold the interval's figures in one shard: the coarsest that lie in
    /// it and are done, and their parts, down to the base, where they are not.
    ///
    /// A coarser window holds the very events of its parts, so a day is read from eight windows of
    /// three hours instead of 24 of one: that is most of what a question costs. One that is kept
    /// less long than the interval's own tier may have come back with a later import's events only,
    /// and is left alone.
    ///
    /// - Invariant: every event lies in one piece at most, and in one exactly if it lies in the
    ///   interval.
    func pieces(in index: WindowIndex, _ ladder: Ladder) -> [Piece] {
        var pieces: [Piece] = []
        var taken: [(tier: Tier, starts: Set<Int64>)] = []
        for tier in ladder.tiers.reversed() {
            if tier.index > self.tier.index, tier.keepMilliseconds < self.tier.keepMilliseconds {
                continue
            }
            var starts: Set<Int64> = []
            for start in index.windows[tier.index] where start >= from && tier.end(of: start) <= to
            {
                guard tier.index == 0 || index.isDone(tier, start) else { continue }
                if taken.contains(where: { $0.starts.contains($0.tier.start(of: start)) }) {
                    continue
                }
                pieces.append(Piece(tier: tier, start: start))
                starts.insert(start)
            }
            taken.append((tier, starts))
        }
        return pieces
    }
}
