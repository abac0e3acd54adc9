import CoordinatorCore
import Hashing
import Testing

@Suite("Hash slots")
struct HashSlotTests {
    /// The dumb twin of the table: one bit at a time.
    private func bitwiseSlot(_ bytes: [UInt8]) -> UInt16 {
        var register: UInt32 = 0
        for byte in bytes {
            for bit in 0..<8 {
                let incoming = UInt32(byte) >> UInt32(7 - bit) & 1
                let outgoing = register >> 15 & 1
                register = register << 1 & 0xFFFF
                if incoming != outgoing { register ^= 0x1021 }
            }
        }
        return UInt16(register % 16_384)
    }

    @Test(
        "a key is in the slot that Redis gives it",
        arguments: [
            ("", 0), ("foo", 12_182), ("bar", 5_061), ("123456789", 12_739),
            ("{user1000}.following", 3_443), ("{user1000}.followers", 3_443), ("user1000", 3_443),
            ("foo{}{bar}", 8_363), ("foo{{bar}}zap", 4_015), ("foo{bar}{zap}", 5_061),
            ("x}{bar}", 5_061), ("{bar", 4_015), ("ST:TRACKER::::", 2_660),
            ("K:LEASE::{control}::", 12_069),
        ])
    func known(key: String, slot: UInt16) {
        #expect(HashSlot(key: key).rawValue == slot)
        #expect(HashSlot(key: Array(key.utf8)).rawValue == slot)
    }

    @Test("table and bitwise checksum agree", arguments: seeds)
    func twin(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<5_000 {
            let key = generator.bytes(0...40).filter { $0 != UInt8(ascii: "{") }
            #expect(HashSlot(key: key).rawValue == bitwiseSlot(key))
        }
    }

    @Test("a record's slot is that of its 40 hex characters", arguments: seeds)
    func records(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<2_000 {
            let id = SHA1Hasher().recordID(of: generator.bytes(0...9))
            #expect(HashSlot(record: id) == HashSlot(key: id.hex))
        }
    }

    @Test("there are 16384 slots")
    func range() {
        #expect(HashSlot(rawValue: 16_383)?.rawValue == 16_383)
        #expect(HashSlot(rawValue: 16_384) == nil)
    }
}
