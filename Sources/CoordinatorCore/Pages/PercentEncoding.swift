/// `%xx` in paths and queries.
///
/// - Source: RFC 3986, sections 2.1 to 2.3 and 6.2.2.
enum PercentEncoding {
    private static let percent = UInt8(ascii: "%")

    /// Unreserved characters decoded, every other `%xx` in upper case; a `%` that starts none
    /// stays.
    ///
    /// A decoded character may complete another `%xx` with what stands before it: `%%34%31` is
    /// `%41` is `A`. So each byte is judged against what has been *written*, which gives in one
    /// pass what decoding again and again until nothing changes would give.
    static func normalised(_ bytes: some Collection<UInt8>) -> [UInt8] {
        guard bytes.contains(percent) else { return Array(bytes) }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for byte in bytes {
            result.append(byte)
            settleEnd(of: &result)
        }
        return result
    }

    /// Every `%xx` decoded; what does not start one stays. May give invalid UTF-8.
    static func decoded(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var position = bytes.startIndex
        while position != bytes.endIndex {
            let three = bytes[position...].prefix(3)
            if let value = escape(three) {
                result.append(value)
                position = three.endIndex
            } else {
                result.append(bytes[position])
                bytes.formIndex(after: &position)
            }
        }
        return result
    }

    private static func settleEnd(of result: inout [UInt8]) {
        while result.count >= 3, result[result.count - 3] == percent,
            let value = escape(result.suffix(3))
        {
            guard isUnreserved(value) else {
                for index in result.indices.suffix(2) { result[index] = upperCased(result[index]) }
                return
            }
            result.removeLast(2)
            result[result.count - 1] = value
        }
    }

    /// The value of three bytes `%xx`; nil when they are something else.
    private static func escape(_ three: some Collection<UInt8>) -> UInt8? {
        guard three.first == percent, three.count == 3 else { return nil }
        let digits = three.dropFirst()
        guard let high = digits.first.flatMap(nibble),
            let low = digits.dropFirst().first.flatMap(nibble)
        else { return nil }
        return high << 4 | low
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    private static func upperCased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "a") ? byte & ~0x20 : byte
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
