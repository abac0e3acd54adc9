/// Makes gzip members for tests, without a library: what is tested must not make its own input.
enum Gzip {
    /// One member in stored blocks.
    static func member(_ content: [UInt8]) -> [UInt8] {
        var blocks: [UInt8] = []
        var rest = content[...]
        repeat {
            let block = rest.prefix(65_535)
            rest = rest.dropFirst(block.count)
            let count = UInt16(block.count)
            blocks.append(rest.isEmpty ? 1 : 0)
            blocks += little(UInt32(count), 2) + little(UInt32(~count), 2) + block
        } while !rest.isEmpty
        return wrapped(blocks, checksum: CRC32.of(content), count: content.count)
    }

    /// One member of `1 + 258 × repeats` times the same byte: a thousandth of the size.
    static func member(of byte: UInt8, repeats: Int) -> [UInt8] {
        var bits = BitWriter()
        bits.put(0b011, count: 3)
        bits.putCode(
            byte < 144 ? 0x30 + UInt32(byte) : 0x190 + UInt32(byte) - 144, count: byte < 144 ? 8 : 9
        )
        for _ in 0..<repeats {
            bits.putCode(0b1100_0101, count: 8)
            bits.putCode(0, count: 5)
        }
        bits.putCode(0, count: 7)
        let count = 1 + 258 * repeats
        return wrapped(bits.finished(), checksum: CRC32.of(byte, count: count), count: count)
    }

    private static func wrapped(_ deflated: [UInt8], checksum: UInt32, count: Int) -> [UInt8] {
        [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + deflated + little(checksum, 4)
            + little(UInt32(truncatingIfNeeded: count), 4)
    }

    private static func little(_ value: UInt32, _ count: UInt32) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}

/// Packs bits as deflate does.
private struct BitWriter {
    private var bytes: [UInt8] = []
    private var buffer: UInt32 = 0
    private var filled: UInt32 = 0

    /// A number, its lowest bit first.
    mutating func put(_ value: UInt32, count: UInt32) {
        buffer |= value << filled
        filled += count
        while filled >= 8 {
            bytes.append(UInt8(truncatingIfNeeded: buffer))
            buffer >>= 8
            filled -= 8
        }
    }

    /// A Huffman code, its highest bit first.
    mutating func putCode(_ code: UInt32, count: UInt32) {
        for bit in (0..<count).reversed() { put(code >> bit & 1, count: 1) }
    }

    func finished() -> [UInt8] {
        filled == 0 ? bytes : bytes + [UInt8(truncatingIfNeeded: buffer)]
    }
}

/// The checksum of gzip.
private enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1
        }
    }

    static func of(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { next($0, $1) }
    }

    static func of(_ byte: UInt8, count: Int) -> UInt32 {
        var value: UInt32 = ~0
        for _ in 0..<count { value = next(value, byte) }
        return ~value
    }

    private static func next(_ value: UInt32, _ byte: UInt8) -> UInt32 {
        table[Int((value ^ UInt32(byte)) & 0xFF)] ^ value >> 8
    }
}
