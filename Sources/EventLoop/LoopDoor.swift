import CLibuv

/// What waits to run on the loop.
enum LoopItem {
    /// A step of a Swift task.
    case job(UnownedJob)
    /// A function handed in by ``LoopDoor/post(_:)``.
    case call(@LoopActor @Sendable () -> Void)
}

/// The one way into the loop from other threads: a queue under a lock, then one wake-up.
///
/// libuv merges wake-ups that come close together, so each wake takes everything that is there.
///
/// - Not guaranteed: a bound. What comes through here are steps of tasks that exist anyway and
///   results of work the loop itself handed out; a refusal would leave a task hanging for ever.
public final class LoopDoor: Sendable {
    private let queue = Guarded<[LoopItem]>([])
    private let wake: WakeHandle

    /// The handle is only ever given to `uv_async_send`, which libuv allows from any thread.
    private struct WakeHandle: @unchecked Sendable {
        let pointer: UnsafeMutablePointer<uv_async_t>
    }

    init(loop: UnsafeMutablePointer<uv_loop_t>) {
        let pointer = UnsafeMutablePointer<uv_async_t>.allocate(capacity: 1)
        // The callback does nothing: the queue is emptied in the loop's check step, right after it.
        requireSuccess(uv_async_init(loop, pointer) { _ in }, "uv_async_init")
        wake = WakeHandle(pointer: pointer)
    }

    /// Runs `body` on the loop, soon. May be called from any thread, also from the loop's own.
    ///
    /// - Thread: any.
    public static func post(_ body: @escaping @LoopActor @Sendable () -> Void) {
        LoopCore.shared.submit(.call(body), always: true)
    }

    func push(_ item: LoopItem) {
        let wasEmpty = queue.with { items in
            items.append(item)
            return items.count == 1
        }
        // Whoever found the queue empty has to wake; for the others a wake-up is already under way.
        if wasEmpty { requireSuccess(uv_async_send(wake.pointer), "uv_async_send") }
    }

    func takeAll() -> [LoopItem] {
        queue.with { items in
            guard !items.isEmpty else { return [] }
            var taken: [LoopItem] = []
            swap(&taken, &items)
            return taken
        }
    }
}
