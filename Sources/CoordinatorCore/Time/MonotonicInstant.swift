/// A reading of a monotonic clock: good for measuring, and for nothing on another machine.
///
/// Arithmetic stops at the ends of the range instead of trapping: a span from a configuration file
/// must not be able to end the process.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
    /// Nanoseconds since a moment that only this boot of this machine knows.
    public var nanoseconds: UInt64

    /// A reading.
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// The instant `span` later; not beyond the range.
    public static func + (instant: MonotonicInstant, span: Duration) -> MonotonicInstant {
        let sum = Int128(instant.nanoseconds) + span.wholeNanoseconds
        return MonotonicInstant(nanoseconds: UInt64(clamping: sum))
    }

    /// The instant `span` earlier; not beyond the range.
    public static func - (instant: MonotonicInstant, span: Duration) -> MonotonicInstant {
        let difference = Int128(instant.nanoseconds) - span.wholeNanoseconds
        return MonotonicInstant(nanoseconds: UInt64(clamping: difference))
    }

    /// The time from `right` to `left`, negative when `left` is the earlier one.
    public static func - (left: MonotonicInstant, right: MonotonicInstant) -> Duration {
        let difference = Int128(left.nanoseconds) - Int128(right.nanoseconds)
        let (seconds, rest) = difference.quotientAndRemainder(dividingBy: 1_000_000_000)
        return Duration(
            secondsComponent: Int64(seconds), attosecondsComponent: Int64(rest) * 1_000_000_000)
    }

    /// Moves the instant on by `span`.
    public static func += (instant: inout MonotonicInstant, span: Duration) {
        instant = instant + span
    }

    /// Orders by time.
    public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

extension Duration {
    /// The span in nanoseconds, rounded toward zero.
    fileprivate var wholeNanoseconds: Int128 {
        let (seconds, attoseconds) = components
        return Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
    }

    /// The span in milliseconds, rounded toward zero, held to what `Int64` can say.
    public var wholeMilliseconds: Int64 {
        Int64(clamping: wholeNanoseconds / 1_000_000)
    }
}
