public import CoordinatorCore

/// A part of the node's time: what is taken beyond it has to be waited for.
public struct HTTPAllowance: Sendable {
    /// The part, of one.
    private let share: Double
    /// So much may be taken at once before the part counts.
    private let burst: Duration
    private var left: Duration
    private var at: MonotonicInstant

    /// An allowance of which nothing was taken yet.
    public init(share: Double, burst: Duration, now: MonotonicInstant) {
        self.share = share
        self.burst = burst
        left = burst
        at = now
    }

    /// Takes time that was spent. No more is owed than may be taken at once: whoever comes after a
    /// bad hour does not pay for all of it.
    ///
    /// - Returns: how long to rest until the part is kept again; nil when it is.
    public mutating func spend(_ time: Duration, now: MonotonicInstant) -> Duration? {
        left = max(.zero - burst, min(burst, left + (now - at) * share) - time)
        at = now
        return left < .zero ? .zero - left / share : nil
    }
}
