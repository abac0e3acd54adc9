extension HyperLogLog {
    /// Redis's own bound of the sparse form, `hll-sparse-max-bytes`, as it is unless configured.
    public static let sparseByteLimit = 3_000
    /// The greatest value that the sparse form can say.
    private static let sparseMaximum: UInt8 = 32
    /// The longest runs of its three opcodes.
    private static let shortZeros = 64
    private static let longestValues = 4

    /// The set as Redis keeps it: sparse where that fits, else dense, and without a cached count.
    ///
    /// - Parameter limit: the most bytes that the sparse form may take.
    public func encoded(sparseLimit limit: Int = sparseByteLimit) -> [UInt8] {
        sparse(limit) ?? dense()
    }

    private static func header(_ encoding: UInt8) -> [UInt8] {
        // The highest bit of the cached count says that there is none.
        magic + [encoding, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 0x80]
    }

    private func sparse(_ limit: Int) -> [UInt8]? {
        var bytes = Self.header(Self.sparseEncoding)
        var index = 0
        while index < Self.registerCount {
            let value = registers[index]
            guard value <= Self.sparseMaximum else { return nil }
            var end = index + 1
            while end < Self.registerCount, registers[end] == value { end += 1 }
            if value == 0 {
                Self.appendZeros(end - index, to: &bytes)
            } else {
                Self.appendValues(value, end - index, to: &bytes)
            }
            guard bytes.count <= limit else { return nil }
            index = end
        }
        return bytes
    }

    private static func appendZeros(_ count: Int, to bytes: inout [UInt8]) {
        if count <= shortZeros {
            bytes.append(UInt8(count - 1))
        } else {
            bytes.append(0x40 | UInt8((count - 1) >> 8))
            bytes.append(UInt8(truncatingIfNeeded: count - 1))
        }
    }

    private static func appendValues(_ value: UInt8, _ count: Int, to bytes: inout [UInt8]) {
        var rest = count
        while rest > 0 {
            let run = min(rest, longestValues)
            bytes.append(0x80 | (value - 1) << 2 | UInt8(run - 1))
            rest -= run
        }
    }

    private func dense() -> [UInt8] {
        var bytes = Self.header(Self.denseEncoding)
        bytes.reserveCapacity(Self.denseByteCount)
        for first in stride(from: 0, to: Self.registerCount, by: 4) {
            let four = registers[first..<first + 4].map { $0 & 63 }
            bytes.append(four[0] | four[1] << 6)
            bytes.append(four[1] >> 2 | four[2] << 4)
            bytes.append(four[2] >> 4 | four[3] << 2)
        }
        return bytes
    }
}
