/// The checksum that places keys in hash slots: polynomial 0x1021, start 0, not reflected.
///
/// - Source: Redis Cluster specification, "Keys distribution model" (CRC16-CCITT, XMODEM).
enum CRC16 {
    /// x^16 + x^12 + x^5 + 1, the highest term left out.
    static let polynomial: UInt16 = 0x1021

    /// One entry for each value of the byte that leaves the register.
    private static let table: [UInt16] = (0..<256).map { index in
        var remainder = UInt16(index) << 8
        for _ in 0..<8 {
            let carries = remainder & 0x8000 != 0
            remainder = remainder << 1 ^ (carries ? polynomial : 0)
        }
        return remainder
    }

    /// The checksum of a sequence of bytes.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt16 {
        table.withUnsafeBufferPointer { table in
            var checksum: UInt16 = 0
            for byte in bytes {
                let leaving = UInt8(truncatingIfNeeded: checksum >> 8)
                checksum = checksum << 8 ^ table[Int(leaving ^ byte)]
            }
            return checksum
        }
    }
}
