/// Decides which search indexes are to be made and dropped, from what the masters hold.
///
/// Redis makes an index for the keys of one master. A failover takes it along, because replicas
/// have it as well; a slot that migrates does not: the definition stays with the former master, and
/// nobody can ask for it there once the slot of its *name* is gone. So after every change of the
/// topology each master needs, for each dimension, one index whose tag it serves.
///
/// - Invariant: carrying a plan out and planning again gives an empty plan, whatever was there.
/// - Invariant: of two leaders with one view, neither drops what the other keeps.
/// - Not guaranteed: that everything that is no longer used can be dropped. Redis refuses to drop
///   an index whose slot another master serves; such ones are `stranded` until the slot is back.
public enum IndexPlanner {
    /// One index, as a master lists it.
    public struct Index: Hashable, Sendable {
        /// Its name.
        public let name: SearchIndexName
        /// Whether all documents of the master are in it.
        public let isComplete: Bool

        /// An index of its parts.
        public init(_ name: SearchIndexName, isComplete: Bool) {
            self.name = name
            self.isComplete = isComplete
        }
    }

    /// What one master serves and holds.
    public struct Master: Hashable, Sendable {
        /// The slots that it serves.
        public let slots: [ClosedRange<Int>]
        /// The indexes of ours that it lists.
        public let indexes: [Index]

        /// A master of its parts.
        public init(slots: [ClosedRange<Int>], indexes: [Index]) {
            self.slots = slots
            self.indexes = indexes
        }

        /// Whether commands about an index reach this master.
        public func answers(for name: SearchIndexName) -> Bool {
            slots.contains { $0.contains(Int(name.slot.rawValue)) }
        }

        /// The index to ask about one dimension; nil where there is none.
        ///
        /// A complete one before one that is being filled, then the one in the highest slot.
        public func index(_ dimension: Dimension) -> Index? {
            indexes.filter {
                $0.name.dimension == dimension && $0.name.isCurrent && answers(for: $0.name)
            }
            .max {
                ($0.isComplete ? 1 : 0, $0.name.slot) < ($1.isComplete ? 1 : 0, $1.name.slot)
            }
        }
    }

    /// One thing to do at one master.
    public enum Directive: Hashable, Sendable {
        /// Make an index of this name.
        case create(SearchIndexName, master: Int)
        /// Drop the index, never its documents.
        case drop(SearchIndexName, master: Int)
    }

    /// What is to be done, and what is known of the rest.
    public struct Plan: Hashable, Sendable {
        /// In the order of the masters.
        public var directives: [Directive] = []
        /// Indexes that exist and do not hold everything yet.
        public var filling: [SearchIndexName] = []
        /// Indexes that nobody can ask for or drop, by the master that holds them.
        public var stranded: [Directive] = []

        /// Nothing to do and nothing to wait for.
        public init() {}

        /// Nothing is left to do or to wait for.
        public var isSettled: Bool { directives.isEmpty && filling.isEmpty }
    }

    /// The plan for all masters, in the order given.
    public static func plan(_ masters: [Master]) -> Plan {
        var plan = Plan()
        for (number, master) in masters.enumerated() {
            for dimension in Dimension.viewed { add(dimension, of: master, number, to: &plan) }
        }
        return plan
    }

    private static func add(
        _ dimension: Dimension, of master: Master, _ number: Int, to plan: inout Plan
    ) {
        let kept = master.index(dimension)
        if let kept {
            if !kept.isComplete { plan.filling.append(kept.name) }
        } else if let slot = highestSlot(of: master) {
            let name = SearchIndexName(dimension, tag: ShardLayout.tag(inSlot: slot))
            plan.directives.append(.create(name, master: number))
        }
        // A newer program's are its own; questions are answered from the old one until the new one
        // holds everything.
        for index in master.indexes
        where index.name.dimension == dimension && index.name != kept?.name
            && index.name.definition <= SearchIndexName.currentDefinition
        {
            let drop = Directive.drop(index.name, master: number)
            if !master.answers(for: index.name) {
                plan.stranded.append(drop)
            } else if kept?.isComplete == true {
                plan.directives.append(drop)
            }
        }
    }

    /// Resharding takes a master's lowest slots first, so the highest stays longest.
    private static func highestSlot(of master: Master) -> HashSlot? {
        master.slots.map(\.upperBound).max().flatMap { HashSlot(rawValue: UInt16($0)) }
    }
}
