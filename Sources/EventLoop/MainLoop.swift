import CLibuv
import Synchronization

/// The event loop of an executable: it owns the main thread for as long as the program runs.
public enum MainLoop {
    /// Runs the loop on the calling thread until `body` returns, and returns what it returned.
    ///
    /// When the loop already has a thread (in a test, where it started one itself), the caller only
    /// waits for the result.
    ///
    /// - Not guaranteed: that anything runs on the loop afterwards, when the caller's thread was
    ///   the loop's. A test that calls this in a process of many tests lets the loop take a thread
    ///   of its own first.
    /// - Thread: the main thread, once, before anything else uses the loop.
    public static func run(_ body: @escaping @LoopActor @Sendable () async -> Int32) -> Int32 {
        let outcome = Outcome()
        let ownsLoop = LoopCore.shared.claim()
        LoopDoor.post {
            spawn {
                let status = await body()
                outcome.finish(status)
                if ownsLoop { LoopCore.shared.stop() }
            }
        }
        if ownsLoop { LoopCore.shared.run() }
        return outcome.wait()
    }

    /// A value that arrives once, and a semaphore for the thread that waits for it.
    ///
    /// `@unchecked`: the semaphore is made for use from several threads.
    private final class Outcome: @unchecked Sendable {
        private let status = Atomic<Int32>(0)
        private let semaphore = UnsafeMutablePointer<uv_sem_t>.allocate(capacity: 1)

        init() { requireSuccess(uv_sem_init(semaphore, 0), "uv_sem_init") }

        deinit {
            uv_sem_destroy(semaphore)
            semaphore.deallocate()
        }

        func finish(_ value: Int32) {
            status.store(value, ordering: .releasing)
            uv_sem_post(semaphore)
        }

        func wait() -> Int32 {
            uv_sem_wait(semaphore)
            return status.load(ordering: .acquiring)
        }
    }
}
