/// Reads JSON from borrowed bytes, strictly, without building a tree.
///
/// Each read returns nil where the bytes are not what is asked for; the position is of no use then.
struct JSONScanner {
    /// A member's value as a field.
    enum Value: Equatable {
        case null
        case bytes([UInt8])
    }

    /// Deeper nesting is refused: no event has it, and each level costs stack.
    static let deepestNesting = 64

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func skip(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    mutating func skipColon() -> Bool {
        skipSpace()
        defer { skipSpace() }
        return skip(UInt8(ascii: ":"))
    }

    /// A value: the text of a string, else the bytes as they are written.
    mutating func value() -> Value? {
        let start = position
        if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
            return string().map { .bytes($0) }
        }
        guard skipValue(depth: 0) else { return nil }
        let written = bytes[start..<position]
        if written.elementsEqual("null".utf8) { return .null }
        return .bytes(Array(written.prefix(ImportField.maximumBytes)))
    }

    /// The bytes a string stands for, cut to the longest field. A lone surrogate gives bytes that
    /// are not UTF-8, so the node refuses the event for its encoding: replacing it would make two
    /// different ids one.
    mutating func string() -> [UInt8]? {
        guard skip(UInt8(ascii: "\"")) else { return nil }
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                return text
            case UInt8(ascii: "\\"):
                guard let scalar = escape() else { return nil }
                Self.append(scalar, to: &text)
            case 0..<0x20:
                return nil
            default:
                if text.count < ImportField.maximumBytes { text.append(byte) }
            }
        }
        return nil
    }

    private mutating func escape() -> UInt32? {
        guard position < bytes.count else { return nil }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UInt32(byte)
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "u"): return codePoint()
        default: return nil
        }
    }

    private mutating func codePoint() -> UInt32? {
        guard let high = hexUnit() else { return nil }
        guard (0xD800...0xDBFF).contains(high), position + 1 < bytes.count,
            bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
        else { return high }
        let afterHigh = position
        position += 2
        guard let low = hexUnit() else { return nil }
        guard (0xDC00...0xDFFF).contains(low) else {
            position = afterHigh
            return high
        }
        return 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
    }

    private mutating func hexUnit() -> UInt32? {
        guard bytes.count - position >= 4 else { return nil }
        var unit: UInt32 = 0
        for byte in bytes[position..<position + 4] {
            guard let digit = HexDigit.value(byte) else { return nil }
            unit = unit << 4 | UInt32(digit)
        }
        position += 4
        return unit
    }

    private static func append(_ scalar: UInt32, to text: inout [UInt8]) {
        guard text.count < ImportField.maximumBytes else { return }
        func continuation(_ shift: UInt32) -> UInt8 {
            0x80 | UInt8(truncatingIfNeeded: scalar >> shift & 0x3F)
        }
        switch scalar {
        case 0..<0x80: text.append(UInt8(truncatingIfNeeded: scalar))
        case 0x80..<0x800:
            text += [0xC0 | UInt8(truncatingIfNeeded: scalar >> 6), continuation(0)]
        case 0x800..<0x10000:
            text += [
                0xE0 | UInt8(truncatingIfNeeded: scalar >> 12), continuation(6), continuation(0),
            ]
        default:
            text += [0xF0 | UInt8(truncatingIfNeeded: scalar >> 18), continuation(12)]
            text += [continuation(6), continuation(0)]
        }
    }

    private mutating func skipValue(depth: Int) -> Bool {
        guard position < bytes.count, depth < Self.deepestNesting else { return false }
        switch bytes[position] {
        case UInt8(ascii: "\""): return string() != nil
        case UInt8(ascii: "{"): return skipMembers(depth: depth)
        case UInt8(ascii: "["): return skipElements(depth: depth)
        case UInt8(ascii: "t"): return skipWord("true")
        case UInt8(ascii: "f"): return skipWord("false")
        case UInt8(ascii: "n"): return skipWord("null")
        default: return skipNumber()
        }
    }

    private mutating func skipMembers(depth: Int) -> Bool {
        position += 1
        skipSpace()
        if skip(UInt8(ascii: "}")) { return true }
        repeat {
            skipSpace()
            guard string() != nil, skipColon(), skipValue(depth: depth + 1) else { return false }
            skipSpace()
        } while skip(UInt8(ascii: ","))
        return skip(UInt8(ascii: "}"))
    }

    private mutating func skipElements(depth: Int) -> Bool {
        position += 1
        skipSpace()
        if skip(UInt8(ascii: "]")) { return true }
        repeat {
            skipSpace()
            guard skipValue(depth: depth + 1) else { return false }
            skipSpace()
        } while skip(UInt8(ascii: ","))
        return skip(UInt8(ascii: "]"))
    }

    private mutating func skipWord(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count - position >= count else { return false }
        for index in 0..<count where bytes[position + index] != word.utf8Start[index] {
            return false
        }
        position += count
        return true
    }

    private mutating func skipNumber() -> Bool {
        _ = skip(UInt8(ascii: "-"))
        if !skip(UInt8(ascii: "0")), skipDigits() == 0 { return false }
        if skip(UInt8(ascii: ".")), skipDigits() == 0 { return false }
        if skip(UInt8(ascii: "e")) || skip(UInt8(ascii: "E")) {
            if !skip(UInt8(ascii: "+")) { _ = skip(UInt8(ascii: "-")) }
            if skipDigits() == 0 { return false }
        }
        return true
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        return position - start
    }
}
