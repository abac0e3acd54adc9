/// A secret that requests have to show.
///
/// - Source: RFC 6750, "Bearer Token Usage"; RFC 7617, "The 'Basic' Authentication Scheme".
public struct BearerToken: Sendable {
    /// Fewer characters could be guessed in the time there is.
    public static let shortest = 16

    private let secret: [UInt8]

    /// A token of this text, without the space around it; nil where it is too short.
    public init?(_ text: String) {
        let secret = Array(text.utf8).trimmingSpace
        guard secret.count >= Self.shortest else { return nil }
        self.secret = Array(secret)
    }

    /// Whether an `Authorization` field shows the token: as `Bearer`, or as the password of
    /// `Basic`, which is what a browser can send.
    public func isShown(by field: String?) -> Bool {
        guard let field, let space = field.firstIndex(of: " ") else { return false }
        let shown = Array(field[field.index(after: space)...].utf8).trimmingSpace
        switch field[..<space].lowercased() {
        case "bearer": return equals(shown)
        case "basic":
            guard let decoded = Self.base64(shown),
                let colon = decoded.firstIndex(of: UInt8(ascii: ":"))
            else { return false }
            return equals(decoded[(colon + 1)...])
        default: return false
        }
    }

    /// Takes as long whatever differs: all bytes are looked at, so that nobody learns from the time
    /// how much of a guess was right.
    private func equals(_ given: ArraySlice<UInt8>) -> Bool {
        var difference = given.count ^ secret.count
        for index in secret.indices {
            let other = index < given.count ? given[given.startIndex + index] : 0
            difference |= Int(secret[index] ^ other)
        }
        return difference == 0
    }

    private static func base64(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var bits: UInt32 = 0
        var count = 0
        var bytes: [UInt8] = []
        for character in text where character != UInt8(ascii: "=") {
            let value: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes[...]
    }
}

extension Array where Element == UInt8 {
    fileprivate var trimmingSpace: ArraySlice<UInt8> {
        var slice = self[...]
        let space: [UInt8] = [0x09, 0x0A, 0x0D, 0x20]
        while let first = slice.first, space.contains(first) { slice.removeFirst() }
        while let last = slice.last, space.contains(last) { slice.removeLast() }
        return slice
    }
}
