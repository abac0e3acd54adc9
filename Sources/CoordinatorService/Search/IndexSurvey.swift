public import CoordinatorCore
import EventLoop
public import RedisClient

/// The search indexes of a cluster, as its masters list them at about one moment.
public struct IndexSurvey: Sendable {
    /// One index and how far it is.
    public struct Index: Sendable, Equatable {
        public let name: SearchIndexName
        /// Documents in it; nil when it was not asked.
        public let documents: Int64?
        /// Documents that Redis could not take in; nil when it was not asked.
        public let failures: Int64?
        /// The share of the master's documents that is in it, 0 to 1; nil when it was not asked.
        public let filled: Double?

        var isComplete: Bool { filled.map { $0 >= 1 } ?? true }
    }

    /// One master and its indexes.
    public struct Master: Sendable {
        public let master: RedisMaster
        /// All of ours that it lists, current or not; nil when it did not answer.
        public let indexes: [Index]?

        /// What the planner decides by; nil when it did not answer.
        var facts: IndexPlanner.Master? {
            indexes.map { indexes in
                IndexPlanner.Master(
                    slots: master.slots,
                    indexes: indexes.map { .init($0.name, isComplete: $0.isComplete) })
            }
        }

        /// The index of a dimension that questions go to.
        func index(_ dimension: Dimension) -> Index? {
            guard let name = facts?.index(dimension)?.name else { return nil }
            return indexes?.first { $0.name == name }
        }
    }

    /// In the order of their slots.
    public let masters: [Master]
    /// What was not answered, one sentence each, without repetition.
    public let missing: [String]

    /// How long a master that is there takes at most; one that is not must not hold others up.
    private static let timeout: Duration = .seconds(2)

    /// Asks all masters of the topology as last seen.
    ///
    /// - Parameter complete: indexes known to hold everything are not asked how far they are.
    @LoopActor static func make(
        _ cluster: RedisCluster,
        complete: @escaping @LoopActor (RedisMaster, SearchIndexName) -> Bool = { _, _ in false }
    ) async -> IndexSurvey {
        let masters = cluster.masters
        let replies = await gather(masters.count) { place -> Result<[Index], ServiceError> in
            let master = masters[place]
            do throws(RedisError) {
                let names = try await names(cluster, master)
                return .success(
                    try await indexes(cluster, master, names) { complete(master, $0) })
            } catch {
                return .failure(.redis(error))
            }
        }
        var missing: [String] = []
        let found = zip(masters, replies).map { master, reply in
            switch reply {
            case .success(let indexes): return Master(master: master, indexes: indexes)
            case .failure(let error):
                if !missing.contains(error.absence) { missing.append(error.absence) }
                return Master(master: master, indexes: nil)
            }
        }
        return IndexSurvey(masters: found, missing: missing)
    }

    /// The indexes of ours that one master lists.
    @LoopActor static func names(
        _ cluster: RedisCluster, _ master: RedisMaster, timeout: Duration = timeout
    ) async throws(RedisError) -> [SearchIndexName] {
        let reply = try await cluster.call(
            "FT._LIST", on: master.endpoint, lane: .reading, isRepeatable: true, timeout: timeout)
        return (reply.items ?? []).compactMap { $0.text.flatMap(SearchIndexName.init(parsing:)) }
    }

    @LoopActor private static func indexes(
        _ cluster: RedisCluster, _ master: RedisMaster, _ names: [SearchIndexName],
        _ isComplete: (SearchIndexName) -> Bool
    ) async throws(RedisError) -> [Index] {
        let facts = IndexPlanner.Master(slots: master.slots, indexes: [])
        // Redis answers about an index only where its name's slot is.
        let asked = names.filter { facts.answers(for: $0) && !isComplete($0) }
        let replies = try await cluster.pipeline(
            asked.map { RedisCommand("FT.INFO", .init($0.text), isRepeatable: true) },
            on: master.endpoint, lane: .reading, timeout: timeout)
        let progress = Dictionary(
            zip(asked, replies).map { ($0, $1) }, uniquingKeysWith: { first, _ in first })
        return names.map { name in
            progress[name].map { Index(name, info: $0) }
                ?? Index(name: name, documents: nil, failures: nil, filled: nil)
        }
    }

    /// The plan that follows; masters that did not answer are left alone.
    var plan: (plan: IndexPlanner.Plan, masters: [RedisMaster]) {
        let answered = masters.filter { $0.facts != nil }
        return (IndexPlanner.plan(answered.compactMap(\.facts)), answered.map(\.master))
    }
}

extension IndexSurvey.Index {
    /// Reads a reply of FT.INFO; an error there means that the index is just being made or dropped.
    init(_ name: SearchIndexName, info: RedisValue) {
        let isFilling = info["indexing"]?.int.map { $0 != 0 } ?? true
        let share = info["percent_indexed"]?.text.flatMap(Double.init) ?? 0
        self.init(
            name: name, documents: info["num_docs"]?.int,
            failures: info["hash_indexing_failures"]?.int,
            filled: isFilling ? min(share, 0.999) : 1)
    }
}
