/// The id of a website, section, page or source: a SHA-1 of its name, 20 bytes.
///
/// - Shape: three big-endian words, so that the order of values is the order of their hex texts.
/// - Source: semantics.md §1 (segment ID).
public struct RecordID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The length of the hex text, in bytes.
    public static let hexLength = 40

    private static let hexDigits: StaticString = "0123456789abcdef"

    private let high: UInt64
    private let middle: UInt64
    private let low: UInt32

    /// Makes an id of the 20 bytes given as big-endian words, first bytes first.
    public init(_ bytes: (UInt64, UInt64, UInt32)) {
        (high, middle, low) = bytes
    }

    /// Reads 40 lower-case hex digits; anything else is nil, upper case too: it is another Redis key.
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
            for index in 0..<Self.hexLength { buffer[index] = hexByte(at: index) }
            return Self.hexLength
        }
    }

    /// The 40 lower-case hex digits.
    public var description: String { hex }

    /// Appends the 40 lower-case hex digits, without making a `String`.
    public func appendHex(to bytes: inout [UInt8]) {
        for index in 0..<Self.hexLength { bytes.append(hexByte(at: index)) }
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

    /// The ASCII digit at `index` (0..<40) of the hex text.
    func hexByte(at index: Int) -> UInt8 {
        let nibble: Int
        switch index {
        case 0..<16: nibble = Int(truncatingIfNeeded: high >> UInt64(60 - 4 * index)) & 15
        case 16..<32: nibble = Int(truncatingIfNeeded: middle >> UInt64(124 - 4 * index)) & 15
        default: nibble = Int(truncatingIfNeeded: low >> UInt32(156 - 4 * index)) & 15
        }
        return Self.hexDigits.utf8Start[nibble]
    }

    private static func nibble(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        default: nil
        }
    }
}
