import CoordinatorCore

/// What the planner must be as good as, found without its arithmetic.
enum PlanTwin {
    /// Whether every node has less than one shard more or less than its share.
    static func isBalanced(_ counts: [Int], _ weights: [Int]) -> Bool {
        let (shards, total) = (counts.reduce(0, +), weights.reduce(0, +))
        return zip(counts, weights).allSatisfy { abs($0 * total - shards * $1) < total }
    }

    /// All balanced plans, as indices of nodes: every plan there is, less those out of balance.
    static func balancedPlans(shards: Int, weights: [Int]) -> [[Int]] {
        var plans: [[Int]] = [[]]
        for _ in 0..<shards {
            plans = plans.flatMap { plan in weights.indices.map { plan + [$0] } }
        }
        return plans.filter { plan in
            isBalanced(weights.indices.map { node in plan.count { $0 == node } }, weights)
        }
    }

    /// The fewest moves to any of some plans; an owner that is no index of a node must move.
    static func fewestMoves(from owners: [Int], to plans: [[Int]]) -> Int? {
        plans.map { plan in owners.indices.count { owners[$0] != plan[$0] } }.min()
    }

    /// The fewest moves to a balanced plan, too large to try them all: node by node, the most
    /// shards that can stay for each number of shards given out so far.
    static func fewestMoves(held: [Int], weights: [Int], shards: Int) -> Int? {
        let total = weights.reduce(0, +)
        var stays: [Int: Int] = [0: 0]
        for (held, weight) in zip(held, weights) {
            let near = shards * weight / total
            let counts = (near - 1...near + 1).filter {
                $0 >= 0 && abs($0 * total - shards * weight) < total
            }
            var next: [Int: Int] = [:]
            for (given, stay) in stays {
                for count in counts {
                    next[given + count] = max(next[given + count] ?? 0, stay + min(held, count))
                }
            }
            stays = next
        }
        return stays[shards].map { shards - $0 }
    }
}

/// Nodes that come, go and are drained at random, and the plans that follow from it.
struct PlanHistory: CustomStringConvertible {
    /// The numbers of shards worth a history: fewer than nodes, about as many, many more; of powers
    /// of two as of others.
    static let sizes = [1, 3, 7, 16, 64, 100, 256]
    /// Where nodes only go: with more of them, few shards would never be shared out.
    static let mostNodes = 20

    let seed: UInt64
    let weights: ClosedRange<Int>
    private(set) var owners: [NodeID?]
    private(set) var nodes: [PlannerNode] = []
    private(set) var step = 0
    private var generator: SplitMix64

    init(seed: UInt64, shards: Int, weights: ClosedRange<Int>) {
        (self.seed, self.weights) = (seed, weights)
        generator = SplitMix64(seed: seed)
        owners = Array(repeating: nil, count: shards)
        join()
    }

    /// What a failure says, so that it can be had again.
    var description: String {
        let weights = nodes.map { "\($0.id)*\($0.weight)" }.joined(separator: " ")
        return "seed \(seed), weights \(self.weights), step \(step), "
            + "\(owners.count) shards, nodes \(weights)"
    }

    /// Adds a node, anywhere in the list and in the order of ids.
    mutating func join() {
        let name = String(generator.next(), radix: 36)
        let weight = Int.random(in: weights, using: &generator)
        let place = Int.random(in: 0...nodes.count, using: &generator)
        nodes.insert(
            PlannerNode(id: NodeID(name: name, nonce: "00000000"), weight: weight), at: place)
    }

    /// Takes a node out.
    mutating func leave() -> NodeID {
        nodes.remove(at: Int.random(in: nodes.indices, using: &generator)).id
    }

    /// One to three nodes come or go, and now and then somebody has lost some owners.
    mutating func advance() {
        step += 1
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let comes = nodes.count < Self.mostNodes && Bool.random(using: &generator)
            if comes || nodes.count == 1 { join() } else { _ = leave() }
        }
        guard Int.random(in: 0..<8, using: &generator) == 0 else { return }
        for shard in owners.indices where Bool.random(using: &generator) { owners[shard] = nil }
    }

    /// Whether a node comes or goes next.
    mutating func comes() -> Bool {
        step += 1
        guard nodes.count > 1, nodes.count < Self.mostNodes else { return nodes.count == 1 }
        return Bool.random(using: &generator)
    }

    /// The plan for the nodes as they are, in an order of their own.
    mutating func plan() -> [NodeID?] {
        ShardPlanner.plan(owners: owners, nodes: nodes.shuffled(using: &generator))
    }

    /// Makes a plan the present state.
    mutating func adopt(_ plan: [NodeID?]) {
        owners = plan
    }

    /// How many shards each node has in a plan.
    func counts(in plan: [NodeID?]) -> [Int] {
        let counts = Dictionary(plan.map { ($0, 1) }, uniquingKeysWith: +)
        return nodes.map { counts[$0.id] ?? 0 }
    }

    /// The shards that a plan moves.
    func moved(by plan: [NodeID?]) -> [Int] {
        owners.indices.filter { owners[$0] != plan[$0] }
    }
}
