import CLibuv
import Glibc

/// Watches one signal of the process and calls its handler on the loop.
///
/// - Thread: loop only.
@LoopActor
public final class SignalWatcher {
    /// The signals the project reacts to.
    public enum Signal: Sendable, CaseIterable {
        /// The polite request to end, as Kubernetes and systemd send it.
        case terminate
        /// Ctrl-C at a terminal.
        case interrupt
        /// Conventionally: read the configuration again, or dump the status.
        case hangUp
        /// Ctrl-Z at a terminal: who watches it stops the process itself, by SIGSTOP.
        case suspend
        /// The process goes on after it was stopped.
        case resume
        /// The terminal has another size.
        case resize

        var number: Int32 {
            switch self {
            case .terminate: SIGTERM
            case .interrupt: SIGINT
            case .hangUp: SIGHUP
            case .suspend: SIGTSTP
            case .resume: SIGCONT
            case .resize: SIGWINCH
            }
        }
    }

    private let handle: UnsafeMutablePointer<uv_signal_t>
    private var handler: (@LoopActor () -> Void)?
    private var isClosed = false

    /// Starts watching at once; while any watcher of a signal is open its default action is off.
    public init(_ signal: Signal, _ handler: @escaping @LoopActor () -> Void) {
        self.handler = handler
        handle = .allocate(capacity: 1)
        requireSuccess(uv_signal_init(LoopCore.shared.loop, handle), "uv_signal_init")
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        let status = uv_signal_start(
            handle,
            { handle, _ in
                guard let data = handle?.pointee.data else { return }
                let watcher = Unmanaged<SignalWatcher>.fromOpaque(data).takeUnretainedValue()
                LoopActor.assume { watcher.fire() }
            }, signal.number)
        requireSuccess(status, "uv_signal_start")
    }

    deinit { if !isClosed { preconditionFailure("a SignalWatcher was dropped without close()") } }

    /// Stops watching; a second call does nothing.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        handler = nil
        handle.pointee.data = nil
        closeHandle(handle)
    }

    private func fire() { handler?() }
}
