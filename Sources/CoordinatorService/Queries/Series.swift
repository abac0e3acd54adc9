public import CoordinatorCore
public import EventLoop
import RedisClient

/// One figure of one record over time.
///
/// - Shape: pageviews are stored at the first merged tier only, sums of which give the coarser
///   ones; unique devices do not add up and are stored at every merged tier.
/// - Thread: loop only.
@LoopActor public struct Series {
    /// One window's figure.
    public struct Point: Sendable, Equatable {
        /// Start, ms.
        public let window: Int64
        public let value: Int64
    }

    /// Windows asked for at once: a year of five minutes, and a reply of some megabytes.
    public static let maximumPoints: Int64 = 105_120

    private let deployment: Deployment

    /// Series of a deployment.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// The samples of the windows in an interval, oldest first. A window without a sample has no
    /// views.
    ///
    /// Devices are shown as at most the pageviews, where those are known.
    ///
    /// - Errors: `.question` for the base tier, which has no series, and for too many windows.
    public func points(
        _ record: RecordReference, _ metric: Metric, _ interval: Interval
    ) async throws(ServiceError) -> Answer<[Point]> {
        let tier = interval.tier
        guard tier.index > 0 else {
            throw .question(
                "\(tier.name) has no series: \(deployment.ladder.tiers[1].name) is the finest")
        }
        guard interval.to > interval.from else { throw .question("--from must be before --to") }
        guard (interval.to - interval.from) / tier.lengthMilliseconds <= Self.maximumPoints else {
            throw .question(
                "that is more than \(Self.maximumPoints) windows of \(tier.name): "
                    + "choose a coarser --tier or a shorter time")
        }
        let client = ShardClient(deployment, deployment.layout.shard(of: record.id))
        let state = try await client.state()
        let views = try await samples(client, views(client, record, interval))
        var points = views
        if metric == .uniqueDevices {
            let key = RedisKeys.series(
                tier, record.dimension, client.tag, record.id, .uniqueDevices)
            let most = Dictionary(views.map { ($0.window, $0.value) }) { first, _ in first }
            points = try await samples(client, Self.range(key, interval)).map {
                Point(window: $0.window, value: min($0.value, most[$0.window] ?? $0.value))
            }
        }
        return Answer(
            interval: interval, isFinal: interval.to <= state.done[tier.name] ?? 0, missing: [],
            value: points)
    }

    private func views(
        _ client: ShardClient, _ record: RecordReference, _ interval: Interval
    ) -> [RedisArgument] {
        let key = RedisKeys.series(
            deployment.ladder.tiers[1], record.dimension, client.tag, record.id, .pageviews)
        let plain = Self.range(key, interval)
        guard interval.tier.index > 1 else { return plain }
        return plain + [
            "ALIGN", "0", "AGGREGATION", "sum", .init(interval.tier.lengthMilliseconds),
        ]
    }

    private static func range(_ key: String, _ interval: Interval) -> [RedisArgument] {
        ["TS.RANGE", .init(key), .init(max(0, interval.from)), .init(max(0, interval.to - 1))]
    }

    /// The samples of a series; none where there is no series.
    private func samples(
        _ client: ShardClient, _ command: [RedisArgument]
    ) async throws(ServiceError) -> [Point] {
        do throws(RedisError) {
            let reply = try await deployment.cluster.call(
                command, slot: client.slot, lane: .reading, isRepeatable: true)
            return Self.points(reply)
        } catch .server(_, let message, _) where message.contains("key does not exist") {
            return []
        } catch {
            throw .redis(error)
        }
    }

    /// Reads `[[time, value], …]`.
    nonisolated static func points(_ reply: RedisValue) -> [Point] {
        (reply.items ?? []).compactMap { sample in
            guard let pair = sample.items, pair.count == 2, let window = pair[0].int,
                let value = pair[1].score
            else { return nil }
            return Point(window: window, value: value)
        }
    }
}
