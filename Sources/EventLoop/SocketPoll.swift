import CLibuv

/// Watches a socket that somebody else owns: a C library that reads and writes by itself and only
/// wants to know when it can.
///
/// - Not guaranteed: that the socket is ready; a call may find that it is not, and has to return.
/// - Thread: loop only.
@LoopActor
public final class SocketPoll {
    /// What a socket is ready for, or is watched for.
    public struct Readiness: OptionSet, Sendable {
        /// The bits.
        public let rawValue: Int32

        /// A set of its bits.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// There are bytes to read, or the peer has closed.
        public static let readable = Readiness(rawValue: Int32(UV_READABLE.rawValue))
        /// Bytes can be written, or a connection stands.
        public static let writable = Readiness(rawValue: Int32(UV_WRITABLE.rawValue))
    }

    private let handle: UnsafeMutablePointer<uv_poll_t>
    private var handler: (@LoopActor (Result<Readiness, LoopError>) -> Void)?
    private var isClosed = false

    /// Makes a watch that has not begun. The socket has to stay open until ``close()``.
    ///
    /// - Errors: the descriptor is none that can be watched.
    public init(
        _ descriptor: Int32, _ handler: @escaping @LoopActor (Result<Readiness, LoopError>) -> Void
    ) throws(LoopError) {
        self.handler = handler
        handle = .allocate(capacity: 1)
        let status = uv_poll_init_socket(LoopCore.shared.loop, handle, descriptor)
        guard status == 0 else {
            handle.deallocate()
            isClosed = true
            throw LoopError(function: "uv_poll_init_socket", code: status)
        }
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit { if !isClosed { preconditionFailure("a SocketPoll was dropped without close()") } }

    /// Watches for these from now on, instead of those before.
    public func watch(_ wanted: Readiness) {
        guard !isClosed else { return }
        let status = uv_poll_start(handle, wanted.rawValue) { handle, status, events in
            guard let data = handle?.pointee.data else { return }
            let poll = Unmanaged<SocketPoll>.fromOpaque(data).takeUnretainedValue()
            LoopActor.assume { poll.ready(status, events) }
        }
        requireSuccess(status, "uv_poll_start")
    }

    /// Ends the watch; a second call does nothing. The socket may be closed right after it.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        handler = nil
        handle.pointee.data = nil
        closeHandle(handle)
    }

    private func ready(_ status: Int32, _ events: Int32) {
        if status < 0 {
            handler?(.failure(LoopError(function: "uv_poll", code: status)))
        } else {
            handler?(.success(Readiness(rawValue: events)))
        }
    }
}
