/// Writes JSON piece by piece: what is written can be sent before the document is complete.
///
/// Keys keep the order they are written in. Strings are escaped so that the output is safe on a
/// terminal, too: control, bidirectional and invisible format characters become `\u….` Numbers that
/// may exceed 2^53 go through `largeInteger`, because many readers hold numbers as doubles.
///
/// - Source: RFC 8259.
public struct JSONWriter: Sendable {
    /// What has been written and not been taken yet.
    public private(set) var bytes: [UInt8] = []
    private let isIndented: Bool
    /// For every open object or array, whether it has a member already.
    private var levels: [Bool] = []
    private var isAfterKey = false

    /// A writer; indented by two spaces a level, or on one line.
    public init(isIndented: Bool = false) {
        self.isIndented = isIndented
    }

    /// Hands out what was written and goes on behind it.
    public mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    /// Opens an object.
    public mutating func beginObject() { begin(0x7B) }

    /// Closes the innermost object.
    public mutating func endObject() { end(0x7D) }

    /// Opens an array.
    public mutating func beginArray() { begin(0x5B) }

    /// Closes the innermost array.
    public mutating func endArray() { end(0x5D) }

    /// Writes a member's name; its value must follow.
    public mutating func key(_ name: String) {
        precondition(!isAfterKey, "a key follows a key")
        separate()
        quote(name)
        bytes.append(0x3A)
        if isIndented { bytes.append(0x20) }
        isAfterKey = true
    }

    /// Writes a string.
    public mutating func string(_ text: String) {
        separate()
        quote(text)
    }

    /// Writes a string of bytes; what is not UTF-8 becomes U+FFFD.
    public mutating func string(bytes text: UnsafeRawBufferPointer) {
        string(String(decoding: text, as: UTF8.self))
    }

    /// Writes a number that stays below 2^53 in size.
    public mutating func integer(_ number: Int64) { raw(String(number)) }

    /// Writes a 64-bit number as a string.
    public mutating func largeInteger(_ number: UInt64) { raw("\"\(number)\"") }

    /// Writes a number; one that JSON cannot hold (infinite, not a number) is null.
    public mutating func number(_ number: Double) { raw(number.isFinite ? "\(number)" : "null") }

    /// Writes true or false.
    public mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    /// Writes null.
    public mutating func null() { raw("null") }

    /// Ends a document with a line feed, as files and ndjson want it.
    public mutating func endLine() {
        precondition(levels.isEmpty, "the document is not complete")
        bytes.append(0x0A)
        isAfterKey = false
    }

    private mutating func raw(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        levels.append(false)
    }

    private mutating func end(_ bracket: UInt8) {
        guard let hasMembers = levels.popLast() else { preconditionFailure("nothing is open") }
        if hasMembers { indent() }
        bytes.append(bracket)
    }

    private mutating func separate() {
        if isAfterKey {
            isAfterKey = false
            return
        }
        guard let hasMembers = levels.last else { return }
        if hasMembers { bytes.append(0x2C) }
        levels[levels.count - 1] = true
        indent()
    }

    private mutating func indent() {
        guard isIndented else { return }
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: 2 * levels.count))
    }

    private mutating func quote(_ text: String) {
        bytes.append(0x22)
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: bytes.append(contentsOf: [0x5C, 0x22])
            case 0x5C: bytes.append(contentsOf: [0x5C, 0x5C])
            case 0x0A: bytes.append(contentsOf: [0x5C, 0x6E])
            case 0x0D: bytes.append(contentsOf: [0x5C, 0x72])
            case 0x09: bytes.append(contentsOf: [0x5C, 0x74])
            case 0x20..<0x7F: bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            default: appendOther(scalar)
            }
        }
        bytes.append(0x22)
    }

    private mutating func appendOther(_ scalar: Unicode.Scalar) {
        guard TerminalText.isDangerous(scalar) else {
            bytes.append(contentsOf: Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter))
            return
        }
        for unit in String(scalar).utf16 {
            let hex = String(unit, radix: 16)
            let zeros = String(repeating: "0", count: 4 - hex.utf8.count)
            bytes.append(contentsOf: "\\u\(zeros)\(hex)".utf8)
        }
    }
}
