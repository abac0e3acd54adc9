import Testing

@testable import CoordinatorCore

@Suite("HyperLogLogs are read, merged and written as Redis does")
struct HyperLogLogTests {
    private static let header: [UInt8] = Array("HYLL".utf8)
    private static let rest = [UInt8](repeating: 0, count: 11)

    private static func sparse(_ opcodes: [UInt8]) -> [UInt8] {
        header + [1] + rest + opcodes
    }

    private static func read(_ bytes: [UInt8]) throws(HyperLogLogError) -> HyperLogLog {
        try bytes.withUnsafeBytes { bytes in
            Result { () throws(HyperLogLogError) in try HyperLogLog(bytes) }
        }.get()
    }

    /// Registers as many devices leave them: a geometric distribution.
    private static func random(_ devices: Int, _ random: inout SplitMix64) -> HyperLogLog {
        var set = HyperLogLog()
        for _ in 0..<devices {
            let hash = random.next()
            let index = Int(hash & 16_383)
            let value = UInt8((hash >> 14 | 1 << 50).trailingZeroBitCount + 1)
            set.registers[index] = max(set.registers[index], value)
        }
        return set
    }

    @Test("nothing is nobody")
    func empty() throws {
        #expect(HyperLogLog().estimate == 0)
        #expect(try Self.read(Self.sparse([0x7F, 0xFF])).estimate == 0)
        #expect(
            HyperLogLog().encoded() == Self.header + [1] + Self.rest.dropLast() + [
                0x80, 0x7F, 0xFF,
            ])
    }

    @Test("each opcode of the sparse form names the registers that the format says")
    func opcodes() throws {
        // 3 registers of 5, 64 empty ones by a short run, the rest by a long one.
        let values: UInt8 = 0x80 | 4 << 2 | 2
        let left = 16_384 - 3 - 64 - 1
        let set = try Self.read(
            Self.sparse([values, 0x3F, 0x40 | UInt8(left >> 8), UInt8(left & 255)]))
        #expect(set.registers.prefix(4) == [5, 5, 5, 0])
        #expect(set.registers.dropFirst(3).allSatisfy { $0 == 0 })
        #expect(set.estimate == 3)
    }

    @Test(
        "what is no HyperLogLog is refused and changes nothing",
        arguments: [
            ([], HyperLogLogError.noHeader(byteCount: 0)),
            (Array("HYLL".utf8), .noHeader(byteCount: 4)),
            (Array("hyll".utf8) + [1] + rest, .noHeader(byteCount: 16)),
            (header + [2] + rest, .unknownEncoding(2)),
            (header + [0] + rest, .denseLength(byteCount: 16)),
            (
                header + [0] + rest + [UInt8](repeating: 1, count: 12_289),
                .denseLength(byteCount: 12_305)
            ),
            (sparse([]), .registerCount(0)),
            (sparse([0x7F, 0xFE]), .registerCount(16_383)),
            (sparse([0x7F, 0xFF, 0x00]), .registerCount(16_385)),
            (sparse([0x80, 0x7F]), .endsInOpcode),
            (sparse([UInt8](repeating: 0x7F, count: 100_000)), .registerCount(65_280 / 2)),
        ] as [([UInt8], HyperLogLogError)])
    func hostile(bytes: [UInt8], expected: HyperLogLogError) throws {
        var random = SplitMix64(seed: 3)
        var set = Self.random(100, &random)
        let before = set
        do {
            try bytes.withUnsafeBytes { bytes in
                try Result { () throws(HyperLogLogError) in try set.merge(bytes) }.get()
            }
            Issue.record("taken: \(bytes.prefix(32))")
        } catch {
            if case .registerCount(let count) = expected, count > 16_385 {
                guard case HyperLogLogError.registerCount = error else {
                    Issue.record("\(error)")
                    return
                }
            } else {
                #expect(error as? HyperLogLogError == expected)
            }
            #expect(!"\(error)".isEmpty)
        }
        #expect(set == before)
    }

    @Test("what is written is read as the same set, in either form", arguments: seeds)
    func roundTrip(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for devices in [0, 1, 2, 5, 60, 400, 1_500, 3_000, 20_000] {
            let set = Self.random(devices, &random)
            let usual = set.encoded()
            let dense = set.encoded(sparseLimit: 0)
            #expect(dense.count == HyperLogLog.denseByteCount)
            #expect(usual.count <= HyperLogLog.sparseByteLimit || usual == dense)
            #expect(try Self.read(usual) == set)
            #expect(try Self.read(dense) == set)
        }
    }

    @Test("a union is the same in any order, and of either form", arguments: seeds)
    func unions(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let sets = (0..<5).map { _ in
            Self.random(Int.random(in: 0...4_000, using: &random), &random)
        }
        var forwards = HyperLogLog()
        for set in sets { forwards.formUnion(set) }
        var backwards = HyperLogLog()
        for (place, set) in sets.reversed().enumerated() {
            let bytes = set.encoded(sparseLimit: place.isMultiple(of: 2) ? 0 : 100_000)
            try bytes.withUnsafeBytes { bytes in
                try Result { () throws(HyperLogLogError) in try backwards.merge(bytes) }.get()
            }
        }
        #expect(forwards == backwards)
        for register in 0..<HyperLogLog.registerCount {
            #expect(forwards.registers[register] == sets.map { $0.registers[register] }.max())
        }
    }

    @Test("estimates are within three standard errors", arguments: [10, 1_000, 30_000, 200_000])
    func estimates(devices: Int) {
        var random = SplitMix64(seed: UInt64(devices))
        let estimate = Self.random(devices, &random).estimate
        #expect(abs(Double(estimate) / Double(devices) - 1) <= 3 * 0.0081)
    }

    @Test("registers at their very ends have an estimate, too")
    func saturated() {
        var set = HyperLogLog()
        for value in [50, 51, 63] as [UInt8] {
            set.registers = [UInt8](repeating: value, count: HyperLogLog.registerCount)
            #expect(set.estimate > 1_000_000_000_000)
        }
    }
}
