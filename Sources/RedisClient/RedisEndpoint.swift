/// Where a Redis server listens: a host name or number, and a port.
public struct RedisEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// The port of Redis when none is given.
    public static let defaultPort: UInt16 = 6379

    /// A name or a number; IPv6 without brackets.
    public let host: String
    /// The TCP port.
    public let port: UInt16

    /// Makes an endpoint from its parts.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `host`, `[v6]:port` or, as Redis writes it in redirections, `v6:port`.
    ///
    /// - Errors: nil when the port is no port. The host may be empty: in a redirection that means
    ///   "the same host".
    public init?(_ text: some StringProtocol) {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            guard !host.isEmpty else { return nil }
            if rest.isEmpty {
                self.init(host: host, port: Self.defaultPort)
                return
            }
            guard rest.hasPrefix(":"), let port = Self.port(rest.dropFirst()) else { return nil }
            self.init(host: host, port: port)
            return
        }
        guard let colon = text.lastIndex(of: ":") else {
            guard !text.isEmpty else { return nil }
            self.init(host: String(text), port: Self.defaultPort)
            return
        }
        guard let port = Self.port(text[text.index(after: colon)...]) else { return nil }
        self.init(host: String(text[..<colon]), port: port)
    }

    /// `host:port`, with brackets around an IPv6 number.
    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func port(_ text: some StringProtocol) -> UInt16? {
        guard let port = UInt16(text), port > 0 else { return nil }
        return port
    }
}
