public import CoordinatorCore

/// Who owns which shard: what the map says, held against what the shards' own slots say.
///
/// - Not guaranteed: one moment. Map and slots are read one after the other.
public struct Ownership: Sendable {
    /// How one shard is.
    public enum State: Sendable, Hashable {
        /// The node that the map names has claimed it.
        case owned
        /// The map names a node that is there and has not claimed it yet.
        case moving
        /// Nobody owns it, or a node that is lost.
        case orphaned
        /// The shard did not answer.
        case unknown
    }

    /// The map's version; nil before the first one.
    public let version: FencingToken?
    /// By shard number: the owner that the map names.
    public let owners: [NodeID?]
    /// By shard number.
    public let states: [State]

    /// Holds a map against what the shards say, and against who is there.
    public init(_ map: ShardMap?, _ survey: Survey, nodes: [NodeRecord]) {
        version = map?.version
        let live = Set(nodes.filter { $0.state(now: survey.now) != .lost }.map(\.id))
        var owners: [NodeID?] = []
        var states: [State] = []
        for (number, state) in survey.states.enumerated() {
            let entry = map.flatMap {
                $0.entries.indices.contains(number) ? $0.entries[number] : nil
            }
            owners.append(entry?.owner)
            states.append(Self.judge(entry, state, live))
        }
        self.owners = owners
        self.states = states
    }

    private static func judge(
        _ entry: ShardMap.Entry?, _ state: ShardState?, _ live: Set<NodeID>
    ) -> State {
        guard let entry, let owner = entry.owner, live.contains(owner) else { return .orphaned }
        guard let state else { return .unknown }
        return state.token == entry.token ? .owned : .moving
    }

    /// How many shards are owned.
    public var owned: Int { states.count { $0 == .owned } }
    /// The shards that are so.
    public var orphaned: [ShardID] { all(.orphaned) }
    /// The shards that are so.
    public var moving: [ShardID] { all(.moving) }

    private func all(_ state: State) -> [ShardID] {
        states.indices.filter { states[$0] == state }.map(ShardID.init(rawValue:))
    }
}
