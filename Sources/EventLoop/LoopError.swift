import CLibuv

/// An operating error of a stream or a look-up: libuv's, or one of a protocol between socket and
/// owner.
public struct LoopError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The C function that failed.
    public let function: String
    /// libuv's (negative) code.
    public let code: Int32
    /// The words of a protocol on top of libuv; nil where the code says it.
    private let words: String?
    /// The peer could not be trusted, or does not trust this side: another configuration mends it,
    /// waiting does not.
    public let isUntrusted: Bool

    /// Turns a status of a C function into an error.
    public init(function: String, code: Int32) {
        self.function = function
        self.code = code
        words = nil
        isUntrusted = false
    }

    /// An error of a protocol on top of libuv, in its own words.
    public init(function: String, reason: String, isUntrusted: Bool = false) {
        self.function = function
        code = UV_EPROTO.rawValue
        words = reason
        self.isUntrusted = isUntrusted
    }

    /// The peer closed the connection in order.
    public static let endOfFile = LoopError(function: "read", code: UV_EOF.rawValue)

    /// The protocol's words, or libuv's own, for example `connection refused`.
    public var reason: String {
        words ?? uv_strerror(code).map { String(cString: $0) } ?? "code \(code)"
    }

    /// One lower-case line without secrets.
    public var description: String { words ?? "\(function): \(reason)" }

    /// The connection was closed by the other side without an error.
    public var isEndOfFile: Bool { code == UV_EOF.rawValue }
}

/// Stops the process when libuv refuses what it can refuse only to a wrong program (or with no
/// memory left).
func requireSuccess(_ code: Int32, _ function: StaticString) {
    precondition(
        code >= 0, "\(function) failed: \(LoopError(function: "\(function)", code: code).reason)")
}
