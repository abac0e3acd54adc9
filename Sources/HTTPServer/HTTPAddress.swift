import Glibc

/// A numeric address and a port to listen on, or to connect to.
public struct HTTPAddress: Hashable, Sendable, CustomStringConvertible {
    /// The numeric address, without brackets.
    public let host: String
    /// The port; 0 lets the system choose one.
    public let port: UInt16

    /// Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`; names but `localhost` would have to
    /// be looked up, and could mean several addresses.
    ///
    /// - Errors: `.address`.
    public init(_ text: String) throws(HTTPServerError) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { throw .address(text) }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":") else { throw .address(text) }
        } else if host.contains(":") {
            throw .address(text)
        }
        if host == "localhost" { host = "127.0.0.1" }
        guard Self.isNumeric(host) else { throw .address(text) }
        self.host = host
        self.port = port
    }

    init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// As it is written in a URL.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Where a program of the same machine reaches what listens here: all addresses are nobody's.
    public var reachable: HTTPAddress {
        switch host {
        case "0.0.0.0": HTTPAddress(host: "127.0.0.1", port: port)
        case "::": HTTPAddress(host: "::1", port: port)
        default: self
        }
    }

    /// Whether only programs of this machine can reach it.
    public var isLoopback: Bool { host == "::1" || host.hasPrefix("127.") }

    /// Whether a text is a numeric IPv4 or IPv6 address.
    static func isNumeric(_ host: String) -> Bool {
        var short = in_addr()
        var long = in6_addr()
        return inet_pton(AF_INET, host, &short) == 1 || inet_pton(AF_INET6, host, &long) == 1
    }

    /// Lends the C address.
    func withSocketAddress<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t, Int32) -> Result
    ) -> Result {
        if host.contains(":") {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            _ = inet_pton(AF_INET6, host, &address.sin6_addr)
            let length = socklen_t(MemoryLayout<sockaddr_in6>.size)
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, length, AF_INET6)
                }
            }
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        _ = inet_pton(AF_INET, host, &address.sin_addr)
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length, AF_INET) }
        }
    }

    /// A peer's address and port.
    init(_ storage: sockaddr_storage) {
        var storage = storage
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let isShort = Int32(storage.ss_family) == AF_INET
        port = withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { long in
                pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { short in
                    if isShort {
                        var address = short.pointee.sin_addr
                        inet_ntop(AF_INET, &address, &text, socklen_t(text.count))
                    } else {
                        var address = long.pointee.sin6_addr
                        inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
                    }
                    return UInt16(bigEndian: short.pointee.sin_port)
                }
            }
        }
        host = String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
