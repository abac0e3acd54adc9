/// One node that may own shards.
public struct PlannerNode: Hashable, Sendable {
    /// The weights that count. The upper end keeps `shards × weight` and the sum of all weights far
    /// from overflow; nobody's machine is a million times another's.
    public static let weights = 1...1_000_000

    /// Which node.
    public let id: NodeID
    /// Its capacity relative to that of the others.
    public let weight: Int
    /// It has just joined: it takes what has no owner, and nothing from nodes that stay.
    public let isNew: Bool

    /// A node of a weight; one outside of `weights` becomes the nearest inside.
    ///
    /// The weight was another process's word before it came here: a wild one must not end the
    /// leader, as a precondition would.
    public init(id: NodeID, weight: Int = 1, isNew: Bool = false) {
        self.id = id
        self.weight = min(max(weight, Self.weights.lowerBound), Self.weights.upperBound)
        self.isNew = isNew
    }
}

/// Decides which node is to own which shard: balanced, and with as few moves as that allows.
///
/// A node's *share* is `shards × weight / total weight`. A plan is *balanced* if every node has its
/// share, rounded up or down: with equal weights, ⌊S/N⌋ or ⌈S/N⌉.
///
/// - Invariant: no balanced plan moves fewer shards. A plan that gives node i `q(i)` shards leaves
///   at most `min(held(i), q(i))` where they are, and this one leaves exactly that many: the rest
///   has no owner that may keep it. Balance fixes `q(i)` as `floor(i)`, with one extra for as many
///   nodes as there are shards left over, and never for a node whose share is whole. So
///   `min(held(i), q(i))` is `min(held(i), floor(i))`, which nobody decides, and one more for each
///   extra that went to a node that holds more than its floor. Extras go to these nodes first: no
///   choice saves more.
/// - Invariant: with equal weights, and from a balanced plan, the loss of a node moves its shards
///   alone, and a join moves at most ⌈S/(N+1)⌉, all of them to the newcomer. At a loss, floors do
///   not fall, and if they stay there are extras for all who have one. At a join, floors do not
///   rise, and no old node is below its new floor.
/// A node that is new takes part in a plan and makes nobody who stays give a shard away: what has
/// no owner goes to new nodes first, up to their quota, and balance waits until none is new. So
/// when old nodes are replaced one by one, each by a new one that is there before the old one goes,
/// every shard moves once: a round gives the shards of the old node, and none that moved before, to
/// a new one.
///
/// - Invariant: while a node is new, a shard moves only when its owner is none of the nodes.
/// - Not guaranteed: balance while a node is new.
/// - Invariant: the result depends on the values alone, not on the order of `nodes`; planning from
///   a result gives that result.
/// - Not guaranteed: with unequal weights, that a loss or a join moves nothing between the nodes
///   that stay. Where rounding leaves no balanced plan without that, it moves as few as can be.
/// - Not guaranteed: that a node's shards lie side by side, or apart.
public enum ShardPlanner {
    /// Stands for an owner that may not keep its shards: none, or not one of the nodes.
    private static let nobody = -1

    /// Plans who owns each shard.
    ///
    /// A node keeps its lowest shards up to its quota. What is left over goes in ascending order to
    /// the nodes that have room, by id.
    ///
    /// - Parameters:
    ///   - owners: The present owner of each shard, by shard number; nil for nobody.
    ///   - nodes: Those that may own shards, each once, in any order.
    /// - Returns: The new owner of each shard; nil only when `nodes` is empty.
    public static func plan(owners: [NodeID?], nodes: [PlannerNode]) -> [NodeID?] {
        guard !nodes.isEmpty else { return Array(repeating: nil, count: owners.count) }
        let nodes = nodes.sorted { $0.id < $1.id }
        let holders = holders(of: owners, among: nodes)
        var room = quotas(of: nodes, holders: holders)
        let newest = nodes.indices.filter { nodes[$0].isNew }
        let hasNew = !newest.isEmpty
        var plan = owners
        var left: [Int] = []
        for (shard, holder) in holders.enumerated() {
            if holder != nobody, room[holder] > 0 || hasNew {
                room[holder] -= 1
            } else {
                left.append(shard)
            }
        }
        // Quotas add up to the number of shards, so the room is at least as large as what is left:
        // larger when nodes keep more than their quota.
        let receivers = newest + nodes.indices.filter { !nodes[$0].isNew }
        var next = 0
        for shard in left {
            while room[receivers[next]] <= 0 { next += 1 }
            room[receivers[next]] -= 1
            plan[shard] = nodes[receivers[next]].id
        }
        return plan
    }

    /// The owner of each shard as an index into `nodes`.
    ///
    /// All that follows counts with these: hashing and comparing texts costs more than the rest of
    /// the plan, so it is done once a shard, and not even that in a row of one owner.
    private static func holders(of owners: [NodeID?], among nodes: [PlannerNode]) -> [Int] {
        var indices = [NodeID: Int](minimumCapacity: nodes.count)
        for (index, node) in nodes.enumerated() {
            let earlier = indices.updateValue(index, forKey: node.id)
            precondition(earlier == nil, "node \(node.id) is in the plan twice")
        }
        var holders: [Int] = []
        holders.reserveCapacity(owners.count)
        var previous: NodeID?
        var holder = nobody
        for owner in owners {
            if owner != previous {
                previous = owner
                holder = owner.flatMap { indices[$0] } ?? nobody
            }
            holders.append(holder)
        }
        return holders
    }

    /// How many shards each node is to own: its floor, and the extras where they save most moves.
    private static func quotas(of nodes: [PlannerNode], holders: [Int]) -> [Int] {
        let total = nodes.reduce(0) { $0 + $1.weight }
        var quotas = nodes.map { holders.count * $0.weight / total }
        let remainders = nodes.map { holders.count * $0.weight % total }
        var surplus = quotas.map { -$0 }
        for holder in holders where holder != nobody { surplus[holder] += 1 }

        // Among nodes that hold no more than their floor an extra saves nothing: there the share
        // that is cut most comes first. The ids decide last, as the order of `nodes`. But a new
        // node comes before the others: what these are given might have to move again.
        let extras = holders.count - quotas.reduce(0, +)
        let candidates = nodes.indices.filter { remainders[$0] > 0 }.sorted { left, right in
            let (first, second) = (max(0, surplus[left]), max(0, surplus[right]))
            if first != second { return first > second }
            if nodes[left].isNew != nodes[right].isNew { return nodes[left].isNew }
            if remainders[left] != remainders[right] { return remainders[left] > remainders[right] }
            return left < right
        }
        for node in candidates.prefix(extras) { quotas[node] += 1 }
        return quotas
    }
}
