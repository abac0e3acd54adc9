public import CoordinatorCore
public import EventLoop
import RedisClient

/// The series of many records at once: those of a dimension, within a website or section.
///
/// Every master knows the labels of its own series and is asked by itself; what one does not answer
/// is missing and said so. Where pages have no labels (`--series-labels compact`) those with most
/// pageviews stand for all.
///
/// - Thread: loop only.
@LoopActor public struct SeriesGroup {
    /// More series are summed up in no time that somebody would wait for.
    public static let mostSeries = 20_000
    /// Commands of a pipeline, and shards and records read at once.
    private static let batch = 256
    private static let concurrency = 8

    /// One record's series.
    public struct Line: Sendable {
        public let record: RecordReference
        /// Pageviews: their sum. Devices do not add up: the highest of a window.
        public let figure: Int64
        public internal(set) var points: [Series.Point]
    }

    /// The lines with the greatest figures, and how many there are in all.
    public struct Lines: Sendable {
        public let lines: [Line]
        /// Nil where that was not looked for.
        public let found: Int?
    }

    private let deployment: Deployment

    /// Series of a deployment.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// The records with the greatest figures over an interval, the greatest first.
    ///
    /// - Errors: `.question` for the base tier, too many windows, and more than `mostSeries`.
    public func lines(
        of dimension: Dimension, _ filter: Figures.Filter, _ metric: Metric, _ interval: Interval,
        count: Int
    ) async throws(ServiceError) -> Answer<Lines> {
        var missing: [String] = []
        var chosen: [Line]
        var found: Int?
        if deployment.settings.hasSeriesLabels(dimension) {
            var records = try await labelled(dimension, filter, metric, interval.tier, &missing)
            guard records.count <= Self.mostSeries else {
                throw .question(
                    "that is \(records.count) series, and \(Self.mostSeries) are the most at once: "
                        + "name a --section, or take `top`")
            }
            records.sort()
            found = records.count
            chosen = try await greatest(records, dimension, metric, interval, count, &missing)
        } else {
            let top = try await Figures(deployment).top(
                dimension, interval, filter: filter, by: .pageviews, count: count)
            missing = top.missing
            chosen = top.value.map { row in
                let name = row.name.isEmpty ? row.id.hex : row.name
                return Line(
                    record: RecordReference(dimension: dimension, id: row.id, name: name),
                    figure: row.pageviews, points: [])
            }
        }
        let isFinal = try await fill(&chosen, metric, interval, &missing)
        return Answer(
            interval: interval, isFinal: isFinal && missing.isEmpty, missing: missing,
            value: Lines(lines: chosen, found: found))
    }

    // MARK: Finding

    /// The ids of the series that every master finds by their labels.
    private func labelled(
        _ dimension: Dimension, _ filter: Figures.Filter, _ metric: Metric, _ tier: Tier,
        _ missing: inout [String]
    ) async throws(ServiceError) -> [RecordID] {
        let shown = metric == .pageviews ? deployment.ladder.tiers[1] : tier
        var words: [RedisArgument] = [
            "TS.QUERYINDEX", .init("ts_name=\(shown.name)"),
            .init("dimension=\(dimension.rawValue)"), .init("M=\(metric.rawValue)"),
        ]
        if let website = filter.website { words.append(.init("website_id=\(website.hex)")) }
        if let section = filter.section { words.append(.init("section_id=\(section.id.hex)")) }
        let command = words
        let masters = deployment.cluster.masters
        let cluster = deployment.cluster
        let replies = await gather(masters.count) { place -> Result<RedisValue, ServiceError> in
            do throws(RedisError) {
                return .success(
                    try await cluster.call(
                        command, on: masters[place].endpoint, isRepeatable: true))
            } catch {
                return .failure(.redis(error))
            }
        }
        var ids: Set<RecordID> = []
        for reply in replies {
            switch reply {
            case .success(let value): for key in value.items ?? [] { ids.formUnion(own(key)) }
            case .failure(let error):
                if !missing.contains(error.absence) { missing.append(error.absence) }
            }
        }
        return Array(ids)
    }

    /// The id of a series' key, where it is one of ours: another program may use the same labels.
    private func own(_ key: RedisValue) -> [RecordID] {
        guard let text = key.text, let open = text.firstIndex(of: "{"),
            let end = text[open...].firstIndex(of: "}"),
            let id = RecordID(hex: String(text[text.index(after: end)...].prefix { $0 != ":" }))
        else { return [] }
        let tag = deployment.layout.tag(of: deployment.layout.shard(of: id))
        return text[text.index(after: open)..<end] == tag ? [id] : []
    }

