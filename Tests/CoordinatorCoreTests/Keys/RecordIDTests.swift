import CoordinatorCore
import Hashing
import Testing

@Suite("Record ids")
struct RecordIDTests {
    @Test(
        "a record id is the SHA-1 of a name",
        arguments: [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("RTL", "031bb873da88567cfdcd12c119ba6e7470bbc82f"),
            ("RTL/news/national", "2ae1ddad866487b71c3303e55c2be672dee393bf"),
            ("www.rtl.lu/", "34198dc980851d88949fd44c2a27ab9566df0f1b"),
        ])
    func digest(name: String, hex: String) {
        #expect(SHA1Hasher().recordID(of: name).hex == hex)
        #expect(SHA1Hasher().recordID(of: Array(name.utf8)).description == hex)
    }

    @Test("hex and words are exact inverses, and order the same", arguments: seeds)
    func inverses(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var previous = RecordID((0, 0, 0))
        for _ in 0..<2_000 {
            let words = (
                generator.next(), generator.next(), UInt32(truncatingIfNeeded: generator.next())
            )
            let id = RecordID(words)
            let read = try #require(RecordID(hex: id.hex))
            #expect(read == id)
            #expect(read.words == words)
            #expect((previous < id) == (previous.hex < id.hex))
            var bytes: [UInt8] = []
            id.appendHex(to: &bytes)
            #expect(bytes == Array(id.hex.utf8))
            #expect(lend(bytes) { RecordID(hexBytes: $0) } == id)
            previous = id
        }
    }

    @Test("ids order by every word", arguments: [((0, 0, 1), (0, 1, 0)), ((0, 9, 9), (1, 0, 0))])
    func order(small: (UInt64, UInt64, UInt32), great: (UInt64, UInt64, UInt32)) {
        #expect(RecordID(small) < RecordID(great))
        #expect(!(RecordID(great) < RecordID(small)))
        #expect(!(RecordID(great) < RecordID(great)))
    }

    @Test(
        "other texts are no record id",
        arguments: [
            "", "0", String(repeating: "0", count: 39), String(repeating: "0", count: 41),
            String(repeating: "A", count: 40), String(repeating: "g", count: 40),
            String(repeating: "/", count: 40), String(repeating: "é", count: 20),
        ])
    func refused(text: String) {
        #expect(RecordID(hex: text) == nil)
    }
}
