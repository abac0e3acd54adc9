import CoordinatorCore
import Foundation
import RedisClient
import Testing

extension ServerSuites {
    /// The codec of HyperLogLogs against a real server: its bytes, its counts, its refusals.
    @Suite("Device sets and Redis", .serialized)
    struct DeviceCodecTests {
        private static let sizes = [
            1, 2, 3, 7, 20, 64, 100, 255, 600, 1_000, 1_500, 1_790, 2_000, 3_500, 6_000, 12_000,
            40_000, 150_000,
        ]

        private func wire() async throws -> RedisWire {
            let wire = try RedisWire(try await TestCluster.plain.value.servers[0].port)
            try wire.call("FLUSHALL")
            return wire
        }

        private func fill(
            _ key: String, _ devices: Range<Int>, _ wire: RedisWire
        ) throws {
            let parts = stride(from: devices.lowerBound, to: devices.upperBound, by: 500)
            try wire.pipeline(
                parts.map { start in
                    let some = start..<min(start + 500, devices.upperBound)
                    return [Array("PFADD".utf8), Array(key.utf8)]
                        + some.map { Array("d\($0)".utf8) }
                })
        }

        private func bytes(_ key: String, _ wire: RedisWire) throws -> [UInt8] {
            try wire.call("GET", key).bytes ?? []
        }

        private func read(_ bytes: [UInt8]) throws -> HyperLogLog {
            try bytes.withUnsafeBytes { bytes in try HyperLogLog(bytes) }
        }

        @Test("a set of any size is counted to the unit, and what is written counts the same there")
        func sizes() async throws {
            let wire = try await wire()
            for size in Self.sizes {
                try fill("one", 0..<size, wire)
                let set = try read(bytes("one", wire))
                let count = try wire.call("PFCOUNT", "one").int
                #expect(set.estimate == count, "\(size) devices")
                for limit in [0, HyperLogLog.sparseByteLimit, 100_000] {
                    try wire.call([
                        Array("SET".utf8), Array("other".utf8), set.encoded(sparseLimit: limit),
                    ])
                    #expect(try wire.call("PFCOUNT", "other").int == count, "\(size) devices")
                    // It is taken for a key of Redis's own: it can be added to.
                    try wire.call("PFADD", "other", "d0")
                    #expect(try wire.call("PFCOUNT", "other").int == count, "\(size) devices")
                }
                try wire.call("DEL", "one", "other")
            }
        }

        @Test(
            "unions of any sets are counted to the unit",
            arguments: [UInt64.random(in: 1...1_000_000)])
        func unions(seed: UInt64) async throws {
            let wire = try await wire()
            var random = SplitMix64(seed: seed)
            var keys: [String] = []
            for (place, size) in Self.sizes.dropLast().enumerated() {
                let start = Int.random(in: 0...20_000, using: &random)
                keys.append("set\(place)")
                try fill("set\(place)", start..<start + size, wire)
            }
            for _ in 0..<60 {
                let count = Int.random(in: 1...keys.count, using: &random)
                let some = keys.shuffled(using: &random).prefix(count)
                var union = HyperLogLog()
                for key in some { union.formUnion(try read(bytes(key, wire))) }
                let expected = try wire.call((["PFCOUNT", "absent"] + some).map { Array($0.utf8) })
                #expect(union.estimate == expected.int, "seed \(seed): \(some)")
                try wire.call((["PFMERGE", "merged"] + some).map { Array($0.utf8) })
                #expect(try read(bytes("merged", wire)) == union, "seed \(seed): \(some)")
                try wire.call("DEL", "merged")
            }
        }

        @Test(
            "damaged bytes are refused where Redis refuses them, and else counted as there",
            arguments: [UInt64.random(in: 1...1_000_000)])
        func fuzz(seed: UInt64) async throws {
            let wire = try await wire()
            var random = SplitMix64(seed: seed)
            var sources: [[UInt8]] = []
            for size in [1, 30, 900, 1_700, 4_000, 30_000] {
                try fill("source", 0..<size, wire)
                sources.append(try bytes("source", wire))
                try wire.call("DEL", "source")
            }
            var refused = 0
            for _ in 0..<2_000 {
                var bytes = sources[Int.random(in: 0..<sources.count, using: &random)]
                for _ in 0..<Int.random(in: 1...6, using: &random) {
                    // Often near the beginning: the header, and the opcodes that shift all others.
                    let end = Bool.random(using: &random) ? min(bytes.count, 40) : bytes.count
                    bytes[Int.random(in: 0..<end, using: &random)] = .random(
                        in: 0...255, using: &random)
                }
                if Int.random(in: 0..<8, using: &random) == 0 {
                    bytes.removeLast(Int.random(in: 1...min(20, bytes.count), using: &random))
                }
                try wire.call([Array("SET".utf8), Array("fuzz".utf8), bytes])
                // With a second key Redis merges; of one alone it may believe the cached count.
                let theirs = try? wire.call("PFCOUNT", "fuzz", "absent").int
                do {
                    #expect(try read(bytes).estimate == theirs, "seed \(seed): \(bytes.prefix(60))")
                } catch HyperLogLogError.endsInOpcode {
                    // Redis reads its own NUL behind the text there.
                } catch HyperLogLogError.registerCount(let count)
                    where count > HyperLogLog.registerCount
                {
                    // Some versions of Redis ignore what follows the last register.
                    refused += 1
                } catch {
                    refused += 1
                    #expect(theirs == nil, "seed \(seed): \(error): \(bytes.prefix(60))")
                }
            }
            #expect(refused > 100 && refused < 1_950)
        }
    }
}
