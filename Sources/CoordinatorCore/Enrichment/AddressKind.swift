/// What an address is for, by its number alone.
///
/// - Source: IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 6890; RFC 6052 (NAT64);
///   RFC 3056 (6to4).
public enum AddressKind: Hashable, Sendable, CustomStringConvertible {
    /// Anybody's, on the Internet.
    case `public`
    /// This machine.
    case loopback
    /// Of a private network, or of a provider's between it and its customers (CGNAT).
    case `private`
    /// Of one link only; cloud providers give machines their secrets at one of these.
    case linkLocal
    /// A group of machines.
    case multicast
    /// For documentation, tests, tunnels, the future, or no address at all.
    case reserved

    /// Judges four bytes of IPv4 or sixteen of IPv6; any other number of bytes is reserved.
    public init(of bytes: [UInt8]) {
        switch bytes.count {
        case 4: self = Self.ofIPv4(bytes[...])
        case 16: self = Self.ofIPv6(bytes)
        default: self = .reserved
        }
    }

    /// For sentences: "… is at 10.0.0.1, which is …".
    public var description: String {
        switch self {
        case .public: "public"
        case .loopback: "this machine's own"
        case .private: "private"
        case .linkLocal: "of one link only"
        case .multicast: "a group's"
        case .reserved: "reserved"
        }
    }

    private static func ofIPv4(_ bytes: ArraySlice<UInt8>) -> AddressKind {
        let word = bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        func within(_ network: UInt32, _ length: UInt32) -> Bool {
            (word ^ network) >> (32 - length) == 0
        }
        if within(0x7F00_0000, 8) { return .loopback }
        let privateNetworks: [(UInt32, UInt32)] = [
            (0x0A00_0000, 8), (0xAC10_0000, 12), (0xC0A8_0000, 16), (0x6440_0000, 10),
        ]
        if privateNetworks.contains(where: { within($0.0, $0.1) }) { return .private }
        if within(0xA9FE_0000, 16) { return .linkLocal }
        if within(0xE000_0000, 4) { return .multicast }
        let reservedNetworks: [(UInt32, UInt32)] = [
            (0x0000_0000, 8), (0xC000_0000, 24), (0xC000_0200, 24), (0xC058_6300, 24),
            (0xC612_0000, 15), (0xC633_6400, 24), (0xCB00_7100, 24), (0xF000_0000, 4),
        ]
        return reservedNetworks.contains { within($0.0, $0.1) } ? .reserved : .public
    }

    private static func ofIPv6(_ bytes: [UInt8]) -> AddressKind {
        func starts(_ prefix: [UInt8]) -> Bool { bytes.starts(with: prefix) }
        let zeros = [UInt8](repeating: 0, count: 15)
        if bytes.elementsEqual(zeros + [1]) { return .loopback }
        // An IPv4 address in other clothes is judged as what it is: a translator on the way would
        // send it there.
        if starts([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]) { return ofIPv4(bytes[12...]) }
        if starts([0x00, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8)) {
            return ofIPv4(bytes[12...])
        }
        if starts([0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01]) { return .private }
        if starts([0x20, 0x02]) {
            let inner = ofIPv4(bytes[2..<6])
            return inner == .public ? .reserved : inner
        }
        if bytes[0] == 0xFF { return .multicast }
        if bytes[0] & 0xFE == 0xFC { return .private }
        if bytes[0] == 0xFE { return bytes[1] & 0xC0 == 0x80 ? .linkLocal : .private }
        let isGlobal = bytes[0] & 0xE0 == 0x20
        // 2001::/23 holds tunnels and tests, 2001:db8::/32 and 3fff::/20 documentation.
        let isSpecial =
            starts([0x20, 0x01]) && (bytes[2] & 0xFE == 0 || starts([0x20, 0x01, 0x0D, 0xB8]))
            || starts([0x3F, 0xFF]) && bytes[2] & 0xF0 == 0
        return isGlobal && !isSpecial ? .public : .reserved
    }
}

/// Which addresses may be dialled.
public struct AddressRules: Hashable, Sendable {
    /// Private addresses and this machine's own are allowed, too. Those of one link, of groups and
    /// reserved ones never are.
    public let allowsPrivate: Bool

    /// Rules for a public API, or for one within the own network.
    public init(allowsPrivate: Bool) {
        self.allowsPrivate = allowsPrivate
    }

    /// Whether the address of these bytes, four or sixteen, may be dialled.
    public func allows(_ bytes: [UInt8]) -> Bool {
        switch AddressKind(of: bytes) {
        case .public: true
        case .loopback, .private: allowsPrivate
        case .linkLocal, .multicast, .reserved: false
        }
    }
}

/// Addresses for messages.
public enum AddressText {
    /// `127.0.0.1`, or eight groups of hex digits; empty for anything else.
    public static func text(_ bytes: [UInt8]) -> String {
        switch bytes.count {
        case 4: bytes.map { String($0) }.joined(separator: ".")
        case 16:
            stride(from: 0, to: 16, by: 2).map {
                String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
            }.joined(separator: ":")
        default: ""
        }
    }
}
