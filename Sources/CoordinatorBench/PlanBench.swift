import CoordinatorCore
import EventLoop
import Terminal

/// How long the leader thinks about who owns which shard; Redis has no part in it.
struct PlanBench {
    private static let repetitions = 101
    /// Any seed: it makes every run measure the same plan.
    private static let seed: UInt64 = 1

    private let arguments: ParsedArguments
    private let shards: Int
    private let nodes: [PlannerNode]

    init(_ arguments: ParsedArguments) {
        self.arguments = arguments
        shards = Int(arguments.requiredInteger("shards"))
        nodes = (0..<Int(arguments.requiredInteger("nodes"))).map {
            PlannerNode(id: Self.id(String($0)))
        }
    }

    func run() {
        // As after a long history: neighbours have different owners.
        var random = SplitMix64(seed: Self.seed)
        let nothing = [NodeID?](repeating: nil, count: shards)
        let scattered = ShardPlanner.plan(owners: nothing, nodes: nodes).shuffled(using: &random)
        let owners = Self.copied(scattered)

        var report = BenchReport()
        measure("loss of one node", owners, Array(nodes.dropLast()), &report)
        let joined = nodes + [PlannerNode(id: Self.id("new"))]
        measure("join of one node", owners, joined, &report)
        measure("from nothing", nothing, nodes, &report)
        measure("nothing to do", owners, nodes, &report)
        report.show(arguments)
    }

    private func measure(
        _ name: String, _ owners: [NodeID?], _ nodes: [PlannerNode], _ report: inout BenchReport
    ) {
        var spans: [Duration] = []
        var moves = 0
        for _ in 0..<Self.repetitions {
            let began = loopNow()
            let plan = ShardPlanner.plan(owners: owners, nodes: nodes)
            spans.append(loopNow() - began)
            moves = zip(owners, plan).count { $0 != $1 }
        }
        spans.sort()
        let milliseconds = spans.map { $0 / .milliseconds(1) }
        report.add(
            name, milliseconds[spans.count / 2], "ms",
            "p95 \(NumberText.decimal(milliseconds[spans.count * 95 / 100])) ms, "
                + "\(NumberText.grouped(Int64(moves))) of \(NumberText.grouped(Int64(shards))) move"
        )
    }

    /// A name as long as a container's, which no small string holds.
    private static func id(_ name: String) -> NodeID {
        NodeID(name: "coordinator-node-\(name)", nonce: "00ff00ff00ff00ff")
    }

    /// The same owners with a text of its own for each shard, as a map has that was read from
    /// Redis: equal texts in one place would compare too cheaply.
    private static func copied(_ owners: [NodeID?]) -> [NodeID?] {
        owners.map { owner in
            owner.flatMap { NodeID(String(decoding: $0.text.utf8, as: UTF8.self)) }
        }
    }
}
