import CoordinatorCore
import Testing

@Suite("Redis keys")
struct RedisKeyTests {
    @Test(
        "a key of the convention reads and writes as the same bytes",
        arguments: [
            "J::P:001::", "TS:5MINUTES:S:001::UD", "ST:TRACKER::::", "H:SHARD::{a7}::",
            "SS:5MINUTES:P:{a7}:1721856300000:PG", "S::S:::",
            "HLL:5MINUTES:P:{a7}f0362c34:1721856300000:UD", "CMS::PC::-5:D", "K:É::{é}e\u{301}::",
            "I:::::", "H::M:*?[x]\"'\\:0:",
        ])
    func roundTrip(text: String) throws {
        let key = try #require(RedisKey(parsing: text))
        #expect(key.bytes == Array(text.utf8))
        #expect(key.text.utf8.elementsEqual(text.utf8))
        #expect(key.slot == HashSlot(key: text))
        #expect(RedisKey(parsing: key.bytes) == key)
    }

    @Test(
        "what is not of the convention is refused",
        arguments: [
            "", ":::::", "J::P:001:", "J::P:001:::", "X::P:001::", "j::P:001::", "J::Q:001::",
            "J::p:001::", "J::P:001::XX", "J::P:0 1::", "J:a b:P:::", "J::P:{}1::", "J::P:{a::",
            "J::P:a}::", "J::P:1{a}::", "J::P:{a}{b}::", "J::P:{a{b}::", "J::P:{a}b}::",
            "J:{a}::::",
            "J::P:1:01:", "J::P:1:+1:", "J::P:1:-0:", "J::P:1: 1:", "J::P:1:9223372036854775808:",
            "J::P:1\r\n::", "J::P:1\u{0}::", "J::P:1\u{7F}::", "J::P:1\t::", "J::P:1:1e3:",
            "J::P:1:-:",
            "J::P:" + String(repeating: "a", count: 1_024) + "::",
        ])
    func refused(text: String) {
        #expect(RedisKey(parsing: text) == nil)
    }

    @Test("a key that is not UTF-8 is refused, whatever its length")
    func invalidUTF8() {
        #expect(RedisKey(parsing: Array("J::P:".utf8) + [0xFF] + Array("::".utf8)) == nil)
        #expect(RedisKey(parsing: [UInt8](repeating: UInt8(ascii: ":"), count: 5_000_000)) == nil)
    }

    @Test("the same letter means what its place says")
    func byPosition() throws {
        let key = try #require(RedisKey(parsing: "S:D:S:{D}D:7:D"))
        #expect(key.type == .set)
        #expect(key.name == Array("D".utf8))
        #expect(key.dimension == .section)
        #expect(key.tag == Array("D".utf8))
        #expect(key.id == Array("D".utf8))
        #expect(key.timestamp == 7)
        #expect(key.metric == .devices)
    }

    @Test("spellings that a String calls equal are different keys")
    func bytesDecide() throws {
        let composed = try #require(RedisKey(parsing: "J::P:\u{E9}::"))
        let decomposed = try #require(RedisKey(parsing: "J::P:e\u{301}::"))
        #expect(composed.text == decomposed.text)
        #expect(composed != decomposed)
    }

    @Test("parsing and formatting are exact inverses over random bytes", arguments: seeds)
    func inverses(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let alphabet = Array(":{}SPD01-é \r\n".utf8)
        let starts = ["J::P:{a}1::", "SS:X:S:{ab}:17:PG", "TS:1DAY:S:é::UD", "ST:::::"]
        var accepted = 0
        for _ in 0..<8_000 {
            var bytes = Array(generator.pick(starts).utf8)
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = generator.pick(alphabet)
            }
            guard let key = RedisKey(parsing: bytes) else { continue }
            accepted += 1
            #expect(key.bytes == bytes)
        }
        #expect(accepted > 1_000, "too few keys were read for this to mean anything")
    }

    @Test("whatever parts a key is made of, it reads as the same parts", arguments: seeds)
    func partsSurvive(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var made = 0
        for _ in 0..<5_000 {
            let key = RedisKey(
                type: generator.pick(RedisKeyType.allCases), name: generator.bytes(0...3),
                dimension: Bool.random(using: &generator)
                    ? generator.pick(Dimension.allCases) : nil,
                tag: Bool.random(using: &generator) ? generator.bytes(0...2) : nil,
                id: generator.bytes(0...3), timestamp: generator.anyInt64(),
                metric: generator.pick(Metric.allCases))
            guard let key else { continue }
            made += 1
            #expect(RedisKey(parsing: key.bytes) == key)
        }
        #expect(made > 100)
    }
}

