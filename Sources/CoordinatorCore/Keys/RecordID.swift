/// The id of a website, section, page or source: a SHA-1 of its name, 20 bytes.
///
/// - Shape: three big-endian words, so that the order of values is the order of their hex texts.
/// - Source: semantics.md §1 (segment ID).
public struct RecordID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The length of the hex text, in bytes.
    public static let hexLength = 40

    private let high: UInt64
    private let middle: UInt64
    private let low: UInt32

    /// Makes an id of the 20 bytes given as big-endian words, first bytes first.
    public init(_ bytes: (UInt64, UInt64, UInt32)) {
        (high, middle, low) = bytes
    }

    /// Reads 40 lower-case hex digits; anything else is nil, upper case too: it is another Redis
    /// key.
    public init?(hex: String) {
        var text = hex
        let parsed = text.withUTF8 { RecordID(hexBytes: UnsafeRawBufferPointer($0)) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// Reads 40 lower-case hex digits from borrowed bytes; anything else is nil.
    public init?(hexBytes: UnsafeRawBufferPointer) {
        guard hexBytes.count == Self.hexLength else { return nil }
        var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
        for index in 0..<Self.hexLength {
            guard let nibble = Self.nibble(hexBytes[index]) else { return nil }
            switch index {
            case 0..<16: words.0 = words.0 << 4 | nibble
            case 16..<32: words.1 = words.1 << 4 | nibble
            default: words.2 = words.2 << 4 | nibble
            }
        }
        self.init((words.0, words.1, UInt32(truncatingIfNeeded: words.2)))
    }

    /// The big-endian words, first bytes first.
    public var words: (UInt64, UInt64, UInt32) { (high, middle, low) }

    /// The 40 lower-case hex digits.
    public var hex: String {
        String(unsafeUninitializedCapacity: Self.hexLength) { buffer in
            writeHex(to: buffer)
            return Self.hexLength
        }
    }

    /// The 40 lower-case hex digits.
    public var description: String { hex }

    /// Appends the 40 lower-case hex digits, without making a `String`.
    public func appendHex(to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.hexLength) { digits in
            writeHex(to: digits)
            bytes.append(contentsOf: digits)
        }
    }

    /// Orders by the bytes, as the hex texts would.
    public static func < (left: RecordID, right: RecordID) -> Bool {
        if left.high != right.high { return left.high < right.high }
        if left.middle != right.middle { return left.middle < right.middle }
        return left.low < right.low
    }

    /// Feeds the first word only: the id is a hash already, and finding names whose SHA-1s share 64
    /// bits is as much work for an attacker as anything else that would hurt.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
    }

    /// Writes the 40 hex digits to a buffer that has room for them; its memory may be raw.
    func writeHex(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        precondition(buffer.count >= Self.hexLength, "no room for a record id")
        Self.write(high, digits: 0..<16, to: buffer)
        Self.write(middle, digits: 16..<32, to: buffer)
        Self.write(UInt64(low), digits: 32..<40, to: buffer)
    }

    private static func write(
        _ word: UInt64, digits: Range<Int>, to buffer: UnsafeMutableBufferPointer<UInt8>
    ) {
        var rest = word
        for index in digits.reversed() {
            let nibble = UInt8(truncatingIfNeeded: rest) & 15
            let digit = nibble + (nibble < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
            buffer.initializeElement(at: index, to: digit)
            rest >>= 4
        }
    }

    private static func nibble(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        default: nil
        }
    }
}
