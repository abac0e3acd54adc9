/// Decimal numbers as bytes, read and written without a `String` and without trapping.
enum Decimal {
    /// The number that `bytes` spell; nil when empty, when a byte is no digit, or past
    /// `UInt64.max`.
    static func unsigned(_ bytes: some Collection<UInt8>) -> UInt64? {
        guard !bytes.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            let digit = byte &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    /// As `unsigned`, but the one spelling that writing gives: no leading zeros.
    static func canonicalUnsigned(_ bytes: some Collection<UInt8>) -> UInt64? {
        guard bytes.count == 1 || bytes.first != UInt8(ascii: "0") else { return nil }
        return unsigned(bytes)
    }

    /// The number that `bytes` spell, with `-` for a negative one; nil past the limits of `Int64`.
    static func signed(_ bytes: some Collection<UInt8>) -> Int64? {
        guard bytes.first == UInt8(ascii: "-") else {
            return unsigned(bytes).flatMap(Int64.init(exactly:))
        }
        guard let magnitude = unsigned(bytes.dropFirst()) else { return nil }
        return Int64(exactly: -Int128(magnitude))
    }

    /// The number in decimal, filled with zeros on the left to at least `width` digits.
    static func padded(_ value: UInt64, width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