@Suite("The keys in use")
struct RedisKeysTests {
    private let id = RecordID((0xF036_2C34_0000_0000, 0, 1))
    private let hex = "f0362c34000000000000000000000000" + "00000001"
    private let tier = Ladder.standard.tiers[1]

    @Test("each key is the text that the convention gives")
    func texts() {
        let start: Int64 = 1_721_856_300_000
        #expect(RedisKeys.shardState("a7") == "H:SHARD::{a7}::")
        #expect(RedisKeys.guardKey("a7") == "K:GUARD::{a7}::")
        #expect(RedisKeys.todo(.page, "a7") == "S:TODO:P:{a7}::")
        #expect(RedisKeys.windows(tier, "a7") == "SS:5MINUTES::{a7}::")
        #expect(
            RedisKeys.pageviews(tier, .page, "a7", start) == "SS:5MINUTES:P:{a7}:1721856300000:PG")
        #expect(
            RedisKeys.devices(tier, .page, "a7", id, start)
                == "HLL:5MINUTES:P:{a7}\(hex):1721856300000:UD")
        #expect(
            RedisKeys.series(tier, .section, "a7", id, .uniqueDevices)
                == "TS:5MINUTES:S:{a7}\(hex)::UD")
        #expect(
            RedisKeys.bounds(tier, .podcast, "a7", start) == "H:5MINUTES:PC:{a7}:1721856300000:PG")
        #expect(
            RedisKeys.sketch(tier, .page, "a7", start) == "CMS:5MINUTES:P:{a7}:1721856300000:PG")
        #expect(RedisKeys.kept(.audio, "a7") == "SS:KEPT:A:{a7}::")
        #expect(RedisKeys.document(.website, "a7", id) == "J::W:{a7}\(hex)::")
        #expect(RedisKeys.enrichment("a7") == "ST:ENRICH:P:{a7}::")
        #expect(RedisKeys.enrichmentDead("a7") == "ST:ENRICHDEAD:P:{a7}::")
        #expect(RedisKeys.deadLetters("a7") == "ST:DEADLETTER::{a7}::")
        #expect(RedisKeys.importSource("a7", id) == "ST:IMPORT::{a7}\(hex)::")
        #expect(RedisKeys.sourceState("a7", id) == "H:SOURCE::{a7}\(hex)::")
        #expect(RedisKeys.settings == "K:SETTINGS::{control}::")
        #expect(RedisKeys.lease == "K:LEASE::{control}::")
    }

    @Test("every key is of the convention, and in the slot of its tag")
    func conform() throws {
        let ofTag = [
            RedisKeys.shardState("a7"), RedisKeys.guardKey("a7"), RedisKeys.todo(.page, "a7"),
            RedisKeys.windows(tier, "a7"), RedisKeys.pageviews(tier, .page, "a7", -60_000),
            RedisKeys.devices(tier, .website, "a7", id, 0), RedisKeys.document(.page, "a7", id),
            RedisKeys.series(tier, .page, "a7", id, .pageviews), RedisKeys.enrichment("a7"),
            RedisKeys.enrichmentSchedule("a7"), RedisKeys.enrichmentTries("a7"),
            RedisKeys.enrichmentCounts("a7"), RedisKeys.enrichmentDead("a7"),
            RedisKeys.deadLetters("a7"), RedisKeys.importSource("a7", id),
            RedisKeys.sourceState("a7", id), RedisKeys.bounds(tier, .page, "a7", 0),
            RedisKeys.sketch(tier, .page, "a7", 0), RedisKeys.kept(.page, "a7"),
        ]
        for text in ofTag {
            #expect(try #require(RedisKey(parsing: text)).slot == HashSlot(key: "a7"), "\(text)")
        }
        let ofControl = [
            RedisKeys.settings, RedisKeys.sources, RedisKeys.audit, RedisKeys.lease,
            RedisKeys.nodes, RedisKeys.controlGuard, RedisKeys.requestSequence(id),
            RedisKeys.requestPermits(id),
        ]
        for text in ofControl {
            #expect(
                try #require(RedisKey(parsing: text)).slot == HashSlot(key: "control"), "\(text)")
        }
        #expect(RedisKey(parsing: RedisKeys.defaultSource) != nil)
        #expect(Set(ofTag + ofControl).count == ofTag.count + ofControl.count)
    }
}
