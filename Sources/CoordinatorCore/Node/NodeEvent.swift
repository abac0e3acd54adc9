/// Tells one request from all others of a node: a late answer is known by it, never by its timing.
public struct RequestID: Hashable, Sendable {
    /// The number.
    public let rawValue: UInt64

    /// A request by its number.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// What operators asked for, as the control slot holds it.
public struct NodeOrders: Hashable, Sendable {
    /// Names of nodes that are to have no shards.
    public var drained: Set<String> = []
    /// The term that is to end.
    public var stepDown: FencingToken?
    /// When somebody asked for balance at once, the last time: server time, ms.
    public var rebalance: Int64?

    /// No orders.
    public init() {}
}

/// What one heartbeat brought back, all from one moment.
public struct HeartbeatAnswer: Sendable {
    /// Server time, ms.
    public var serverTime: Int64
    /// The lease.
    public var lease: LeaseAnswer
    /// The version of the stored map; nil when there is none.
    public var mapVersion: FencingToken?
    /// The stored map, when it is another than the one the heartbeat showed.
    public var map: ShardMap?
    /// All nodes, when the heartbeat asked for them.
    public var nodes: [NodeReport]?
    /// What operators asked for.
    public var orders: NodeOrders

    /// An answer of its parts.
    public init(
        serverTime: Int64, lease: LeaseAnswer, mapVersion: FencingToken?, map: ShardMap?,
        nodes: [NodeReport]?, orders: NodeOrders = NodeOrders()
    ) {
        self.serverTime = serverTime
        self.lease = lease
        self.mapVersion = mapVersion
        self.map = map
        self.nodes = nodes
        self.orders = orders
    }
}

/// A fact told to a node's core.
///
/// Every request is answered by exactly one event that carries its id: its own, or `requestFailed`.
public enum NodeEvent: Sendable {
    /// Nothing but time.
    case timePassed
    /// A grant or a renewal was answered; `sentAt` is from before it was sent.
    case leaseAnswered(RequestID, sentAt: MonotonicInstant, LeaseAnswer)
    /// A heartbeat was answered.
    case heartbeatAnswered(RequestID, HeartbeatAnswer)
    /// Another start of the same name is registered.
    case superseded(RequestID)
    /// The tokens of shards were read; those that did not answer are missing.
    case tokensRead(RequestID, [ShardID: FencingToken])
    /// The map was published, with this version.
    case mapPublished(RequestID, version: FencingToken)
    /// The map was not published: the lease is another's.
    case publicationRefused(RequestID)
    /// The shard holds this node's token.
    case shardClaimed(RequestID)
    /// The shard holds a greater token.
    case claimRefused(RequestID, by: FencingToken)
    /// The node has been taken off the list.
    case left(RequestID)
    /// A request failed, or its outcome is unknown.
    case requestFailed(RequestID)
    /// A shard refused work that showed `shown`; it holds `by`, nil when it holds nothing.
    case shardFenced(ShardID, shown: FencingToken, by: FencingToken?)
    /// A shard holds no state any more.
    case shardEmptied(ShardID)
    /// Somebody wrote down that something happened.
    case woken
    /// Somebody wrote down that the lease is free.
    case leaseFreed
    /// The process is to end in an orderly way.
    case stopRequested
}

/// What a heartbeat says of its node.
public struct Heartbeat: Hashable, Sendable {
    /// The node leads, as far as it knows.
    public var isLeader: Bool
    /// The node is about to stop.
    public var isDraining: Bool
    /// The reports of all nodes are wanted.
    public var wantsNodes: Bool
    /// The map that the node has.
    public var mapVersion: FencingToken?
    /// Shards that refused the node, and the greater tokens they hold.
    public var refused: [ShardID: FencingToken]
}

/// An order from a node's core, to be carried out in the order given.
public enum NodeDirective: Sendable {
    /// Ask for the lease, with a token above one.
    case requestLease(RequestID, above: FencingToken?)
    /// Renew the lease.
    case renewLease(RequestID)
    /// Give the lease back and say so. No answer is awaited: who waits for the lease looks anyway.
    case releaseLease(FencingToken, reason: String)
    /// Say that the node is there.
    case sendHeartbeat(RequestID, Heartbeat)
    /// Read the tokens that shards hold.
    case readTokens(RequestID, [ShardID])
    /// Publish a map under a term, with a version above a token.
    case publishMap(
        RequestID, ShardMapDraft, term: FencingToken, above: FencingToken, reason: String)
    /// Claim a shard.
    case claimShard(RequestID, ShardID, FencingToken)
    /// Take the node off the list.
    case leave(RequestID)
    /// Work on a shard with this token, instead of an older one.
    case beginShard(ShardID, FencingToken)
    /// Work on a shard no more.
    case endShard(ShardID, reason: String)
    /// The node leads now; `expired` is the leader whose lease ended without a word.
    case beginLeading(FencingToken, expired: LeaseAnswer.Holder?)
    /// The node leads no more.
    case endLeading(FencingToken, reason: String)
    /// A node was found lost.
    case noteLost(NodeID)
    /// Another start of this name is registered: this one steps aside, and ends if that one lives.
    case noteSuperseded
    /// The lease lives longer than any grant: the server's clock was set back.
    case noteClockJump(Duration)
    /// The process is to end.
    case finish(FinishReason)
}

/// Why a node ends.
public enum FinishReason: Hashable, Sendable {
    /// It was asked to, and everything is handed over or nobody is there to take it.
    case stopped
    /// It was asked to, and others did not take all shards in time.
    case drainTimedOut
    /// A newer start of the same name took its place.
    case superseded
}
