/// What is asked, as it came, decoded once and checked.
public struct HTTPRequest: Sendable {
    /// `GET`, `HEAD`, `POST`, …
    public let method: String
    /// Path and parameters.
    public let target: HTTPTarget
    /// The peer's address, without its port.
    public let peer: String
    /// Header fields by lower-case name.
    public let headers: [String: String]
    /// The body; empty where there is none.
    public internal(set) var body: [UInt8] = []

    /// The value of a header field; its name in lower case.
    public func header(_ name: String) -> String? { headers[name] }
}

/// The path and the parameters of a request line.
///
/// - Shape: strict. An escape that is none, what is not UTF-8 and control characters are
///   refused: they could mean one thing here and another behind a proxy.
public struct HTTPTarget: Hashable, Sendable {
    /// One `name=value`.
    public struct Parameter: Hashable, Sendable {
        /// The name.
        public let name: String
        /// The value; empty where there is none.
        public let value: String
    }

    /// Decoded.
    public let path: String
    /// In the order they came.
    public let parameters: [Parameter]

    /// More than any question has.
    private static let mostParameters = 32

    /// Reads the target of a request line; nil where it is refused.
    public init?(_ raw: String) {
        let bytes = Array(raw.utf8)
        guard bytes.first == UInt8(ascii: "/") else { return nil }
        let parts = bytes.split(
            separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = Self.decode(parts[0], plusIsSpace: false), !path.contains("/../"),
            !path.hasSuffix("/..")
        else { return nil }
        self.path = path
        var parameters: [Parameter] = []
        if parts.count == 2, !parts[1].isEmpty {
            for pair in parts[1].split(separator: UInt8(ascii: "&")) {
                let sides = pair.split(
                    separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                guard let name = Self.decode(sides[0], plusIsSpace: true), !name.isEmpty,
                    let value = sides.count == 2 ? Self.decode(sides[1], plusIsSpace: true) : "",
                    parameters.count < Self.mostParameters
                else { return nil }
                parameters.append(Parameter(name: name, value: value))
            }
        }
        self.parameters = parameters
    }

    private static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String? {
        var decoded: [UInt8] = []
        var place = bytes.startIndex
        while place < bytes.endIndex {
            var byte = bytes[place]
            place += 1
            if byte == UInt8(ascii: "%") {
                guard place + 1 < bytes.endIndex, let high = hex(bytes[place]),
                    let low = hex(bytes[place + 1])
                else { return nil }
                byte = high << 4 | low
                place += 2
            } else if byte == UInt8(ascii: "+"), plusIsSpace {
                byte = 0x20
            }
            guard byte >= 0x20, byte != 0x7F else { return nil }
            decoded.append(byte)
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
