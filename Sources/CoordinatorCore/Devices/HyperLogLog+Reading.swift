extension HyperLogLog {
    /// `HYLL`, as every one begins.
    static let magic: [UInt8] = [0x48, 0x59, 0x4C, 0x4C]
    /// The two encodings, as the fifth byte names them.
    static let denseEncoding: UInt8 = 0
    static let sparseEncoding: UInt8 = 1

    /// Reads what Redis holds under a key.
    ///
    /// - Errors: bytes that are no HyperLogLog.
    public init(_ bytes: UnsafeRawBufferPointer) throws(HyperLogLogError) {
        self.init()
        try merge(bytes)
    }

    /// Adds the devices of what Redis holds under a key.
    ///
    /// - Errors: bytes that are no HyperLogLog; nothing was added then.
    public mutating func merge(_ bytes: UnsafeRawBufferPointer) throws(HyperLogLogError) {
        guard bytes.count >= Self.headerByteCount, bytes.prefix(4).elementsEqual(Self.magic) else {
            throw .noHeader(byteCount: bytes.count)
        }
        let body = UnsafeRawBufferPointer(rebasing: bytes[Self.headerByteCount...])
        switch bytes[4] {
        case Self.denseEncoding:
            guard bytes.count == Self.denseByteCount else {
                throw .denseLength(byteCount: bytes.count)
            }
            mergeDense(body)
        case Self.sparseEncoding:
            try Self.checkSparse(body)
            mergeSparse(body)
        case let other: throw .unknownEncoding(other)
        }
    }

    /// Registers of 6 bits, the lowest bits first: four of them in three bytes.
    private mutating func mergeDense(_ body: UnsafeRawBufferPointer) {
        registers.withUnsafeMutableBufferPointer { registers in
            var place = 0
            for first in stride(from: 0, to: Self.registerCount, by: 4) {
                let low = body[place]
                let middle = body[place + 1]
                let high = body[place + 2]
                place += 3
                registers[first] = max(registers[first], low & 63)
                registers[first + 1] = max(
                    registers[first + 1], (low >> 6 | middle << 2) & 63)
                registers[first + 2] = max(
                    registers[first + 2], (middle >> 4 | high << 4) & 63)
                registers[first + 3] = max(registers[first + 3], high >> 2)
            }
        }
    }

    /// One opcode of the sparse form: a run of registers with one value.
    private struct Run {
        let count: Int
        let value: UInt8
        /// Bytes that it took.
        let length: Int

        /// Reads `00cccccc`, `01cccccc cccccccc` or `1vvvvvcc`; counts and values are one less than
        /// meant. Nil where the second byte is missing.
        init?(_ body: UnsafeRawBufferPointer, at place: Int) {
            let byte = body[place]
            switch byte >> 6 {
            case 0:
                count = Int(byte & 0x3F) + 1
                value = 0
                length = 1
            case 1:
                guard place + 1 < body.count else { return nil }
                count = (Int(byte & 0x3F) << 8 | Int(body[place + 1])) + 1
                value = 0
                length = 2
            default:
                count = Int(byte & 3) + 1
                value = (byte >> 2 & 0x1F) + 1
                length = 1
            }
        }
    }

    /// Goes through all opcodes before a single register is changed.
    private static func checkSparse(_ body: UnsafeRawBufferPointer) throws(HyperLogLogError) {
        var place = 0
        var count = 0
        while place < body.count {
            guard let run = Run(body, at: place) else { throw .endsInOpcode }
            place += run.length
            count += run.count
            // A reply of many megabytes is given up as soon as it cannot be right.
            guard count <= registerCount else { throw .registerCount(count) }
        }
        guard count == registerCount else { throw .registerCount(count) }
    }

    private mutating func mergeSparse(_ body: UnsafeRawBufferPointer) {
        registers.withUnsafeMutableBufferPointer { registers in
            var place = 0
            var index = 0
            while place < body.count, let run = Run(body, at: place) {
                place += run.length
                let end = index + run.count
                if run.value > 0 {
                    for register in index..<end {
                        registers[register] = max(registers[register], run.value)
                    }
                }
                index = end
            }
        }
    }
}
