/// A sleep that can be ended early by another task on the loop; one at a time.
///
/// - Units: `Duration`, on the monotonic clock.
/// - Thread: loop only.
@LoopActor public final class LoopNap {
    private var continuation: CheckedContinuation<Void, Never>?
    private var timer: LoopTimer?

    /// Nobody sleeps yet.
    public init() {}

    /// Returns after the time, or when it is woken.
    public func sleep(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            self.continuation = continuation
            let timer = LoopTimer { self.wake() }
            self.timer = timer
            timer.start(after: duration)
        }
    }

    /// Ends the sleep now, if there is one.
    public func wake() {
        timer?.close()
        timer = nil
        continuation?.resume()
        continuation = nil
    }
}
