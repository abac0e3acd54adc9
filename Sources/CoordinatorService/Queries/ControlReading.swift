public import CoordinatorCore
import EventLoop
public import RedisClient

/// What the control slot says, all of it from one round trip.
///
/// - Not guaranteed: one moment. The commands run one after the other, and nodes go on meanwhile.
public struct ControlReading: Sendable {
    /// The clock of the control slot's master, ms.
    public let now: Int64
    /// The holder of the lease; nil when it is free.
    public let leader: LeaderReport?
    /// The nodes that are listed, by name.
    public let nodes: [NodeRecord]
    /// Names of nodes whose record cannot be read: they are of another version.
    public let unreadableNodes: [String]
    /// The shard map in force; nil before the first one.
    public let map: ShardMap?
    /// What operators asked for.
    public let orders: Orders
    /// All sources, by key.
    public let sources: [SourceRecord]
    /// Keys of sources whose record cannot be read: they are of another version.
    public let unreadableSources: [String]

    /// How a node is; one that an operator took out drains like one that stops.
    public func state(of node: NodeRecord) -> NodeRecord.State {
        let state = node.state(now: now)
        return state == .ready && orders.ofNodes.drained.contains(node.id.name) ? .draining : state
    }

    /// Whether a node should have been heard of by now: its heartbeat is late by half of its
    /// interval, or, of the leader, a renewal of the lease by half of its.
    ///
    /// - Not guaranteed: that it is gone. One slow answer of Redis looks the same for a moment;
    ///   only its time to live makes a node lost.
    public func isSilent(_ node: NodeRecord) -> Bool {
        if let every = node.heartbeatEveryMilliseconds, now - node.heartbeatAt > every * 3 / 2 {
            return true
        }
        guard let leader, leader.node == node.id.text, let lease = node.leaseMilliseconds,
            let renew = node.renewEveryMilliseconds
        else { return node.state(now: now) == .lost }
        return leader.leaseRemainingMilliseconds < lease - renew * 3 / 2
    }

    /// What somebody who watches waits for: it differs when a leader, a map or a node does.
    public var signs: String {
        let nodes = nodes.map { "\($0.id.text) \(state(of: $0)) \(isSilent($0))" }
        return "\(leader?.term ?? "-") \(map?.version.text ?? "-") \(nodes)"
    }

    /// `leader` for the holder of the lease, else `follower`, whatever a node says that is gone.
    public func role(of node: NodeRecord) -> String {
        leader?.node == node.id.text ? "leader" : "follower"
    }

    /// The shards that a node works on; of a lost one those that the map still gives it.
    public func shards(of node: NodeRecord) -> Int {
        guard node.state(now: now) == .lost else { return node.shards }
        return map?.count(of: node.id) ?? 0
    }

    /// The nodes that are there and may lead: who stops does not.
    public var live: [NodeRecord] { nodes.filter { $0.state(now: now) == .ready } }
}

extension Deployment {
    /// Reads everything that the control slot says.
    public func control() async throws(ServiceError) -> ControlReading {
        try await Self.control(cluster)
    }

    /// The same, of a deployment whose settings nobody read.
    public static func control(
        _ cluster: RedisCluster
    ) async throws(ServiceError) -> ControlReading {
        let replies: [RedisValue]
        do throws(RedisError) {
            replies = try await cluster.pipeline(
                [
                    RedisCommand("GET", .init(RedisKeys.lease), isRepeatable: true),
                    RedisCommand("PTTL", .init(RedisKeys.lease), isRepeatable: true),
                    RedisCommand("HGETALL", .init(RedisKeys.nodes), isRepeatable: true),
                    RedisCommand(
                        "HMGET", .init(RedisKeys.map), "version", "body", isRepeatable: true),
                    RedisCommand("HGETALL", .init(RedisKeys.orders), isRepeatable: true),
                    RedisCommand("HGETALL", .init(RedisKeys.sources), isRepeatable: true),
                    RedisCommand("TIME", isRepeatable: true),
                ], slot: Deployment.controlSlot)
            for reply in replies {
                guard let error = reply.serverError else { continue }
                throw .server(
                    code: error.code, message: error.message, endpoint: RedisKeys.lease)
            }
        } catch {
            throw .redis(error)
        }
        guard replies.count == 7 else {
            throw .redis(
                .protocolViolation(endpoint: RedisKeys.lease, reason: "seven replies expected"))
        }
        let nodes = NodeList(replies[2].items ?? [])
        let sources = SourceList(replies[5].items ?? [])
        return ControlReading(
            now: try Self.milliseconds(replies[6]),
            leader: LeaderReport(replies[0], remaining: replies[1]),
            nodes: nodes.records, unreadableNodes: nodes.unreadable,
            map: try Self.map(replies[3]), orders: Orders(replies[4].items ?? []),
            sources: sources.records, unreadableSources: sources.unreadable)
    }

    /// The map of a reply of HMGET version, body.
    static func map(_ reply: RedisValue) throws(ServiceError) -> ShardMap? {
        guard let items = reply.items, items.count == 2, let body = items[1].bytes,
            let version = items[0].text.flatMap({ FencingToken($0) })
        else { return nil }
        return try ShardMapText.decode(body, version: version)
    }
}

extension LeaderReport {
    /// The leader of a lease's value and its remaining life.
    init?(_ value: RedisValue, remaining: RedisValue) {
        guard let holder = value.text.flatMap(LeaseAnswer.Holder.init) else { return nil }
        self.init(
            node: holder.node.text, term: holder.token.text,
            since: Int64(clamping: holder.token.microseconds / 1_000),
            leaseRemainingMilliseconds: max(0, remaining.int ?? 0))
    }
}
