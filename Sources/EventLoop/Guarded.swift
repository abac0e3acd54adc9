import CLibuv

/// A value that several threads touch, each under libuv's lock.
///
/// `Synchronization.Mutex` would do, but the thread sanitizer cannot see it (a bare futex in a
/// library that is not instrumented) and reports races that are none. `@unchecked`: the lock guards
/// the value.
package final class Guarded<Value>: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<uv_mutex_t>.allocate(capacity: 1)
    private var value: Value

    package init(_ value: Value) {
        self.value = value
        requireSuccess(uv_mutex_init(lock), "uv_mutex_init")
    }

    deinit {
        uv_mutex_destroy(lock)
        lock.deallocate()
    }

    /// Gives `body` the value for itself. What it does holds all others up.
    ///
    /// - Thread: any.
    package func with<Result>(_ body: (inout Value) -> Result) -> Result {
        uv_mutex_lock(lock)
        defer { uv_mutex_unlock(lock) }
        return body(&value)
    }
}
