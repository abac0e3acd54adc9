public import CoordinatorCore

/// Why there is no answer to a request.
public enum HTTPError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The host is not on the list of those that may be asked; nothing was looked up.
    case hostNotAllowed(host: String)
    /// The host's name has no address now.
    case unresolved(host: String, reason: String)
    /// Every address of the host is one that is not dialled.
    case addressRefused(host: String, address: String, kind: AddressKind)
    /// No connection could be made, or the peer could not prove who it is.
    case unreachable(reason: String)
    /// The connection broke, or what came is no HTTP.
    case interrupted(reason: String)
    /// The answer was not whole in time.
    case timedOut(after: Duration)
    /// The body, as it is after decompression, or the headers are larger than is read of them.
    case tooLarge(what: String, limit: Int)
    /// The client was closed meanwhile.
    case closed

    /// One lower-case line.
    public var description: String {
        switch self {
        case .hostNotAllowed(let host): "\(host) is not on the list of allowed hosts"
        case .unresolved(let host, let reason): "\(host) has no address: \(reason)"
        case .addressRefused(let host, let address, let kind):
            "\(host) is at \(address), which is \(kind.description) and not dialled"
        case .unreachable(let reason): "no connection: \(reason)"
        case .interrupted(let reason): "no whole answer: \(reason)"
        case .timedOut(let after): "no whole answer within \(after.wholeMilliseconds) ms"
        case .tooLarge(let what, let limit): "the \(what) of the answer is over \(limit) bytes"
        case .closed: "the client was closed"
        }
    }
}

/// A whole answer.
public struct HTTPResponse: Equatable, Sendable {
    /// The status code.
    public let status: Int
    /// The body, after decompression.
    public let body: [UInt8]
    /// How long the server asks to wait (`Retry-After`, in seconds or as a date); nil when it does
    /// not say.
    public let retryAfter: Duration?

    /// An answer of its parts.
    public init(status: Int, body: [UInt8], retryAfter: Duration? = nil) {
        self.status = status
        self.body = body
        self.retryAfter = retryAfter
    }
}

/// What is asked for.
public struct HTTPRequest: Hashable, Sendable {
    /// The host's name or numeric address, an IPv6 one without brackets; lower case.
    public let host: String
    /// The port.
    public let port: UInt16
    /// The whole URL.
    public let url: String

    /// A request of its parts, which have to agree.
    public init(host: String, port: UInt16, url: String) {
        self.host = host
        self.port = port
        self.url = url
    }
}
