/// What a node says of itself in a heartbeat, as far as a leader decides by it.
public struct NodeReport: Hashable, Sendable {
    /// The node.
    public let id: NodeID
    /// Server time of the last heartbeat, ms.
    public let heartbeatAt: Int64
    /// Server time of the first heartbeat of this start, ms.
    public let joinedAt: Int64
    /// The start before this one, under the same name, ended without a farewell.
    public let followsLoss: Bool
    /// It is about to stop, and takes no shards.
    public let isDraining: Bool
    /// Its capacity, relative to that of others.
    public let weight: Int
    /// Shards that did not accept its claim or its work, and the greater token each one showed.
    public let refused: [ShardID: FencingToken]
    /// The version of the map that it has; nil before the first one.
    public let mapVersion: FencingToken?

    /// A report of its parts.
    public init(
        id: NodeID, heartbeatAt: Int64, joinedAt: Int64, followsLoss: Bool = false,
        isDraining: Bool = false, weight: Int = 1, refused: [ShardID: FencingToken] = [:],
        mapVersion: FencingToken? = nil
    ) {
        self.id = id
        self.heartbeatAt = heartbeatAt
        self.joinedAt = joinedAt
        self.followsLoss = followsLoss
        self.isDraining = isDraining
        self.weight = weight
        self.refused = refused
        self.mapVersion = mapVersion
    }
}
