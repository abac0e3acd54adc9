import CLibuv

/// An operating error that libuv reported.
public struct LoopError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The C function that failed.
    public let function: String
    /// libuv's (negative) code.
    public let code: Int32

    /// Turns a status of a C function into an error.
    public init(function: String, code: Int32) {
        self.function = function
        self.code = code
    }

    /// libuv's own words, for example `connection refused`.
    public var reason: String {
        uv_strerror(code).map { String(cString: $0) } ?? "code \(code)"
    }

    /// One lower-case line without secrets.
    public var description: String { "\(function): \(reason)" }

    /// The connection was closed by the other side without an error.
    public var isEndOfFile: Bool { code == UV_EOF.rawValue }
}

/// Stops the process when libuv refuses what it can refuse only to a wrong program (or with no
/// memory left).
func requireSuccess(_ code: Int32, _ function: StaticString) {
    precondition(
        code >= 0, "\(function) failed: \(LoopError(function: "\(function)", code: code).reason)")
}
