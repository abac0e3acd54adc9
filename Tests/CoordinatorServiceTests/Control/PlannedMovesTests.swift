import CoordinatorCore
import Testing

@testable import CoordinatorService

@Suite("What would change hands")
struct PlannedMovesTests {
    private static let nodes = (1...3).map { NodeID(name: "n\($0)", nonce: "0123456789abcdef") }

    private func plan(_ owners: String, _ able: [Int]) -> PlannedMoves {
        PlannedMoves(
            owners: owners.map {
                $0.wholeNumberValue.flatMap { $0 > 0 ? Self.nodes[$0 - 1] : nil }
            },
            nodes: able.map { PlannerNode(id: Self.nodes[$0 - 1]) })
    }

    @Test("a node that is taken out gives all it has, the others nothing")
    func drain() {
        let plan = plan("111122223333", [2, 3])
        #expect(plan.shards == 4)
        #expect(plan.moves.allSatisfy { $0.from == Self.nodes[0] })
        #expect(Set(plan.moves.map(\.to)) == [Self.nodes[1], Self.nodes[2]])
    }

    @Test("a balanced map stays, and so does one without anybody to own it")
    func nothing() {
        #expect(plan("112233", [3, 1, 2]).moves.isEmpty)
        #expect(plan("112233", []).moves.isEmpty)
        #expect(plan("112233", []).able.isEmpty)
    }

    @Test("shards that nobody has are given out")
    func first() {
        let plan = plan("0000", [1, 2])
        #expect(plan.moves.map(\.shards) == [2, 2])
        #expect(plan.moves.allSatisfy { $0.from == nil })
    }
}
