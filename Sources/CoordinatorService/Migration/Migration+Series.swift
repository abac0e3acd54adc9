import CoordinatorCore
import RedisClient

/// The original's series into ours.
extension Migration {
    /// A window of ours may still get a sample from the original's next rotation, which comes a
    /// tier's length later, and some time more when its Redis is busy. ms.
    private static let lag: Int64 = 3_600_000
    /// Samples of one call of the script.
    private static let samplesPerCall = 500

    /// One series of the original's.
    private struct OriginalSeries {
        let key: String
        let tier: Tier
        let dimension: Dimension
        let id: String
        let metric: Metric
    }

    func takeSeries() async throws(ServiceError) {
        let now = try await deployment.serverTime()
        try await original.scan("TS:*") { keys throws(ServiceError) in
            for key in keys {
                guard let series = self.series(key) else { continue }
                guard let id = try await self.target(of: series) else { continue }
                try await self.take(series, as: id, now: now)
            }
        }
    }

    /// Takes the key apart; counts what this deployment has no place for.
    private func series(_ key: String) -> OriginalSeries? {
        let parts = key.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, !parts[3].hasPrefix("{") else { return nil }
        guard let dimension = Dimension(rawValue: parts[2]),
            Dimension.viewed.contains(dimension), let metric = Metric(rawValue: parts[5]),
            let tier = deployment.ladder.tiers.dropFirst().first(where: { $0.name == parts[1] }),
            metric == .uniqueDevices || (metric == .pageviews && tier.index == 1)
        else {
            summary.skip(.otherTier)
            return nil
        }
        return OriginalSeries(
            key: key, tier: tier, dimension: dimension, id: parts[3], metric: metric)
    }

    /// The record of ours that a series is of.
    private func target(of series: OriginalSeries) async throws(ServiceError) -> RecordID? {
        switch series.dimension {
        case .website: return only(websites[series.id])
        case .section: return only(sections[series.id])
        default:
            let key = "J::P:\(series.id)::"
            let reply = try await original.ask([key]) { ["JSON.GET", .init($0), "$.url"] }
            guard let url = reply.first.flatMap(OriginalPage.url) else {
                summary.skip(.unknownRecord)
                return nil
            }
            do throws(RefusalError) {
                return try deployment.rules.resolver.resolve("http://" + url).pageID
            } catch {
                summary.skip(.unknownRecord)
                return nil
            }
        }
    }

    private func only(_ found: Set<RecordID>?) -> RecordID? {
        guard let found, let id = found.first else {
            summary.skip(.unknownRecord)
            return nil
        }
        guard found.count == 1 else {
            summary.skip(.shared)
            return nil
        }
        return id
    }

    private func take(
        _ series: OriginalSeries, as id: RecordID, now: Int64
    ) async throws(ServiceError) {
        var keys = [series.key]
        if series.dimension == .page, let others = aliases[id] {
            // One page under several URLs: taken together, with the first of them.
            keys = others.sorted().map { id in
                "TS:\(series.tier.name):P:\(id)::\(series.metric.rawValue)"
            }
            let present = try await original.ask(keys) { ["EXISTS", .init($0)] }
            keys = zip(keys, present).filter { $0.1.int == 1 }.map(\.0)
            guard keys.first == series.key else { return }
        }
        let samples = try await samples(keys, series, now: now)
        summary.series += 1
        for start in stride(from: 0, to: samples.count, by: Self.samplesPerCall) {
            let some = samples[start..<min(start + Self.samplesPerCall, samples.count)]
            var packed = MessagePackWriter()
            packed.array(some.count * 2)
            for sample in some {
                packed.integer(sample.window)
                packed.integer(sample.value)
            }
            let reply = try await run(
                ScriptLibrary.migrateSeries, deployment.layout.shard(of: id),
                [
                    .init(deployment.packedSeries), .init(series.tier.name),
                    .init(series.dimension.rawValue), .init(id.hex),
                    .init(series.metric.rawValue), .init(packed.bytes),
                ])
            let counts = (reply.items ?? []).map { $0.int ?? 0 }
            guard counts.count == 3 else {
                throw .redis(.protocolViolation(endpoint: "migrate_series", reason: "reply"))
            }
            summary.samples.made += counts[0]
            summary.samples.unchanged += counts[1]
            summary.skip(.expired, counts[2])
        }
    }

    /// The samples by window of ours, oldest first.
    ///
    /// The original names a merged window by its last minute, and begins one at any minute. Several
    /// that fall into one of ours are added for pageviews; for devices the greatest stands, which
    /// the union is not below.
    private func samples(
        _ keys: [String], _ series: OriginalSeries, now: Int64
    ) async throws(ServiceError) -> [Series.Point] {
        let newest =
            try await original.ask(keys) { ["TS.GET", .init($0)] }
            .compactMap { $0.items?.first?.int }.max() ?? 0
        let oldest = max(0, newest - Deployment.seriesRetentionMilliseconds)
        let replies = try await original.ask(keys) { ["TS.RANGE", .init($0), .init(oldest), "+"] }
        let sizes = try await original.ask(keys) { ["TS.INFO", .init($0)] }
        let total = sizes.reduce(Int64(0)) { $0 + ($1["totalSamples"]?.int ?? 0) }
        var values: [Int64: Int64] = [:]
        var read: Int64 = 0
        for reply in replies {
            for point in Series.points(reply) {
                read += 1
                let window = series.tier.start(of: point.window)
                let end = series.tier.end(of: window)
                guard end <= newest || now - end >= series.tier.lengthMilliseconds + Self.lag else {
                    summary.skip(.openWindow)
                    continue
                }
                let held = values[window] ?? 0
                values[window] =
                    series.metric == .pageviews ? held + point.value : max(held, point.value)
            }
        }
        summary.skip(.expired, total - read)
        return values.sorted { $0.key < $1.key }.map {
            Series.Point(window: $0.key, value: $0.value)
        }
    }
}

extension OriginalPage {
    /// The URL of a reply of JSON.GET over `$.url` alone.
    fileprivate static func url(_ reply: RedisValue) -> String? {
        let text = RecordDocument.name(reply)
        return text.isEmpty ? nil : text
    }
}
