/// Tells UTF-8 from other bytes, without copying.
///
/// - Source: The Unicode Standard, table 3-7, "Well-Formed UTF-8 Byte Sequences".
enum UTF8Check {
    /// Whether all bytes are well-formed UTF-8; no bytes are.
    ///
    /// Almost every field is ASCII, and each is checked once per event: eight bytes at a time then.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        while position < bytes.count {
            position = skipASCII(bytes, from: position)
            guard position < bytes.count else { return true }
            let length = sequenceLength(bytes, at: position)
            guard length > 0 else { return false }
            position += length
        }
        return true
    }

    /// The first position from `start` on that is not ASCII, or the end.
    static func skipASCII(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var position = start
        while bytes.count - position >= 8 {
            let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            guard word & 0x8080_8080_8080_8080 == 0 else { break }
            position += 8
        }
        while position < bytes.count, bytes[position] < 0x80 { position += 1 }
        return position
    }

    /// The length of the well-formed sequence that begins with the lead byte at `start`; 0 if none.
    private static func sequenceLength(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Int {
        let lead = bytes[start]
        let length: Int
        // The second byte's range keeps out overlong forms, surrogates and what is past U+10FFFF.
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return 0
        }
        guard bytes.count - start >= length, second.contains(bytes[start + 1]) else { return 0 }
        for offset in 2..<max(2, length) where bytes[start + offset] & 0xC0 != 0x80 { return 0 }
        return length
    }
}
