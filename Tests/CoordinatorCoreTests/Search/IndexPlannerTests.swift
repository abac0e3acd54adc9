import CoordinatorCore
import Testing

@Suite("Which search indexes are made and dropped")
struct IndexPlannerTests {
    private typealias Master = IndexPlanner.Master
    private typealias Index = IndexPlanner.Index

    /// The whole cluster as one master, and a third of it.
    private static let all = [0...16_383]
    private static let low = [0...5_460]

    private static func name(
        _ dimension: Dimension, slot: UInt16, definition: Int = SearchIndexName.currentDefinition
    ) throws -> SearchIndexName {
        let tag = ShardLayout.tag(inSlot: try #require(HashSlot(rawValue: slot)))
        let text = RedisKeys.index(dimension, tag, definition: definition)
        return try #require(SearchIndexName(parsing: text))
    }

    private static func indexes(
        slot: UInt16, isComplete: Bool = true, definition: Int = SearchIndexName.currentDefinition
    ) throws -> [Index] {
        try Dimension.viewed.map {
            Index(try name($0, slot: slot, definition: definition), isComplete: isComplete)
        }
    }

    @Test("a name is of the convention and reads back", arguments: Dimension.viewed)
    func names(dimension: Dimension) throws {
        let name = SearchIndexName(dimension, tag: "a7")
        #expect(name.text == "I::\(dimension.rawValue):{a7}\(SearchIndexName.currentDefinition)::")
        #expect(SearchIndexName(parsing: name.text) == name)
        #expect(RedisKey(parsing: name.text)?.text == name.text)
    }

    @Test(
        "what is not one of ours is left alone",
        arguments: [
            "idx", "I::P:::", "I::P:{a7}::", "I::P:a71::", "I::D:{a7}1::", "I:x:P:{a7}1::",
            "I::P:{a7}0::", "I::P:{a7}01::", "I::P:{a7}-1::", "I::P:{a7}1:5:", "I::P:{a7}1::PG",
            "J::P:{a7}1::", "I::P:{a7}99999999999999999999::", "",
        ])
    func others(text: String) {
        #expect(SearchIndexName(parsing: text) == nil)
    }

    @Test("a master without indexes gets three, in the slot that resharding takes last")
    func first() throws {
        let plan = IndexPlanner.plan([Master(slots: [0...99, 200...5_460], indexes: [])])
        let expected = try Dimension.viewed.map {
            IndexPlanner.Directive.create(try Self.name($0, slot: 5_460), master: 0)
        }
        #expect(plan.directives == expected)
        #expect(!plan.isSettled)
    }

    @Test("a master without slots holds no documents and gets none")
    func empty() {
        #expect(IndexPlanner.plan([Master(slots: [], indexes: [])]).isSettled)
    }

    @Test("nothing to do where all is there; something to wait for while it is filled")
    func settled() throws {
        let done = Master(slots: Self.low, indexes: try Self.indexes(slot: 17))
        #expect(IndexPlanner.plan([done]) == IndexPlanner.Plan())
        let filling = Master(
            slots: Self.low, indexes: try Self.indexes(slot: 17, isComplete: false))
        let plan = IndexPlanner.plan([filling])
        #expect(plan.directives.isEmpty && plan.filling.count == 3 && !plan.isSettled)
    }

    @Test("a slot that went away leaves its index stranded, and another one is made")
    func migrated() throws {
        let old = try Self.indexes(slot: 5_461)
        let plan = IndexPlanner.plan([Master(slots: Self.low, indexes: old)])
        #expect(plan.directives.count == 3)
        #expect(plan.directives.allSatisfy { if case .create = $0 { true } else { false } })
        #expect(plan.stranded == old.map { .drop($0.name, master: 0) })
        // The slot comes back: the index that is in the highest slot stays, the other one goes.
        let both = old + (try Self.indexes(slot: 5_460))
        let back = IndexPlanner.plan([Master(slots: Self.all, indexes: both)])
        #expect(back.stranded.isEmpty)
        let dropped = try Self.indexes(slot: 5_460).map {
            IndexPlanner.Directive.drop($0.name, master: 0)
        }
        #expect(back.directives == dropped)
    }

    @Test("an index is dropped only when another one holds everything")
    func patience() throws {
        let old = try Self.indexes(slot: 9)
        let new = try Self.indexes(slot: 10, isComplete: false)
        let filling = IndexPlanner.plan([Master(slots: Self.all, indexes: old + new)])
        #expect(filling.directives == new.map { .drop($0.name, master: 0) }, "the old one serves")
        let both = try Self.indexes(slot: 9, isComplete: false) + new
        #expect(IndexPlanner.plan([Master(slots: Self.all, indexes: both)]).directives.isEmpty)
    }

    @Test("an index of a newer program is neither asked nor dropped")
    func definitions() throws {
        let newer = try Self.indexes(slot: 9, definition: SearchIndexName.currentDefinition + 1)
        let ours = try Self.indexes(slot: 20)
        let plan = IndexPlanner.plan([Master(slots: Self.all, indexes: newer + ours)])
        #expect(plan == IndexPlanner.Plan())
        let alone = IndexPlanner.plan([Master(slots: Self.all, indexes: newer)])
        #expect(alone.directives.count == 3, "a newer program's index is not asked by this one")
    }

    @Test("whatever is there, a plan carried out is followed by an empty one", arguments: seeds)
    func converges(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            let border = Int.random(in: 1...16_382, using: &random)
            let slots = [[0...border], [(border + 1)...16_383]]
            let masters = try slots.map { slots in
                var indexes: Set<Index> = []
                var names: Set<SearchIndexName> = []
                for _ in 0..<Int.random(in: 0...6, using: &random) {
                    let name = try Self.name(
                        random.pick(Dimension.viewed), slot: random.pick([3, 4, 9_000, 16_000]),
                        definition: random.pick([1, 1, 1, 2]))
                    guard names.insert(name).inserted else { continue }
                    indexes.insert(Index(name, isComplete: random.pick([true, false])))
                }
                return Master(slots: slots, indexes: Array(indexes))
            }
            var state = masters
            for _ in 0..<2 {
                state = Self.carriedOut(IndexPlanner.plan(state), state)
                state = state.map { master in
                    Master(
                        slots: master.slots,
                        indexes: master.indexes.map { Index($0.name, isComplete: true) })
                }
            }
            let plan = IndexPlanner.plan(state)
            #expect(plan.isSettled, "seed \(seed): \(plan) for \(masters)")
            for master in state {
                for dimension in Dimension.viewed {
                    #expect(master.index(dimension) != nil, "seed \(seed): \(masters)")
                }
            }
        }
    }

    private static func carriedOut(_ plan: IndexPlanner.Plan, _ masters: [Master]) -> [Master] {
        masters.enumerated().map { number, master in
            var indexes = master.indexes
            for directive in plan.directives {
                switch directive {
                case .create(let name, number): indexes.append(Index(name, isComplete: false))
                case .drop(let name, number): indexes.removeAll { $0.name == name }
                default: break
                }
            }
            return Master(slots: master.slots, indexes: indexes)
        }
    }
}
