/// Reads borrowed bytes from left to right.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    /// Begins before the first byte.
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Whether every byte has been taken.
    var isAtEnd: Bool { position == bytes.count }

    /// The next byte, not taken; nil at the end.
    var next: UInt8? { isAtEnd ? nil : bytes[position] }

    /// Takes the next byte if it is one of those given.
    mutating func take(_ wanted: UInt8...) -> UInt8? {
        guard let byte = next, wanted.contains(byte) else { return nil }
        position += 1
        return byte
    }

    /// Takes exactly `count` digits; nil, and nothing taken, when there are fewer.
    ///
    /// `count` is at most 18, so that the number fits.
    mutating func number(digits count: Int) -> Int64? {
        guard bytes.count - position >= count else { return nil }
        var value: Int64 = 0
        for offset in 0..<count {
            let digit = bytes[position + offset] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            value = value &* 10 &+ Int64(digit)
        }
        position += count
        return value
    }

    /// How many digits follow.
    var digitsAhead: Int {
        bytes[position...].prefix { $0 &- UInt8(ascii: "0") <= 9 }.count
    }
}
