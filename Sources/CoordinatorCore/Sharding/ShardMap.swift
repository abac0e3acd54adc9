/// Which node owns which shard, as a leader published it.
///
/// - Invariant: versions only grow; a shard's token is the version of the map that last moved it.
/// - Not guaranteed: that the owners have claimed their shards yet, or that a newer map was not
///   published meanwhile. What a shard's own slot says is the truth.
public struct ShardMap: Hashable, Sendable {
    /// One shard's owner, and the token to claim it with.
    public struct Entry: Hashable, Sendable {
        /// Nil while there was nobody to own it.
        public var owner: NodeID?
        /// The token to claim the shard with.
        public var token: FencingToken

        /// An entry of its parts.
        public init(owner: NodeID?, token: FencingToken) {
            self.owner = owner
            self.token = token
        }
    }

    /// The token of the shards that this map moved.
    public let version: FencingToken
    /// By shard number.
    public let entries: [Entry]

    /// A map of its parts.
    public init(version: FencingToken, entries: [Entry]) {
        self.version = version
        self.entries = entries
    }

    /// The owners, by shard number.
    public var owners: [NodeID?] { entries.map(\.owner) }

    /// How many shards a node owns.
    public func count(of node: NodeID) -> Int {
        entries.count { $0.owner == node }
    }
}

/// A map before it has a version: the server gives that when it is published.
public struct ShardMapDraft: Hashable, Sendable {
    /// By shard number.
    public let owners: [NodeID?]
    /// The tokens of shards that stay as they are; nil for those that take the map's version.
    public let kept: [FencingToken?]

    /// A draft of its parts, of equal length.
    public init(owners: [NodeID?], kept: [FencingToken?]) {
        precondition(owners.count == kept.count, "a draft of two lengths")
        self.owners = owners
        self.kept = kept
    }

    /// How many shards get a new token.
    public var movedCount: Int { kept.count { $0 == nil } }

    /// The map that this becomes.
    public func published(as version: FencingToken) -> ShardMap {
        ShardMap(
            version: version,
            entries: zip(owners, kept).map { .init(owner: $0, token: $1 ?? version) })
    }
}
