import CLibuv

/// One libuv timer, one-shot or repeating.
///
/// The handler is kept until ``close()``. The handle's memory is freed in libuv's close callback.
///
/// - Thread: loop only.
@LoopActor
public final class LoopTimer {
    private let handle: UnsafeMutablePointer<uv_timer_t>
    private var handler: (@LoopActor () -> Void)?
    private var isClosed = false

    /// Makes a timer that is not running yet.
    public init(_ handler: @escaping @LoopActor () -> Void) {
        self.handler = handler
        handle = .allocate(capacity: 1)
        requireSuccess(uv_timer_init(LoopCore.shared.loop, handle), "uv_timer_init")
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit { if !isClosed { preconditionFailure("a LoopTimer was dropped without close()") } }

    /// Starts, or starts again, counting from now.
    ///
    /// - Units: rounded up to whole milliseconds; `repeating` is at least one.
    public func start(after delay: Duration, repeating: Duration? = nil) {
        precondition(!isClosed, "start of a closed timer")
        // libuv counts from the turn's cached clock: without this a late turn makes the timer
        // early.
        uv_update_time(LoopCore.shared.loop)
        let interval = repeating.map { max(1, $0.clampedMilliseconds) } ?? 0
        requireSuccess(
            uv_timer_start(
                handle,
                { handle in
                    guard let data = handle?.pointee.data else { return }
                    let timer = Unmanaged<LoopTimer>.fromOpaque(data).takeUnretainedValue()
                    LoopActor.assume { timer.fire() }
                }, delay.clampedMilliseconds, interval), "uv_timer_start")
    }

    /// Stops it; it can be started again.
    public func stop() {
        guard !isClosed else { return }
        requireSuccess(uv_timer_stop(handle), "uv_timer_stop")
    }

    /// Ends it for good; a second call does nothing.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        handler = nil
        handle.pointee.data = nil  // a callback already queued finds no owner
        closeHandle(handle)
    }

    private func fire() { handler?() }
}

/// Closes a handle of any libuv type and frees its memory when libuv has let go of it.
@LoopActor
func closeHandle<Handle>(_ handle: UnsafeMutablePointer<Handle>) {
    handle.withMemoryRebound(to: uv_handle_t.self, capacity: 1) { base in
        uv_close(base) { UnsafeMutableRawPointer($0)?.deallocate() }
    }
}
