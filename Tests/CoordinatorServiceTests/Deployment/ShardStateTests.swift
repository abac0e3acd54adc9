import CoordinatorCore
import RedisClient
import Testing

@testable import CoordinatorService

@Suite("A shard's state as Redis tells it")
struct ShardStateTests {
    private func state(_ fields: [(String, String)]) -> ShardState {
        let values = fields.flatMap {
            [RedisValue.string(Array($0.0.utf8)), .string(Array($0.1.utf8))]
        }
        return ShardState(shard: ShardID(rawValue: 3), fields: values[...])
    }

    @Test("every field is read")
    func fields() {
        let token = FencingToken(epoch: 7, microseconds: 9, nonce: "0123456789abcdef")
        let state = state([
            ("owner", "a/1"), ("token", token?.text ?? ""), ("settings", "stamp"), ("late", "5"),
            ("rotations", "6"), ("faults", "2"), ("fault", "why"), ("open", "2:-300000"),
            ("fenced", "8"),
            ("sealed:5MINUTES", "300000"), ("done:5MINUTES", "0"),
            ("wm:ST:TRACKER::::", "12-3"), ("at:ST:TRACKER::::", "12-2"),
            ("counted:ST:TRACKER::::", "9223372036854775807"), ("read:ST:TRACKER::::", "1"),
            ("refused:ST:TRACKER:::::url", "4"), ("refused:ST:TRACKER:::::size", "1"),
        ])
        #expect(state.shard.rawValue == 3)
        #expect(state.owner == "a/1")
        #expect(state.token == token)
        #expect(state.stamp == "stamp")
        #expect(state.late == 5 && state.rotations == 6 && state.faults == 2)
        #expect(state.fenced == 8)
        #expect(state.fault == "why")
        #expect(state.open?.tier == 2 && state.open?.start == -300_000)
        #expect(state.sealed == ["5MINUTES": 300_000] && state.done == ["5MINUTES": 0])
        #expect(state.watermarks == ["ST:TRACKER::::": StreamID(milliseconds: 12, sequence: 3)])
        #expect(state.watermarkCopies["ST:TRACKER::::"]?.sequence == 2)
        #expect(state.counted["ST:TRACKER::::"] == .max)
        #expect(state.read["ST:TRACKER::::"] == 1)
        #expect(state.refused == ["ST:TRACKER::::": ["url": 4, "size": 1]])
    }

    @Test("what is not ours, damaged or cut off is left out, never a crash", arguments: seeds)
    func hostile(seed: UInt64) {
        let odd = state([
            ("", ""), (":", ":"), ("wm:", "x"), ("refused:", "1"), ("refused:no-colon", "1"),
            ("open", "2"), ("open", "two:3"), ("sealed:T", "late"), ("token", "short"),
            ("later-version", "1"),
        ])
        #expect(odd.open == nil && odd.token == nil && odd.sealed.isEmpty)
        var random = SplitMix64(seed: seed)
        let names = ["wm:", "at:", "open", "token", "refused:a:", "sealed:", "late", "counted:x"]
        for _ in 0..<500 {
            var values: [RedisValue] = []
            for _ in 0..<Int.random(in: 0...7, using: &random) {
                let name = Array(random.pick(names).utf8) + random.bytes(0...3)
                let any: [RedisValue] = [
                    .string(name), .null, .integer(Int64.min), .array([]),
                    .string(random.bytes(0...9)),
                ]
                values.append(random.once(in: 4) ? random.pick(any) : .string(name))
            }
            _ = ShardState(shard: ShardID(rawValue: 0), fields: values[...])
        }
    }
}
