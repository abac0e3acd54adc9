import CoordinatorCore
import Testing

@testable import CoordinatorService

@Suite("All shards on one line")
struct ShardStripTests {
    private static let nodes = (1...3).map { NodeID(name: "n\($0)", nonce: "0123456789abcdef") }

    /// Owners as digits (0 nobody), states as letters: owned, moving, orphaned, unknown.
    private func strip(
        _ owners: String, _ states: String, nodes: [NodeID] = ShardStripTests.nodes
    ) -> ShardStrip {
        ShardStrip(
            owners: owners.map { $0.wholeNumberValue.flatMap { $0 > 0 ? nodes[$0 - 1] : nil } },
            states: states.map {
                switch $0 {
                case "o": .owned
                case "m": .moving
                case "?": .unknown
                default: .orphaned
                }
            }, nodes: nodes)
    }

    @Test(
        "a letter for each owner, a mark for what is wrong",
        arguments: [
            ("1123", "oooo", "aabc"), ("1123", "omom", "aAbC"), ("0123", "!o!o", "!a!c"),
            ("1123", "o?oo", "a?bc"), ("3333", "oooo", "cccc"), ("", "", ""),
        ])
    func letters(owners: String, states: String, text: String) {
        #expect(strip(owners, states).text == text)
    }

    @Test("the legend names every node, also one without shards, in the order of the letters")
    func legend() {
        let owners = strip("1131", "oooo").owners
        #expect(owners.map(\.letter) == ["a", "b", "c"])
        #expect(owners.map(\.node) == Self.nodes)
        #expect(owners.map(\.shards) == [3, 0, 1])
    }

    @Test("an owner that is not listed any more has a letter, too")
    func unlisted() {
        let gone = NodeID(name: "n0", nonce: "0123456789abcdef")
        let strip = ShardStrip(owners: [gone], states: [.owned], nodes: Self.nodes)
        #expect(strip.text == "a")
        #expect(strip.owners.count == 4)
    }

    @Test("a deployment of any size fits", arguments: [1, 2, 64, 128, 1_024, 16_384])
    func sizes(count: Int) {
        let owners = (0..<count).map { $0 < count / 2 ? Self.nodes[0] : Self.nodes[1] }
        let strip = ShardStrip(
            owners: owners, states: [Ownership.State](repeating: .owned, count: count),
            nodes: Self.nodes)
        #expect(strip.text.count == min(count, ShardStrip.longest))
        #expect(strip.shardsPerCharacter == max(1, count / 64))
        let half = strip.text.count / 2
        #expect(strip.text.prefix(half).allSatisfy { $0 == "a" })
        #expect(strip.text.dropFirst(half).allSatisfy { $0 == "b" })
    }

    @Test("of several shards the worst shows, else whoever owns most")
    func groups() {
        var states = [Ownership.State](repeating: .owned, count: 256)
        let owners = (0..<256).map { Self.nodes[$0 % 4 == 0 ? 0 : 1] }
        states[5] = .moving
        states[8] = .moving
        states[9] = .unknown
        states[13] = .orphaned
        states[14] = .unknown
        let text = ShardStrip(owners: owners, states: states, nodes: Self.nodes).text
        #expect(text.hasPrefix("bB?!b"))
    }

    @Test("more nodes than letters share the last mark, and what moves there is marked")
    func manyNodes() {
        let nodes = (10..<60).map { NodeID(name: "n\($0)", nonce: "0123456789abcdef") }
        let states = nodes.indices.map { $0 == 0 || $0 == 30 ? Ownership.State.moving : .owned }
        let text = ShardStrip(owners: nodes, states: states, nodes: nodes).text
        #expect(text == "Abcdefghijklmnopqrstuvwxyz0123*56789" + String(repeating: "#", count: 14))
    }
}
