import CoordinatorCore
import Hashing
import Testing

@Suite("Shard layouts")
struct ShardLayoutTests {
    @Test("the tags of each shard hash into it, for every power of two", arguments: 0...14)
    func tagsLieInTheirShards(power: Int) throws {
        let layout = try ShardLayout(count: 1 << power)
        #expect(layout.shards.count == 1 << power)
        for shard in layout.shards {
            let slot = HashSlot(key: "H:SHARD::{\(layout.tag(of: shard))}::")
            #expect(layout.slots(of: shard).contains(Int(slot.rawValue)))
            #expect(layout.shard(of: slot) == shard)
        }
    }

    @Test("the shards are the slots cut in equal ranges", arguments: 0...14)
    func ranges(power: Int) throws {
        let layout = try ShardLayout(count: 1 << power)
        let slots = layout.shards.flatMap { Array(layout.slots(of: $0)) }
        #expect(slots == Array(0..<HashSlot.count))
    }

    /// From a second implementation, in another language: tags are in keys and must never change.
    @Test(
        "tags are the first texts of the enumeration, and stay so",
        arguments: [
            (1, "b6589fc6ab0dc82cf12099d1c2d40ab994e8410c"),
            (16, "4d76377305d0ad7399acbe5f64cc764c15b2e2a8"),
            (64, "b9a71e60500aaddd08737276d06f1be9457e1cb6"),
            (4_096, "d24f970ab27cd2ed55ddda4d1d9a33318303287d"),
            (16_384, "051bd3a1ccfa2fcbdad9bcc37853276c79ace18f"),
        ])
    func pinned(count: Int, digest: String) throws {
        let layout = try ShardLayout(count: count)
        let tags = layout.shards.map(layout.tag(of:))
        #expect(SHA1Hasher().recordID(of: tags.joined(separator: ",")).hex == digest)
    }

    @Test("the first tags of 64 shards are short")
    func sixtyFour() throws {
        let layout = try ShardLayout(count: 64)
        #expect((0..<4).map { layout.tag(of: ShardID(rawValue: $0)) } == ["10", "18", "6h", "03"])
    }

    @Test("a companion's tag hashes to exactly the slot asked for")
    func companions() throws {
        for number in UInt16(0)..<16_384 {
            let slot = try #require(HashSlot(rawValue: number))
            let tag = ShardLayout.tag(inSlot: slot)
            guard HashSlot(key: tag) != slot || tag.utf8.count > 4 else { continue }
            Issue.record("\(tag) is not in \(slot)")
        }
    }

    @Test("a record is in the shard that owns its slot")
    func records() throws {
        let layout = try ShardLayout(count: 64)
        let id = SHA1Hasher().recordID(of: "RTL")
        #expect(layout.shard(of: id).rawValue == 3_974 / 256)
    }

    @Test(
        "numbers that are no power of two are refused",
        arguments: [-64, -1, 0, 3, 63, 16_383, 32_768])
    func refused(count: Int) {
        #expect(throws: SettingsError.shardCount(count)) { try ShardLayout(count: count) }
    }
}
