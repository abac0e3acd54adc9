import Glibc

/// A buffered writer to standard output (or another descriptor).
///
/// A reader that goes away (`coordinator top | head`) is no error: `isReaderGone` turns true, the
/// rest is dropped and the program ends quietly. Any other failure is kept in `failure` and told
/// once, at the end.
///
/// - Thread: one; not shared.
public final class OutputWriter {
    /// Large enough that a long export costs few system calls, small enough not to matter.
    private static let bufferBytes = 65_536

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// The reader closed its end: nothing more needs to be made.
    public private(set) var isReaderGone = false
    /// The errno of a write that failed otherwise (a full disk).
    public private(set) var failure: Int32?

    /// A writer to standard output.
    public static func standardOutput() -> OutputWriter { OutputWriter(descriptor: STDOUT_FILENO) }

    /// A writer to standard error.
    public static func standardError() -> OutputWriter { OutputWriter(descriptor: STDERR_FILENO) }

    /// A writer on an open descriptor, which stays the caller's.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Makes a vanished reader an error of the write instead of a signal that ends the process.
    /// Call once at start.
    public static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }

    /// Whether writing still makes sense.
    public var isUsable: Bool { !isReaderGone && failure == nil }

    /// Adds text.
    public func write(_ text: String) {
        guard isUsable else { return }
        buffer.append(contentsOf: text.utf8)
        if buffer.count >= Self.bufferBytes { flush() }
    }

    /// Adds bytes.
    public func write(_ bytes: [UInt8]) {
        guard isUsable else { return }
        buffer.append(contentsOf: bytes)
        if buffer.count >= Self.bufferBytes { flush() }
    }

    /// Sends what is buffered. Waits for a slow reader: this is the end of a command's work, not a
    /// loop's.
    public func flush() {
        defer { buffer.removeAll(keepingCapacity: true) }
        var sent = 0
        while sent < buffer.count, isUsable {
            let count = buffer.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress?.advanced(by: sent), bytes.count - sent)
            }
            if count >= 0 {
                sent += count
            } else {
                recover(from: errno)
            }
        }
    }

    /// Sends the rest; nil when all was written or nobody wants it, else a sentence for stderr.
    public func finish() -> String? {
        flush()
        return failure.map { "cannot write the output: " + String(cString: strerror($0)) }
    }

    private func recover(from code: Int32) {
        switch code {
        case EINTR: return
        case EAGAIN:
            // Somebody made the descriptor non-blocking (a shared terminal): wait until it takes
            // more.
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = poll(&entry, 1, -1)
        case EPIPE: isReaderGone = true
        default: failure = code
        }
    }
}
