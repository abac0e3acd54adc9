/// The isolation of everything that runs on the event loop: one thread, one libuv loop, no locks.
///
/// - Not guaranteed: fairness between jobs; a job that does not return stalls all others.
/// - Source: Swift Evolution SE-0392 (custom actor executors), SE-0417 (task executor preference).
@globalActor
public actor LoopActor {
    /// The one instance.
    public static let shared = LoopActor()

    private init() {}

    /// The loop itself is the executor: a job of this actor runs on the loop's thread, nowhere
    /// else.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        LoopExecutor.shared.asUnownedSerialExecutor()
    }

    /// Runs `body` as code of the loop, from a place the compiler cannot know to be on it.
    ///
    /// This is how a C callback enters: libuv calls back on the loop's thread only, but a C
    /// function pointer carries no isolation. The cast drops the isolation from the closure's type
    /// and changes nothing at run time, as `MainActor.assumeIsolated` does.
    ///
    /// - Thread: loop only; anything else is a programmer's error and stops the process.
    public nonisolated static func assume<Value, Failure: Error>(
        _ body: @LoopActor () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        precondition(LoopCore.shared.isOnLoopThread, "code of the event loop ran on another thread")
        typealias Plain = () throws(Failure) -> Value
        return try withoutActuallyEscaping(body) { escaping throws(Failure) in
            try unsafeBitCast(escaping, to: Plain.self)()
        }
    }
}
