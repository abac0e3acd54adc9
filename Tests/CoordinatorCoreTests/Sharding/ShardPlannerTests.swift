import CoordinatorCore
import Testing

@Suite("Shard planning")
struct ShardPlannerTests {
    /// One plan of named nodes: "a b*2 c!" are three nodes, the second of weight 2, the third new;
    /// "aab-" are the owners of four shards, the last of which has none.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let owners: String
        let nodes: String
        let plan: String

        init(_ name: String, given owners: String, nodes: String, then plan: String) {
            (self.name, self.owners, self.nodes, self.plan) = (name, owners, nodes, plan)
        }

        var testDescription: String { name }
    }

    @Test(
        "small plans",
        arguments: [
            Row("no shards", given: "", nodes: "a b", then: ""),
            Row("no nodes", given: "aab-", nodes: "", then: "----"),
            Row("one node takes everything", given: "---", nodes: "a", then: "aaa"),
            Row("from nothing, extras by id", given: "-----", nodes: "c a b", then: "aabbc"),
            Row("fewer shards than nodes", given: "--", nodes: "c b a", then: "ab"),
            Row("what is balanced stays", given: "bca", nodes: "a b c", then: "bca"),
            Row("the extra stays where it is", given: "bab", nodes: "a b", then: "bab"),
            Row("only the lost node's shards move", given: "abcabc", nodes: "a c", then: "aacacc"),
            Row("a join takes the highest", given: "ababab", nodes: "a b c", then: "ababcc"),
            Row("a join may get nothing", given: "ab", nodes: "a b c", then: "ab"),
            Row("all but one are drained", given: "abcd", nodes: "b", then: "bbbb"),
            Row("lost and joined at once", given: "aabb", nodes: "b c", then: "ccbb"),
            Row("extras go where most is held", given: "bbbbcc-", nodes: "a b c", then: "bbbacca"),
            Row("weights from nothing", given: "------", nodes: "a*2 b", then: "aaaabb"),
            Row("the greatest part rounds up", given: "----", nodes: "a b*2 c*4", then: "abcc"),
            Row("but first what is held", given: "bbcc", nodes: "a b*2 c*4", then: "bbcc"),
            Row("a whole share has no extra", given: "aa", nodes: "a*2 b c", then: "ab"),
            Row("rounding may leave no other way", given: "ab", nodes: "a b d*2", then: "ad"),
            Row(
                "who is new takes nothing from who stays", given: "aabb", nodes: "a b c!",
                then: "aabb"),
            Row("who is new gets what is free", given: "aabbcc", nodes: "a b d!", then: "aabbdd"),
            Row("and the extra with it", given: "aaabbcc", nodes: "b c d!", then: "dddbbcc"),
            Row("also before an older one", given: "abcc", nodes: "a b e!", then: "abee"),
            Row("no more than its part", given: "aabbcccc", nodes: "a b e!", then: "aabbeeea"),
            Row("balance waits with it", given: "aaab", nodes: "a b c!", then: "aaab"),
            Row("when all are new, they share", given: "----", nodes: "a! b!", then: "aabb"),
        ])
    func table(row: Row) {
        let nodes = row.nodes.split(separator: " ").map { word in
            let isNew = word.hasSuffix("!")
            let parts = (isNew ? word.dropLast() : word).split(separator: "*")
            return PlannerNode(
                id: id(parts[0]), weight: parts.count > 1 ? Int(parts[1]) ?? 0 : 1, isNew: isNew)
        }
        let owners = row.owners.map { $0 == "-" ? nil : id(String($0)) }
        let plan = ShardPlanner.plan(owners: owners, nodes: nodes)
        #expect(plan.map { $0?.name ?? "-" }.joined() == row.plan)
    }

    @Test("a wild weight becomes the nearest that counts")
    func wildWeights() {
        #expect([Int.min, 0, 1, 7, .max].map(weight) == [1, 1, 1, 7, 1_000_000])
        let nodes = ["a", "b"].map { PlannerNode(id: id($0), weight: .max) }
        let nothing = [NodeID?](repeating: nil, count: HashSlot.count)
        let plan = ShardPlanner.plan(owners: nothing, nodes: nodes)
        #expect(plan.count { $0 == nodes[0].id } == HashSlot.count / 2)
    }

    @Test(
        "of all plans of up to five shards, none that is balanced moves fewer",
        arguments: [
            [1], [5], [1, 1], [1, 2], [3, 1], [2, 5], [1, 1, 1], [1, 1, 2], [3, 2, 1], [1, 4, 2],
        ])
    func everySmallPlan(weights: [Int]) throws {
        for shards in 0...5 {
            let plans = PlanTwin.balancedPlans(shards: shards, weights: weights)
            // An owner is a node, one that is gone, or nobody.
            var owners = [[Int]](repeating: [], count: 1)
            for _ in 0..<shards {
                owners = owners.flatMap { known in (0..<weights.count + 2).map { known + [$0] } }
            }
            for owners in owners {
                try compare(owners, weights, plans, "weights \(weights), owners \(owners)")
            }
        }
    }

    @Test("of all plans of more shards, none that is balanced moves fewer", arguments: seeds)
    func randomSmallPlans(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        for round in 0..<20 {
            let weights = (0..<generator.pick(2...4)).map { _ in generator.pick(1...6) }
            let shards = generator.pick(weights.count < 4 ? 6...7 : 5...6)
            let plans = PlanTwin.balancedPlans(shards: shards, weights: weights)
            for _ in 0..<10 {
                let owners = (0..<shards).map { _ in generator.pick(0..<weights.count + 2) }
                try compare(
                    owners, weights, plans,
                    "seed \(seed), round \(round), weights \(weights), owners \(owners)")
            }
        }
    }

    @Test(
        "through any history plans are balanced, move the fewest, and need no second look",
        arguments: PlanHistory.sizes, [1...1, 1...3, 1...50])
    func histories(shards: Int, weights: ClosedRange<Int>) throws {
        for seed in seeds {
            try follow(PlanHistory(seed: seed, shards: shards, weights: weights))
        }
    }

    @Test(
        "a node lost or drained gives its own shards, a join takes its part of them",
        arguments: seeds, PlanHistory.sizes)
    func singleChanges(seed: UInt64, shards: Int) throws {
        var history = PlanHistory(seed: seed, shards: shards, weights: 1...1)
        history.adopt(history.plan())
        for _ in 0..<200 {
            if history.comes() {
                history.join()
                let plan = history.plan()
                let moved = history.moved(by: plan)
                let (shards, nodes) = (plan.count, history.nodes.count)
                try #require(moved.count <= (shards + nodes - 1) / nodes, "join: \(history)")
                try #require(
                    Set(moved.map { plan[$0] }).count <= 1, "all to the newcomer: \(history)")
                history.adopt(plan)
            } else {
                let lost = history.leave()
                let its = history.owners.indices.filter { history.owners[$0] == lost }
                let plan = history.plan()
                try #require(history.moved(by: plan) == its, "\(lost) is lost: \(history)")
                try #require(!plan.contains(lost), "\(lost) is empty: \(history)")
                history.adopt(plan)
            }
        }
    }

    @Test(
        "when nodes are replaced one by one, each shard moves once, and all ends balanced",
        arguments: [1, 2, 3, 4, 5, 7, 13], [1, 2, 8, 64, 256])
    func replaced(count: Int, shards: Int) throws {
        // Whether those that came before are still new when the next one comes must not matter.
        for staysNew in [0, 50, 100] {
            for seed in seeds.prefix(4) {
                var generator = SplitMix64(seed: seed)
                var nodes = (0..<count).map { PlannerNode(id: id("old\($0)")) }
                let nothing = [NodeID?](repeating: nil, count: shards)
                var owners = ShardPlanner.plan(owners: nothing, nodes: nodes)
                var moves = [Int](repeating: 0, count: shards)
                for (number, old) in nodes.shuffled(using: &generator).enumerated() {
                    nodes = nodes.map {
                        let stays = generator.pick(1...100) <= staysNew
                        return PlannerNode(id: $0.id, isNew: stays && $0.isNew)
                    }
                    nodes.append(PlannerNode(id: id("new\(number)"), isNew: true))
                    try #require(ShardPlanner.plan(owners: owners, nodes: nodes) == owners)
                    nodes.removeAll { $0.id == old.id }
                    let plan = ShardPlanner.plan(owners: owners, nodes: nodes)
                    for shard in plan.indices where plan[shard] != owners[shard] {
                        moves[shard] += 1
                    }
                    owners = plan
                }
                try #require(moves.allSatisfy { $0 == 1 }, "seed \(seed): \(moves)")
                let settled = nodes.map { PlannerNode(id: $0.id) }
                try #require(ShardPlanner.plan(owners: owners, nodes: settled) == owners)
            }
        }
    }

    @Test("the largest deployment is planned like the small ones", arguments: seeds.prefix(1))
    func largest(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let nodes = (0..<100).map { PlannerNode(id: id("node-\($0)")) }
        let nothing = [NodeID?](repeating: nil, count: HashSlot.count)
        let owners = ShardPlanner.plan(owners: nothing, nodes: nodes).shuffled(using: &generator)
        #expect(ShardPlanner.plan(owners: owners, nodes: nodes) == owners, "seed \(seed)")
        let plan = ShardPlanner.plan(owners: owners, nodes: Array(nodes.dropLast()))
        let moved = owners.indices.filter { owners[$0] != plan[$0] }
        #expect(moved == owners.indices.filter { owners[$0] == nodes[99].id }, "seed \(seed)")
    }

    /// Holds each plan of a history against its twin.
    private func follow(_ begun: PlanHistory) throws {
        var history = begun
        for _ in 0..<60 {
            history.advance()
            let plan = history.plan()
            let nodes = history.nodes.map(\.weight)
            try #require(!plan.contains(nil), "\(history)")
            try #require(history.counts(in: plan).reduce(0, +) == plan.count, "\(history)")
            try #require(PlanTwin.isBalanced(history.counts(in: plan), nodes), "\(history)")
            let fewest = PlanTwin.fewestMoves(
                held: history.counts(in: history.owners), weights: nodes, shards: plan.count)
            try #require(history.moved(by: plan).count == fewest, "\(history)")
            try #require(history.plan() == plan, "another order of nodes: \(history)")
            history.adopt(plan)
            try #require(history.plan() == plan, "planned again: \(history)")
        }
    }

    /// Holds one plan against all balanced ones, and the two twins against each other.
    private func compare(
        _ owners: [Int], _ weights: [Int], _ plans: [[Int]], _ given: @autoclosure () -> String
    ) throws {
        let nodes = weights.enumerated().map { PlannerNode(id: id("n\($0)"), weight: $1) }
        let gone = weights.count
        let before = owners.map { $0 > gone ? nil : id("n\($0)") }
        let plan = ShardPlanner.plan(owners: before, nodes: nodes)
        let indices = plan.map { owner in nodes.firstIndex { $0.id == owner } ?? gone }
        let moves = zip(before, plan).count { $0 != $1 }
        let held = weights.indices.map { node in owners.count { $0 == node } }
        let fewest = PlanTwin.fewestMoves(from: owners, to: plans)
        let twin = PlanTwin.fewestMoves(held: held, weights: weights, shards: owners.count)
        try #require(
            plans.contains(indices) && [moves, twin] == [fewest, fewest],
            "planned \(indices), \(moves) moves of \(String(describing: fewest)): \(given())")
    }

    private func weight(_ weight: Int) -> Int {
        PlannerNode(id: id("a"), weight: weight).weight
    }

    private func id(_ name: some StringProtocol) -> NodeID {
        NodeID(name: String(name), nonce: "00000000")
    }
}
