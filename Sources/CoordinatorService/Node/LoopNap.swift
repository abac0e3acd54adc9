import EventLoop

/// A sleep that can be ended early by another task on the loop.
///
/// - Thread: loop only.
@LoopActor final class LoopNap {
    private var continuation: CheckedContinuation<Void, Never>?
    private var timer: LoopTimer?

    func sleep(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            self.continuation = continuation
            let timer = LoopTimer { [weak self] in self?.wake() }
            self.timer = timer
            timer.start(after: duration)
        }
    }

    func wake() {
        timer?.close()
        timer = nil
        continuation?.resume()
        continuation = nil
    }
}
