public import CoordinatorCore
public import EventLoop
public import RedisClient

/// Everything that Redis holds of one record, and where.
public struct RecordView: Sendable {
    /// One key that exists.
    public struct Key: Sendable {
        public let key: String
        public let type: String
        /// ms; nil without an expiry.
        public let remainingMilliseconds: Int64?
        /// The tier and window it belongs to; nil for keys of the whole record.
        public let tier: Tier?
        public let window: Int64?
    }

    public let record: RecordReference
    public let place: RecordPlace
    /// The document as JSON text; nil where there is none.
    public let document: String?
    public let keys: [Key]
    /// The newest visit that waits to be written to the document, ms.
    public let waitingVisit: Int64?
    /// Windows in which the record has pageviews, by tier, oldest first.
    public let windows: [(tier: Tier, starts: [Int64])]

    public var isEmpty: Bool {
        document == nil && keys.isEmpty && windows.allSatisfy { $0.starts.isEmpty }
    }

    /// Looks at one record.
    @LoopActor public static func make(
        _ deployment: Deployment, _ record: RecordReference
    ) async throws(ServiceError) -> RecordView {
        let place = RecordPlace(record.id, deployment.layout, deployment.cluster)
        let client = ShardClient(deployment, place.shard)
        let now = try await deployment.serverTime()
        let index = try await client.index(from: .min, to: .max, now: now)
        let document = RedisKeys.document(record.dimension, client.tag, record.id)
        let fixed = try await client.pipeline([
            RedisCommand(
                "ZSCORE", .init(RedisKeys.visits(client.tag)),
                .init(record.dimension.rawValue + record.id.hex), isRepeatable: true)
        ])
        return RecordView(
            record: record, place: place, document: try await text(client, document),
            keys: try await keys(client, record, index), waitingVisit: fixed[0].score,
            windows: try await windows(client, record, index))
    }

    @LoopActor private static func text(
        _ client: ShardClient, _ key: String
    ) async throws(ServiceError) -> String? {
        try await client.deployment.cluster.ask(["JSON.GET", .init(key)], slot: client.slot).text
    }

    @LoopActor private static func windows(
        _ client: ShardClient, _ record: RecordReference, _ index: WindowIndex
    ) async throws(ServiceError) -> [(tier: Tier, starts: [Int64])] {
        var found: [(tier: Tier, starts: [Int64])] = []
        for tier in client.deployment.ladder.tiers {
            let starts = index.windows[tier.index]
            let scores = try await client.pipeline(
                starts.map {
                    RedisCommand(
                        "ZSCORE",
                        .init(RedisKeys.pageviews(tier, record.dimension, client.tag, $0)),
                        .init(record.id.hex), isRepeatable: true)
                })
            found.append((tier, zip(starts, scores).filter { !$0.1.isNull }.map(\.0)))
        }
        return found
    }

    @LoopActor private static func keys(
        _ client: ShardClient, _ record: RecordReference, _ index: WindowIndex
    ) async throws(ServiceError) -> [Key] {
        let candidates = candidates(client, record, index)
        let replies = try await client.pipeline(
            candidates.flatMap {
                [
                    RedisCommand("TYPE", .init($0.key), isRepeatable: true),
                    RedisCommand("PTTL", .init($0.key), isRepeatable: true),
                ]
            })
        var keys: [Key] = []
        for (place, candidate) in candidates.enumerated() {
            guard let type = replies[place * 2].text, type != "none" else { continue }
            let remaining = replies[place * 2 + 1].int ?? -1
            keys.append(
                Key(
                    key: candidate.key, type: type,
                    remainingMilliseconds: remaining < 0 ? nil : remaining,
                    tier: candidate.tier, window: candidate.window))
        }
        return keys
    }

    @LoopActor private static func candidates(
        _ client: ShardClient, _ record: RecordReference, _ index: WindowIndex
    ) -> [(key: String, tier: Tier?, window: Int64?)] {
        let tag = client.tag
        let dimension = record.dimension
        let id = record.id
        let tiers = client.deployment.ladder.tiers
        var keys: [(key: String, tier: Tier?, window: Int64?)] = [
            (RedisKeys.document(dimension, tag, id), nil, nil)
        ]
        if dimension == .website { keys.append((RedisKeys.latest(.section, tag, id), nil, nil)) }
        if dimension == .website || dimension == .section {
            keys.append((RedisKeys.latest(.page, tag, id), nil, nil))
        }
        keys.append((RedisKeys.series(tiers[1], dimension, tag, id, .pageviews), nil, nil))
        for tier in tiers.dropFirst() {
            keys.append((RedisKeys.series(tier, dimension, tag, id, .uniqueDevices), nil, nil))
        }
        for tier in tiers {
            for window in index.windows[tier.index] {
                keys.append((RedisKeys.devices(tier, dimension, tag, id, window), tier, window))
            }
        }
        return keys
    }
}

/// Where a record's keys lie.
public struct RecordPlace: Sendable {
    public let shard: ShardID
    public let tag: String
    /// The slot of the record's own id, by which its shard is found.
    public let recordSlot: HashSlot
    /// The one slot that all keys of the shard are in.
    public let slot: HashSlot
    /// Nil where no cluster is known.
    public let master: RedisEndpoint?

    /// The place by the layout; the master by what the client last saw.
    @LoopActor public init(_ id: RecordID, _ layout: ShardLayout, _ cluster: RedisCluster?) {
        recordSlot = HashSlot(record: id)
        shard = layout.shard(of: id)
        tag = layout.tag(of: shard)
        slot = HashSlot(key: RedisKeys.shardState(tag))
        master = cluster?.master(of: slot)?.endpoint
    }
}
