public import CoordinatorCore

/// One generated entry of a tracker's stream, in the order of arrival.
public struct TrafficEvent: Equatable, Sendable {
    /// What the entry is meant to test.
    public enum Kind: Equatable, Sendable {
        /// A page view whose event time is at most a second before its arrival.
        case normal
        /// A page view up to two hours older than its arrival.
        case late
        /// The entry before it once more: its url, device and time.
        case duplicate
        /// An entry to be refused for this reason.
        case malformed(RefusalReason)
    }

    /// When the entry comes in, ms since 1970 UTC; never less than the one before it.
    public var arrival: Int64
    /// The field `url`; empty where the malformed entry has none.
    public var url: [UInt8]
    /// The field `uui`; nil where the entry has none.
    public var device: [UInt8]?
    /// The fields `kind` and `id` of a play; nil for a page view.
    public var play: Play?
    /// The field `dt`, digits or ISO-8601; nil where the entry has none.
    public var time: [UInt8]?
    /// What the entry is meant to test.
    public var kind: Kind

    /// What a play says that a page view does not.
    public struct Play: Equatable, Sendable {
        /// `audio`, `video` or `podcast`, unless the entry is malformed.
        public var kind: [UInt8]
        /// The player's id of it; nil where the malformed entry has none.
        public var id: [UInt8]?
    }

    /// Appends the entry as one line of JSON, with its line feed.
    ///
    /// Bytes that are not UTF-8 are written as they are: the reader has to refuse them.
    public func appendLine(to out: inout [UInt8]) {
        out.append(UInt8(ascii: "{"))
        if !url.isEmpty { Self.append("\"url\":", url, to: &out) }
        if let play {
            Self.append("\"kind\":", play.kind, to: &out)
            if let id = play.id { Self.append("\"id\":", id, to: &out) }
        }
        if let device { Self.append("\"uui\":", device, to: &out) }
        if let time { Self.append("\"dt\":", time, isNumber: time.allSatisfy(isDigit), to: &out) }
        out.append("}\n")
    }

    private static func append(
        _ name: StaticString, _ bytes: [UInt8], isNumber: Bool = false, to out: inout [UInt8]
    ) {
        if out.last != UInt8(ascii: "{") { out.append(UInt8(ascii: ",")) }
        out.append(name)
        if isNumber, !bytes.isEmpty {
            out.append(contentsOf: bytes)
            return
        }
        out.append(UInt8(ascii: "\""))
        if bytes.contains(where: needsEscape) {
            for byte in bytes { appendEscaped(byte, to: &out) }
        } else {
            out.append(contentsOf: bytes)
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func appendEscaped(_ byte: UInt8, to out: inout [UInt8]) {
        guard needsEscape(byte) else {
            out.append(byte)
            return
        }
        if byte < 0x20 {
            out.append("\\u00")
            out.append(Hexadecimal.lower(byte >> 4))
            out.append(Hexadecimal.lower(byte & 15))
        } else {
            out.append(UInt8(ascii: "\\"))
            out.append(byte)
        }
    }

    private func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }
}

/// The digits of a device's id and of escapes.
enum Hexadecimal {
    /// - Parameter nibble: 0 to 15.
    static func lower(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }
}

extension [UInt8] {
    /// Appends a number in decimal digits, without making a `String` first.
    mutating func appendDecimal(_ value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        // 20 digits hold the largest magnitude. Dividing by a constant is a multiplication.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var rest = value.magnitude
            var first = 20
            repeat {
                first -= 1
                digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            append(contentsOf: digits[first...])
        }
    }

    /// Appends a literal's bytes.
    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }
}
