/// What can go wrong between the caller and the cluster.
///
/// The one question a caller has to settle is "may it have run?": only
/// ``outcomeUnknown(operation:endpoint:after:)`` leaves it open. After every other case the command
/// has had no effect, or the server said which.
public enum RedisError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No server could be connected; nothing was sent.
    case unreachable(endpoint: String, reason: String)
    /// The deadline passed before the command was sent.
    case timedOut(operation: String, after: Duration)
    /// The command was sent and no reply came: it may have run.
    case outcomeUnknown(operation: String, endpoint: String, after: Duration)
    /// The server does not accept the user or the password, or wants one.
    case authentication(endpoint: String, message: String)
    /// TLS: the server did not prove who it is, or does not trust this client; nothing was sent.
    case untrusted(endpoint: String, reason: String)
    /// The user may not do this (`NOPERM`).
    case permission(endpoint: String, message: String)
    /// Any other error the server answered with; `code` is its first word.
    case server(code: String, message: String, endpoint: String)
    /// The slot had no master, or the cluster was down, until the deadline; nothing was executed.
    case clusterDown(message: String)
    /// The server sent what is no reply, or one beyond the limits; the connection was closed. The
    /// command may have run.
    case protocolViolation(endpoint: String, reason: String)
    /// A queue is full; nothing was sent. Slow down and try again.
    case overloaded(lane: String)
    /// The client is closed; nothing was sent.
    case closed
    /// The configuration cannot work.
    case configuration(String)

    /// One lower-case line without secrets.
    public var description: String {
        switch self {
        case .unreachable(let endpoint, let reason):
            "cannot reach redis at \(endpoint): \(reason)"
        case .timedOut(let operation, let after):
            "\(operation) was not sent within \(after)"
        case .outcomeUnknown(let operation, let endpoint, let after):
            "\(operation) was sent to \(endpoint) and not answered within \(after): it may have run"
        case .authentication(let endpoint, let message):
            "redis at \(endpoint) refuses the user or password: \(message)"
        case .untrusted(let endpoint, let reason):
            "no trusted connection to redis at \(endpoint): \(reason)"
        case .permission(let endpoint, let message):
            "the redis user may not do this at \(endpoint): \(message)"
        case .server(let code, let message, let endpoint):
            "redis at \(endpoint) answered \(code): \(message)"
        case .clusterDown(let message):
            "the redis cluster is down: \(message)"
        case .protocolViolation(let endpoint, let reason):
            "\(endpoint) does not speak redis: \(reason)"
        case .overloaded(let lane):
            "too many redis commands under way in the \(lane) lane"
        case .closed: "the redis client is closed"
        case .configuration(let reason): reason
        }
    }

    /// True where the command may have had an effect.
    public var mayHaveRun: Bool {
        switch self {
        case .outcomeUnknown, .protocolViolation: true
        case .unreachable, .timedOut, .authentication, .untrusted, .permission, .server,
            .clusterDown, .overloaded, .closed, .configuration:
            false
        }
    }
}

extension RedisError {
    /// Trying again with the same configuration would fail alike.
    var isFinal: Bool {
        switch self {
        case .authentication, .untrusted: true
        case .unreachable, .timedOut, .outcomeUnknown, .permission, .server, .clusterDown,
            .protocolViolation, .overloaded, .closed, .configuration:
            false
        }
    }
}

/// An error reply as the server sent it.
public struct RedisServerError: Hashable, Sendable, CustomStringConvertible {
    /// The first word, for example `WRONGTYPE`.
    public let code: String
    /// The rest of the line.
    public let message: String

    /// Makes one from its parts.
    public init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    /// Splits the line of an error reply; what is not UTF-8 is replaced.
    init(line: UnsafeRawBufferPointer) {
        let text = String(decoding: line.prefix(Self.longestLine), as: UTF8.self)
        let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        code = parts.first.map(String.init) ?? ""
        message = parts.count == 2 ? String(parts[1]) : ""
    }

    /// An error is read by people; a server that sends more than this is cut short.
    private static let longestLine = 4_096

    /// The line as it came.
    public var description: String { message.isEmpty ? code : "\(code) \(message)" }

    /// The error a caller gets when nothing can be done about it here.
    func asError(endpoint: RedisEndpoint) -> RedisError {
        switch code {
        case "NOAUTH", "WRONGPASS":
            .authentication(endpoint: endpoint.description, message: message)
        case "NOPERM": .permission(endpoint: endpoint.description, message: message)
        case "CLUSTERDOWN": .clusterDown(message: message)
        default: .server(code: code, message: message, endpoint: endpoint.description)
        }
    }
}
