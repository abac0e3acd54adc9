public import CoordinatorCore

/// One master of the cluster.
public struct RedisMaster: Hashable, Sendable {
    /// Where it listens.
    public let endpoint: RedisEndpoint
    /// The slots it serves, ascending.
    public let slots: [ClosedRange<Int>]
    /// Replicas the cluster holds healthy for it.
    public let replicaCount: Int
    /// Redis's own id of the node; empty while only a redirection named it.
    public let redisNodeID: String

    /// Makes one from its parts.
    public init(
        endpoint: RedisEndpoint, slots: [ClosedRange<Int>], replicaCount: Int, redisNodeID: String
    ) {
        self.endpoint = endpoint
        self.slots = slots
        self.replicaCount = replicaCount
        self.redisNodeID = redisNodeID
    }

    /// How many slots it serves.
    public var slotCount: Int { slots.reduce(0) { $0 + $1.count } }

    /// True if it serves `slot`.
    public func serves(_ slot: HashSlot) -> Bool {
        slots.contains { $0.contains(Int(slot.rawValue)) }
    }
}

/// Which master serves which slots, as one server told it.
struct RedisTopology: Equatable {
    /// More masters than this are no cluster of ours: Redis itself advises against a thousand
    /// nodes.
    private static let maximumMasters = 4_096

    /// In the order of their first slots.
    let masters: [RedisMaster]

    var coveredSlots: Int { masters.reduce(0) { $0 + $1.slotCount } }

    var isComplete: Bool { coveredSlots == HashSlot.count }

    /// Reads `CLUSTER SHARDS`.
    ///
    /// - Parameter server: the server that answered; its host stands in where an entry has none.
    /// - Parameter usesTLS: takes the ports for TLS. A server has one, the other, or both, and a
    ///   client of one kind never goes to a port of the other.
    /// - Errors: nil when the reply has another shape.
    init?(shards reply: RedisValue, from server: RedisEndpoint, usesTLS: Bool = false) {
        let portName = usesTLS ? "tls-port" : "port"
        guard let shards = reply.items else { return nil }
        var masters: [RedisMaster] = []
        for shard in shards {
            guard let numbers = shard["slots"]?.items, let nodes = shard["nodes"]?.items,
                let slots = Self.ranges(numbers.map(\.int))
            else { return nil }
            if slots.isEmpty { continue }
            let candidates = nodes.filter { $0["role"]?.text == "master" }
            // After a failover the failed master may still be listed as one, with another health.
            let healthy = candidates.first { $0["health"]?.text == "online" }
            guard let node = healthy ?? candidates.first,
                let endpoint = Self.endpoint(ofShardNode: node, portName, server)
            else { continue }
            let replicas = nodes.count {
                $0["role"]?.text != "master" && $0["health"]?.text == "online"
            }
            masters.append(
                RedisMaster(
                    endpoint: endpoint, slots: slots, replicaCount: replicas,
                    redisNodeID: node["id"]?.text ?? ""))
        }
        self.init(checking: masters)
    }

    /// Reads `CLUSTER SLOTS`, for servers that do not know `CLUSTER SHARDS` (before Redis 7).
    init?(slots reply: RedisValue, from server: RedisEndpoint) {
        guard let entries = reply.items else { return nil }
        var order: [RedisEndpoint] = []
        var found: [RedisEndpoint: (slots: [ClosedRange<Int>], replicas: Int, id: String)] = [:]
        for entry in entries {
            guard let items = entry.items, items.count >= 3,
                let slots = Self.ranges([items[0].int, items[1].int]),
                let master = items[2].items, master.count >= 2,
                let port = master[1].int.flatMap({ UInt16(exactly: $0) }), port > 0
            else { return nil }
            let host = Self.host(master[0].text, nil, server)
            let endpoint = RedisEndpoint(host: host, port: port)
            if found[endpoint] == nil { order.append(endpoint) }
            let id = master.count > 2 ? master[2].text ?? "" : ""
            found[endpoint, default: ([], items.count - 3, id)].slots += slots
        }
        self.init(
            checking: order.compactMap { endpoint in
                found[endpoint].map {
                    RedisMaster(
                        endpoint: endpoint, slots: $0.slots, replicaCount: $0.replicas,
                        redisNodeID: $0.id)
                }
            })
    }

    private init?(checking masters: [RedisMaster]) {
        guard !masters.isEmpty, masters.count <= Self.maximumMasters else { return nil }
        self.masters = masters.sorted {
            ($0.slots.first?.lowerBound ?? 0) < ($1.slots.first?.lowerBound ?? 0)
        }
    }

    /// Pairs of first and last slot; nil when they are none.
    private static func ranges(_ numbers: [Int64?]) -> [ClosedRange<Int>]? {
        guard numbers.count.isMultiple(of: 2), numbers.count <= HashSlot.count * 2 else {
            return nil
        }
        var ranges: [ClosedRange<Int>] = []
        for index in stride(from: 0, to: numbers.count, by: 2) {
            guard let first = numbers[index], let last = numbers[index + 1], first >= 0,
                first <= last,
                last < Int64(HashSlot.count)
            else { return nil }
            ranges.append(Int(first)...Int(last))
        }
        return ranges.sorted { $0.lowerBound < $1.lowerBound }
    }

    private static func endpoint(
        ofShardNode node: RedisValue, _ portName: String, _ server: RedisEndpoint
    ) -> RedisEndpoint? {
        guard let port = node[portName]?.int.flatMap({ UInt16(exactly: $0) }), port > 0 else {
            return nil
        }
        return RedisEndpoint(
            host: host(node["endpoint"]?.text, node["ip"]?.text, server), port: port)
    }

    /// No host means the host that was asked, and so does "?", unless there is a number at least.
    private static func host(_ preferred: String?, _ number: String?, _ server: RedisEndpoint)
        -> String
    {
        if let preferred, !preferred.isEmpty, preferred != "?" { return preferred }
        if preferred == "?", let number, !number.isEmpty { return number }
        return server.host
    }
}