    // MARK: Choosing

    private func greatest(
        _ ids: [RecordID], _ dimension: Dimension, _ metric: Metric, _ interval: Interval,
        _ count: Int, _ missing: inout [String]
    ) async throws(ServiceError) -> [Line] {
        let layout = deployment.layout
        let shards = Dictionary(grouping: ids) { layout.shard(of: $0) }.sorted { $0.key < $1.key }
        let deployment = deployment
        let replies = await gather(shards.count, limit: Self.concurrency) {
            place -> Result<[(RecordID, Int64)], ServiceError> in
            let client = ShardClient(deployment, shards[place].key)
            do throws(ServiceError) {
                return .success(
                    try await Self.figures(
                        client, shards[place].value, dimension, metric, interval))
            } catch {
                return .failure(error)
            }
        }
        var figures: [(id: RecordID, figure: Int64)] = []
        for reply in replies {
            switch reply {
            case .success(let some): figures += some.map { (id: $0.0, figure: $0.1) }
            case .failure(let error):
                if !missing.contains(error.absence) { missing.append(error.absence) }
            }
        }
        figures.sort { $0.figure == $1.figure ? $0.id < $1.id : $0.figure > $1.figure }
        return figures.prefix(count).map {
            Line(
                record: RecordReference(dimension: dimension, id: $0.id, name: $0.id.hex),
                figure: $0.figure, points: [])
        }
    }

    /// One number of each series; those without a sample in the interval are left out.
    private static func figures(
        _ client: ShardClient, _ ids: [RecordID], _ dimension: Dimension, _ metric: Metric,
        _ interval: Interval
    ) async throws(ServiceError) -> [(RecordID, Int64)] {
        let tiers = client.deployment.ladder.tiers
        let tier = metric == .pageviews ? tiers[1] : interval.tier
        var figures: [(RecordID, Int64)] = []
        for batch in ids.chunks(of: Self.batch) {
            let replies = try await client.answers(
                batch.map { id in
                    RedisCommand(
                        "TS.RANGE",
                        .init(RedisKeys.series(tier, dimension, client.tag, id, metric)),
                        .init(max(0, interval.from)), .init(max(0, interval.to - 1)), "ALIGN", "-",
                        "AGGREGATION", metric == .pageviews ? "sum" : "max",
                        .init(interval.to - interval.from), isRepeatable: true)
                })
            for (id, reply) in zip(batch, replies) {
                if let figure = Series.points(reply).first?.value { figures.append((id, figure)) }
            }
        }
        return figures
    }

    // MARK: Filling

    /// Reads the points and names of the lines.
    ///
    /// - Returns: whether all of it is final.
    private func fill(
        _ lines: inout [Line], _ metric: Metric, _ interval: Interval, _ missing: inout [String]
    ) async throws(ServiceError) -> Bool {
        let asked = lines
        let deployment = deployment
        let replies = await gather(asked.count, limit: Self.concurrency) {
            place -> Result<(Answer<[Series.Point]>, String), ServiceError> in
            let record = asked[place].record
            do throws(ServiceError) {
                let answer = try await Series(deployment).points(record, metric, interval)
                return .success((answer, try await Self.name(record, deployment)))
            } catch {
                return .failure(error)
            }
        }
        var filled: [Line] = []
        var isFinal = true
        for (line, reply) in zip(asked, replies) {
            switch reply {
            case .success(let (answer, name)):
                isFinal = isFinal && answer.isFinal
                let record = RecordReference(
                    dimension: line.record.dimension, id: line.record.id,
                    name: name.isEmpty ? line.record.name : name)
                filled.append(Line(record: record, figure: line.figure, points: answer.value))
            case .failure(.question(let text)): throw .question(text)
            case .failure(let error):
                if !missing.contains(error.absence) { missing.append(error.absence) }
            }
        }
        lines = filled
        return isFinal
    }

    private static func name(
        _ record: RecordReference, _ deployment: Deployment
    ) async throws(ServiceError) -> String {
        let client = ShardClient(deployment, deployment.layout.shard(of: record.id))
        let key = RedisKeys.document(record.dimension, client.tag, record.id)
        let replies = try await client.answers([
            RedisCommand(
                "JSON.GET", .init(key), .init(RecordDocument.namePath(record.dimension)),
                isRepeatable: true)
        ])
        return replies.first.map(RecordDocument.name) ?? ""
    }
}
