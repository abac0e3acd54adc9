public import EventLoop

/// An answer: status, fields, body.
public struct HTTPResponse: Sendable {
    /// The code.
    public var status: Int
    /// What is sent beside the fields that every answer has.
    public var headers: [(name: String, value: String)]
    /// The body.
    public var body: [UInt8]

    /// An answer of its parts.
    public init(
        status: Int, type: String, body: [UInt8], headers: [(name: String, value: String)] = []
    ) {
        self.status = status
        self.headers = [("Content-Type", type)] + headers
        self.body = body
    }

    /// A few words, for probes.
    public static func text(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(
            status: status, type: "text/plain; charset=utf-8", body: Array("\(text)\n".utf8),
            headers: [("Cache-Control", "no-store")])
    }

    /// What went wrong, as `application/problem+json`.
    ///
    /// - Source: RFC 9457, "Problem Details for HTTP APIs".
    public static func problem(
        _ status: Int, _ title: String, _ detail: String,
        headers: [(name: String, value: String)] = []
    ) -> HTTPResponse {
        let body =
            "{\"type\":\"about:blank\",\"title\":\(quoted(title)),\"status\":\(status),"
            + "\"detail\":\(quoted(detail))}\n"
        return HTTPResponse(
            status: status, type: "application/problem+json", body: Array(body.utf8),
            headers: [("Cache-Control", "no-store")] + headers)
    }

    /// What every answer of ours tells a browser: nothing from elsewhere, no frame around it, no
    /// guess at its type. There is no CORS: other origins may not read it.
    static let security: [(name: String, value: String)] = [
        (
            "Content-Security-Policy",
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.utf8.count) + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// What a handler gives back.
public enum HTTPAnswer {
    /// A whole answer.
    case response(HTTPResponse)
    /// Server-sent events until the stream ends.
    case stream(HTTPEventStream)
}

/// The place where a handler puts its answer, now or later; once.
///
/// - Thread: loop only.
@LoopActor public final class HTTPReply {
    private weak var connection: HTTPConnection?
    private let number: UInt64

    init(_ connection: HTTPConnection, number: UInt64) {
        self.connection = connection
        self.number = number
    }

    /// Sends the answer; nothing happens when the peer has gone or was answered.
    public func send(_ answer: HTTPAnswer) {
        connection?.answer(answer, to: number)
        connection = nil
    }

    /// Sends a whole answer.
    public func send(_ response: HTTPResponse) { send(.response(response)) }
}
