import CLibuv
public import CoordinatorCore
import Glibc

/// Reads the monotonic clock, afresh: `uv_now` is cached for a whole turn and would lie to a lease
/// check.
///
/// - Thread: any.
public func loopNow() -> MonotonicInstant {
    MonotonicInstant(nanoseconds: uv_hrtime())
}

/// How long the calling thread has run so far. Not the time of day: what a busy machine takes away
/// is not the doing of whoever is charged.
///
/// - Thread: any.
public func threadTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}

extension Duration {
    /// Longer spans are cut to this, some 292 years: nothing here waits longer, and no sum can
    /// overflow.
    private static let longestSeconds: Int64 = 9_000_000_000

    /// Whole nanoseconds; a negative span is none.
    package var clampedNanoseconds: UInt64 {
        let parts = components
        guard parts.seconds >= 0, parts.attoseconds >= 0 else { return 0 }
        guard parts.seconds < Self.longestSeconds else {
            return UInt64(Self.longestSeconds) * 1_000_000_000
        }
        return UInt64(parts.seconds) * 1_000_000_000 + UInt64(parts.attoseconds) / 1_000_000_000
    }

    /// Whole milliseconds, rounded up, so that a timer is never early.
    package var clampedMilliseconds: UInt64 { (clampedNanoseconds + 999_999) / 1_000_000 }
}
