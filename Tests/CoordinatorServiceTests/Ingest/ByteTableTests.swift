import CoordinatorCore
import Testing

@testable import CoordinatorService

@Suite("Tables of the ingest path, each beside a dictionary")
struct ByteTableTests {
    @Test("bytes are found again, by bytes alone", arguments: seeds)
    func bytes(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var table = ByteTable(capacity: 2)
        for _ in 0..<3 {
            var twin: [[UInt8]: Int32] = [:]
            var order: [[UInt8]] = []
            for step in 0..<3_000 {
                let key = Self.key(&random)
                let found = key.withUnsafeBytes { table.find($0) }
                #expect(found == twin[key], "seed \(seed), step \(step)")
                let number = key.withUnsafeBytes { table.intern($0) }
                if twin[key] == nil {
                    twin[key] = Int32(order.count)
                    order.append(key)
                }
                #expect(number == twin[key], "seed \(seed), step \(step)")
            }
            #expect(table.count == order.count)
            #expect(table.arenaBytes == order.reduce(0) { $0 + $1.count })
            for (number, key) in order.enumerated() {
                #expect(table.withKey(Int32(number)) { Array($0) } == key, "seed \(seed)")
            }
            table.removeAll()
            #expect(table.count == 0 && table.arenaBytes == 0)
        }
    }

    /// Few different ones, of all lengths around the eight bytes that are hashed at a time; some
    /// that are one text to `String` and two keys to Redis.
    private static func key(_ random: inout SplitMix64) -> [UInt8] {
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
            let byte = UInt8.random(in: 0...2, using: &random)
            return [UInt8](repeating: byte, count: Int.random(in: 0...25, using: &random))
        case 1:
            return Array(random.pick(["\u{E9}", "e\u{301}", "\r\n", "\r", "\n", "", "\0"]).utf8)
        case 2: return random.bytes(0...2)
        default: return random.bytes(7...17)
        }
    }

    @Test("numbers are found again until the table is emptied", arguments: seeds)
    func numbers(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var table = NumberTable(capacity: 2)
        for _ in 0..<5 {
            var twin: [UInt64: Int32] = [:]
            for step in 0..<2_000 {
                // Small ones and ones that differ in their high bits alone.
                let low = UInt64.random(in: 0..<64, using: &random)
                let key = random.once(in: 2) ? low : low << 58
                let fallback = Int32.random(in: 0...1_000, using: &random)
                let found = table.find(key, orInsert: fallback)
                #expect(found.isNew == (twin[key] == nil), "seed \(seed), step \(step)")
                #expect(found.value == twin[key, default: fallback], "seed \(seed), step \(step)")
                twin[key] = found.value
            }
            table.removeAll()
        }
    }

    @Test("equal bytes have equal hashes, wherever they lie")
    func alignment() {
        let text = Array("http://www.rtl.lu/actu/monde/a/1.html".utf8)
        let hash = text.withUnsafeBytes { ByteTable.hash($0) }
        for offset in 1..<9 {
            let moved = [UInt8](repeating: 7, count: offset) + text
            moved.withUnsafeBytes {
                let part = UnsafeRawBufferPointer(rebasing: $0[offset...])
                #expect(ByteTable.hash(part) == hash)
            }
        }
    }
}
