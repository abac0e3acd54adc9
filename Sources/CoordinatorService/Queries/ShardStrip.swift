public import CoordinatorCore

/// All shards on one line: a letter for each owner, and a mark where something is not as it should.
///
/// - Shape: at most 64 characters. `a`, `b`, … is the owner, in the order of the nodes; a capital
///   the node that the shard moves to; `!` nobody owns it; `?` it did not answer. With more than 64
///   shards a character stands for several: the worst of them, else whoever owns most.
/// - Not guaranteed: a letter of its own for more than 36 nodes; the rest share `#`. Digits and `#`
///   have no capital: shards that move there show `*`.
public struct ShardStrip: Sendable {
    /// One owner: a line of the legend.
    public struct Owner: Sendable, Hashable {
        /// Its character.
        public let letter: Character
        /// The node.
        public let node: NodeID
        /// How many shards the map gives it.
        public let shards: Int
    }

    /// More do not fit a terminal of 80 columns with room for a remark.
    public static let longest = 64
    private static let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    private static let rest: Character = "#"
    private static let orphaned: Character = "!"
    private static let unknown: Character = "?"
    private static let movingToRest: Character = "*"

    /// The line.
    public let text: String
    /// What its letters mean.
    public let owners: [Owner]
    /// How many shards one character stands for.
    public let shardsPerCharacter: Int

    /// The strip of a deployment; `nodes` are those that are listed, with shards or without.
    public init(_ ownership: Ownership, nodes: [NodeID]) {
        self.init(owners: ownership.owners, states: ownership.states, nodes: nodes)
    }

    init(owners: [NodeID?], states: [Ownership.State], nodes: [NodeID]) {
        precondition(owners.count == states.count, "a strip of two lengths")
        let all = Set(nodes).union(owners.compactMap { $0 }).sorted()
        var counts: [NodeID: Int] = [:]
        for case let owner? in owners { counts[owner, default: 0] += 1 }
        self.owners = all.enumerated().map { index, node in
            Owner(
                letter: index < Self.letters.count ? Self.letters[index] : Self.rest, node: node,
                shards: counts[node] ?? 0)
        }
        let letters = Dictionary(
            self.owners.map { ($0.node, $0.letter) }, uniquingKeysWith: { first, _ in first })
        let width = max(1, (owners.count + Self.longest - 1) / Self.longest)
        shardsPerCharacter = width
        var text = ""
        for first in stride(from: 0, to: owners.count, by: width) {
            let group = first..<min(first + width, owners.count)
            text.append(Self.character(owners[group], states[group], letters))
        }
        self.text = text
    }

    /// The worst state of a group decides, then the owner of most.
    private static func character(
        _ owners: ArraySlice<NodeID?>, _ states: ArraySlice<Ownership.State>,
        _ letters: [NodeID: Character]
    ) -> Character {
        if states.contains(.orphaned) { return orphaned }
        if states.contains(.unknown) { return unknown }
        let isMoving = states.contains(.moving)
        var counts: [NodeID: Int] = [:]
        for (owner, state) in zip(owners, states) where !isMoving || state == .moving {
            if let owner { counts[owner, default: 0] += 1 }
        }
        let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
        guard let letter = most.flatMap({ letters[$0.key] }) else { return orphaned }
        guard isMoving else { return letter }
        return letter.isLetter ? Character(letter.uppercased()) : movingToRest
    }
}
