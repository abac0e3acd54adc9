public import CoordinatorCore
public import EventLoop
import RedisClient

/// One record's figures in one window.
public struct WindowRow: Sendable {
    public let tier: Tier
    public let dimension: Dimension
    public let id: RecordID
    public let name: String
    /// Start, ms.
    public let window: Int64
    public let pageviews: Int64
    public let devices: Int64
}

/// Every window there is, shard by shard, a bounded part at a time.
///
/// - Thread: loop only.
@LoopActor public struct Export {
    /// Which windows.
    public struct Selection: Sendable {
        public var tiers: [Tier]
        public var dimensions: [Dimension]
        /// Half-open, by the window's start, ms.
        public var from: Int64 = .min
        public var to: Int64 = .max

        public init(tiers: [Tier], dimensions: [Dimension]) {
            self.tiers = tiers
            self.dimensions = dimensions
        }
    }

    /// Rows that are in memory at once.
    private static let page = 500
    /// Names kept for the shard at work; a shard has some thousands of records.
    private static let maximumNames = 200_000

    private let deployment: Deployment
    private let figures: Figures

    public init(_ deployment: Deployment) {
        self.deployment = deployment
        figures = Figures(deployment)
    }

    /// Hands every row to `body`. Windows that are being merged are shown with what they will hold only
    /// once they are done; until then their parts are there.
    ///
    /// - Returns: what was not answered; the rows handed out are right, but not all.
    public func rows(
        _ selection: Selection, _ body: @LoopActor (WindowRow) -> Void
    ) async throws(ServiceError) -> [String] {
        let survey = try await deployment.survey()
        var missing = survey.missing
        for state in survey.started {
            do throws(ServiceError) {
                try await rows(of: state, selection, body)
            } catch {
                missing.append(error.description)
            }
        }
        return missing
    }

    private func rows(
        of state: ShardState, _ selection: Selection, _ body: @LoopActor (WindowRow) -> Void
    ) async throws(ServiceError) {
        let client = ShardClient(deployment, state.shard)
        for dimension in selection.dimensions {
            var names: [RecordID: String] = [:]
            for tier in selection.tiers {
                let windows = try await client.windows(of: tier, from: selection.from, to: selection.to)
                for window in windows {
                    let isOpen = state.open.map { $0.tier - 1 == tier.index && $0.start == window } ?? false
                    if isOpen { continue }
                    try await rows(client, tier, dimension, window, &names, body)
                }
            }
        }
    }

    private func rows(
        _ client: ShardClient, _ tier: Tier, _ dimension: Dimension, _ window: Int64,
        _ names: inout [RecordID: String], _ body: @LoopActor (WindowRow) -> Void
    ) async throws(ServiceError) {
        let counted = try await client.scores(tier, dimension, window)
        for start in stride(from: 0, to: counted.count, by: Self.page) {
            let part = counted[start..<min(start + Self.page, counted.count)]
            let unknown = part.map(\.id).filter { names[$0] == nil }
            if names.count > Self.maximumNames { names.removeAll() }
            let documents = try await figures.documents(dimension, unknown, client)
            for (id, document) in zip(unknown, documents) { names[id] = document?.name ?? "" }
            let devices = try await client.pipeline(
                part.map {
                    RedisCommand(
                        "PFCOUNT", .init(RedisKeys.devices(tier, dimension, client.tag, $0.id, window)),
                        isRepeatable: true)
                })
            for (record, devices) in zip(part, devices) {
                body(
                    WindowRow(
                        tier: tier, dimension: dimension, id: record.id, name: names[record.id] ?? "",
                        window: window, pageviews: record.views, devices: devices.int ?? 0))
            }
        }
    }
}

extension ShardClient {
    /// The windows of a tier that the shard holds, by start.
    func windows(of tier: Tier, from: Int64, to: Int64) async throws(ServiceError) -> [Int64] {
        let reply = try await deployment.cluster.ask(
            [
                "ZRANGE", .init(RedisKeys.windows(tier, tag)),
                .init(from == .min ? "-inf" : "\(from)"), .init(to == .max ? "+inf" : "(\(to)"), "BYSCORE",
            ], slot: slot)
        return (reply.items ?? []).compactMap { $0.text.flatMap(Int64.init) }
    }

    /// The pageviews of all records of a window.
    func scores(
        _ tier: Tier, _ dimension: Dimension, _ window: Int64
    ) async throws(ServiceError) -> [(id: RecordID, views: Int64)] {
        let reply = try await deployment.cluster.ask(
            ["ZRANGE", .init(RedisKeys.pageviews(tier, dimension, tag, window)), "0", "-1", "WITHSCORES"],
            slot: slot)
        let items = reply.items ?? []
        var scores: [(id: RecordID, views: Int64)] = []
        for index in stride(from: 0, to: items.count - 1, by: 2) {
            guard let id = items[index].text.flatMap({ RecordID(hex: $0) }),
                let score = items[index + 1].text.flatMap(Double.init)
            else { continue }
            scores.append((id, Int64(score)))
        }
        return scores
    }
}
