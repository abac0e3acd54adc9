import CLibuv

/// Starts a task on the loop; the one way to do so.
///
/// It sets the loop as the task's preferred executor. A bare `Task {}` would visit the thread pool
/// at every suspension.
///
/// - Parameter priority: that of whoever calls where it is nil. It changes no order: what tasks of
///   `.utility` and below take of the thread is counted, see ``lowPriorityTime()``.
/// - Thread: any.
@discardableResult
public func spawn(
    priority: TaskPriority? = nil, _ body: @escaping @LoopActor @Sendable () async -> Void
) -> Task<Void, Never> {
    // A named function, not a closure isolated in place: Swift 6.3.1's region checker refuses that
    // one.
    Task(executorPreference: LoopExecutor.shared, priority: priority) { await runIsolated(body) }
}

@LoopActor
private func runIsolated(_ body: @LoopActor @Sendable () async -> Void) async { await body() }

/// Suspends the task for `duration` on a libuv timer.
///
/// - Errors: `CancellationError` as soon as the task is cancelled.
/// - Thread: loop only.
@LoopActor
public func loopSleep(_ duration: Duration) async throws(CancellationError) {
    let nap = LoopNap()
    await withTaskCancellationHandler {
        if !Task.isCancelled { await nap.sleep(duration) }
    } onCancel: {
        LoopDoor.post { nap.wake() }
    }
    if Task.isCancelled { throw CancellationError() }
}

/// Asks for one call of `participant` at the end of this turn; each request is one call.
///
/// - Thread: loop only.
@LoopActor
public func atTurnEnd(_ participant: any LoopTurnParticipant) {
    LoopCore.shared.requestTurnEnd(participant)
}

/// How long tasks of `.utility` priority and below have run on the loop's thread, all together:
/// whoever starts them can hold the next ones back by what they took, not by what they waited for.
///
/// - Not guaranteed: all that is done for them. Reading their replies from a socket is not counted.
/// - Thread: loop only.
@LoopActor
public func lowPriorityTime() -> Duration { LoopCore.shared.lowPriorityTime }

/// Runs blocking or heavy work on libuv's thread pool and returns its result to the loop.
///
/// - Not guaranteed: promptness. The pool has four threads and name look-ups use it too.
/// - Thread: called on the loop; `work` runs on another thread and touches only what it was given.
@LoopActor
public func offLoop<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value
) async -> Value {
    await withCheckedContinuation { continuation in
        let item = WorkItem {
            let value = work()
            return { continuation.resume(returning: value) }
        }
        let request = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
        request.pointee.data = Unmanaged.passRetained(item).toOpaque()
        let status = uv_queue_work(
            LoopCore.shared.loop, request, performOnPool,
            { request, _ in
                guard let data = request?.pointee.data else { return }
                Unmanaged<WorkItem>.fromOpaque(data).takeRetainedValue().finish()
                request?.deallocate()
            })
        requireSuccess(status, "uv_queue_work")
    }
}

/// A function of its own: a closure written in `offLoop` would be the loop's, and this is not on
/// its thread.
private func performOnPool(_ request: UnsafeMutablePointer<uv_work_t>?) {
    guard let data = request?.pointee.data else { return }
    Unmanaged<WorkItem>.fromOpaque(data).takeUnretainedValue().perform()
}

/// Work on its way to the pool and back.
///
/// `@unchecked`: libuv orders the two calls, `perform` on the pool before `finish` on the loop.
private final class WorkItem: @unchecked Sendable {
    private let work: () -> () -> Void
    private var completion: (() -> Void)?

    init(_ work: @escaping () -> () -> Void) { self.work = work }

    func perform() { completion = work() }

    func finish() { completion?() }
}
