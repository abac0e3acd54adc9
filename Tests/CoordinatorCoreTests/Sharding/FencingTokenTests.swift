import CoordinatorCore
import Testing

@Suite("Fencing tokens")
struct FencingTokenTests {
    @Test("the text has a fixed width and reads back")
    func text() throws {
        let token = try #require(
            FencingToken(epoch: 12, microseconds: 1_721_856_300_000_000, nonce: "00ff00ff00ff00ff"))
        #expect(token.text == "00000000000000000012-00001721856300000000-00ff00ff00ff00ff")
        #expect(FencingToken(token.text) == token)
        #expect(FencingToken.zero < token)
        #expect(FencingToken(FencingToken.zero.text) == .zero)
    }

    @Test("tokens compare as their texts sort", arguments: seeds)
    func order(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var previous = FencingToken.zero
        for _ in 0..<2_000 {
            // Few values, so that the later parts get to decide.
            let nonce = String(repeating: String(generator.pick("09af")), count: 16)
            let token = try #require(
                FencingToken(
                    epoch: generator.pick([0, 9, 10, .max]),
                    microseconds: generator.pick([0, 99, 100, .max]), nonce: nonce))
            #expect((previous < token) == (previous.text < token.text))
            #expect(FencingToken(token.text) == token)
            previous = token
        }
    }

    @Test(
        "other texts are no token",
        arguments: [
            "", "0", "00000000000000000012-00001721856300000000-00FF00ff00ff00ff",
            "00000000000000000012-00001721856300000000-00ff00ff00ff00f",
            "0000000000000000001x-00001721856300000000-00ff00ff00ff00ff",
            "99999999999999999999-00001721856300000000-00ff00ff00ff00ff",
            "00000000000000000012_00001721856300000000-00ff00ff00ff00ff",
            "00000000000000000012-00001721856300000000-00ff00ff00ff00ff0",
        ])
    func refused(text: String) {
        #expect(FencingToken(text) == nil)
    }

    @Test(
        "a nonce is 16 lower-case hex digits", arguments: ["", "0", "00FF00ff00ff00ff", "éééééééé"])
    func nonce(nonce: String) {
        #expect(FencingToken(epoch: 1, microseconds: 1, nonce: nonce) == nil)
    }
}
