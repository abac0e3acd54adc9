public import CoordinatorCore

/// Which shards would change hands: the leader's own planner, on the map and the nodes of now.
///
/// - Not guaranteed: that the leader decides the same. It sees later heartbeats, and it holds nodes
///   down that have just come back.
public struct PlannedMoves: Sendable {
    /// Shards that would go from one node to another.
    public struct Move: Sendable, Hashable {
        /// Nil when nobody has them.
        public let from: NodeID?
        /// The new owner.
        public let to: NodeID?
        /// How many.
        public let shards: Int
    }

    /// By giver, then by taker.
    public let moves: [Move]
    /// The nodes that could own shards.
    public let able: [NodeID]

    /// How many shards would move.
    public var shards: Int { moves.reduce(0) { $0 + $1.shards } }

    /// What would move if these nodes, by name, were to have no shards.
    public init(_ control: ControlReading, shardCount: Int, drained: Set<String>) {
        let able = control.nodes.filter {
            $0.state(now: control.now) == .ready && !drained.contains($0.id.name)
        }
        self.init(
            owners: control.map?.owners ?? [NodeID?](repeating: nil, count: shardCount),
            nodes: able.map { PlannerNode(id: $0.id, weight: $0.report.weight) })
    }

    init(owners: [NodeID?], nodes: [PlannerNode]) {
        able = nodes.map(\.id).sorted()
        // Without anybody to own them shards stay with whom they are.
        let planned = nodes.isEmpty ? owners : ShardPlanner.plan(owners: owners, nodes: nodes)
        struct Pair: Hashable {
            let from: NodeID?
            let to: NodeID?
        }
        var counts: [Pair: Int] = [:]
        for (from, to) in zip(owners, planned) where from != to {
            counts[Pair(from: from, to: to), default: 0] += 1
        }
        moves = counts.map { Move(from: $0.key.from, to: $0.key.to, shards: $0.value) }.sorted {
            ($0.from?.text ?? "", $0.to?.text ?? "") < ($1.from?.text ?? "", $1.to?.text ?? "")
        }
    }
}
