public import CoordinatorCore
public import EventLoop
import RedisClient

/// One record's figures in one window.
public struct WindowRow: Sendable {
    public let tier: Tier
    public let dimension: Dimension
    public let id: RecordID
    /// A page's URL, else the name; empty where there is no document.
    public let name: String
    /// Start, ms.
    public let window: Int64
    public let pageviews: Int64
    /// By how much `pageviews` may be too many; nil in deployments that count exactly.
    public let pageviewsError: Int64?
    /// As PFCOUNT gives them: not clamped, so that they can be compared.
    public let devices: Int64
    /// Whether it is sealed in its shard; a late event may still revise it.
    public let isFinal: Bool
}

/// Every window there is, several shards at a time, each in order and in bounded parts.
///
/// - Not guaranteed: one moment. Rows of a running deployment are each right when they are read.
/// - Thread: loop only.
@LoopActor public struct Export {
    /// Which windows.
    public struct Selection: Sendable {
        public var tiers: [Tier]
        public var dimensions: [Dimension]
        /// Half-open, by the window's start, ms.
        public var from: Int64 = .min
        public var to: Int64 = .max

        /// All windows of some tiers and dimensions.
        public init(tiers: [Tier], dimensions: [Dimension]) {
            self.tiers = tiers
            self.dimensions = dimensions
        }
    }

    /// Shards read at once: while one waits for its devices the next one's are counted.
    private static let concurrency = 6
    /// Rows of a shard that are in memory at once; a single larger window is cut by `deviceBatch`.
    private static let rowsAtOnce: Int64 = 4_096
    /// Commands of a pipeline: far below what a lane takes.
    private static let deviceBatch = 4_096
    /// Names kept of the shard at work; a shard has some thousands of records.
    private static let maximumNames = 100_000

    private let deployment: Deployment

    /// An export of a deployment; it only reads.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// Hands every row to `body`. A window that is being merged is shown once it is done; until
    /// then its parts are there.
    ///
    /// - Parameters:
    ///   - selection: which windows.
    ///   - isWanted: asked now and then; false ends the export early.
    ///   - body: is given each row.
    /// - Returns: what was not answered; the rows handed out are right, but not all.
    public func rows(
        _ selection: Selection, while isWanted: @escaping @LoopActor () -> Bool = { true },
        _ body: @escaping @LoopActor (WindowRow) -> Void
    ) async throws(ServiceError) -> [String] {
        let now = try await deployment.serverTime()
        let shards = deployment.layout.shards
        let failures = await gather(shards.count, limit: Self.concurrency) { place -> String? in
            let part = ShardExport(
                client: ShardClient(self.deployment, shards[place]), selection: selection,
                isWanted: isWanted, body: body)
            do throws(ServiceError) {
                try await part.run(now)
                return nil
            } catch {
                return error.absence
            }
        }
        var missing: [String] = []
        for case .some(let failure) in failures where !missing.contains(failure) {
            missing.append(failure)
        }
        return missing
    }

    /// The export of one shard.
    @LoopActor private final class ShardExport {
        private let client: ShardClient
        private let selection: Selection
        private let isWanted: @LoopActor () -> Bool
        private let body: @LoopActor (WindowRow) -> Void
        private var names: [RecordID: String] = [:]
        /// Until when the base is sealed, ms.
        private var baseSealed: Int64 = .min

        init(
            client: ShardClient, selection: Selection, isWanted: @escaping @LoopActor () -> Bool,
            body: @escaping @LoopActor (WindowRow) -> Void
        ) {
            self.client = client
            self.selection = selection
            self.isWanted = isWanted
            self.body = body
        }

        func run(_ now: Int64) async throws(ServiceError) {
            let index = try await client.index(from: selection.from, to: selection.to, now: now)
            let ladder = client.deployment.ladder
            baseSealed =
                ladder.tiers.dropFirst().first.flatMap { index.state.sealed[$0.name] } ?? .min
            for dimension in selection.dimensions {
                names.removeAll(keepingCapacity: true)
                for tier in selection.tiers {
                    let windows = index.windows[tier.index].filter { !index.isOpen(tier, $0) }
                    try await rows(tier, dimension, windows)
                }
            }
        }

        private typealias Row = (window: Int64, id: RecordID, views: Int64, error: Int64)

        private func rows(
            _ tier: Tier, _ dimension: Dimension, _ windows: [Int64]
        ) async throws(ServiceError) {
            let keys = windows.map { RedisKeys.pageviews(tier, dimension, client.tag, $0) }
            let sizes = try await client.pipeline(
                keys.map { RedisCommand("ZCARD", .init($0), isRepeatable: true) }
            ).map { $0.int ?? 0 }
            for group in Figures.grouped(sizes, limit: Export.rowsAtOnce) where isWanted() {
                let replies = try await client.pipeline(
                    keys[group].map {
                        RedisCommand(
                            "ZRANGE", .init($0), "0", "-1", "WITHSCORES", isRepeatable: true)
                    })
                let bounds = try await client.bounds(tier, dimension, Array(windows[group]))
                var rows: [Row] = []
                for (place, (window, reply)) in zip(windows[group], replies).enumerated() {
                    rows += reply.records.map {
                        (window, $0.id, $0.views, bounds[place]?.errors[$0.id] ?? 0)
                    }
                }
                for start in stride(from: 0, to: rows.count, by: Export.deviceBatch)
                where isWanted() {
                    let part = rows[start..<min(start + Export.deviceBatch, rows.count)]
                    try await hand(part, tier, dimension)
                }
            }
        }

        private func hand(
            _ rows: ArraySlice<Row>, _ tier: Tier,
            _ dimension: Dimension
        ) async throws(ServiceError) {
            try await learnNames(Set(rows.map(\.id)).filter { names[$0] == nil }, dimension)
            let counts = try await client.pipeline(
                client.deviceCounts(tier, dimension, rows.map { ($0.id, $0.window) }))
            let isExact = client.deployment.settings.heaviest == nil
            for (row, devices) in zip(rows, counts) {
                body(
                    WindowRow(
                        tier: tier, dimension: dimension, id: row.id, name: names[row.id] ?? "",
                        window: row.window, pageviews: row.views,
                        pageviewsError: isExact ? nil : row.error, devices: devices.int ?? 0,
                        // Merged windows are exported when they are done, those of the base as
                        // they are.
                        isFinal: tier.index > 0 || tier.end(of: row.window) <= baseSealed))
            }
        }

        private func learnNames(
            _ unknown: Set<RecordID>, _ dimension: Dimension
        ) async throws(ServiceError) {
            guard !unknown.isEmpty else { return }
            // Those of the rows at work are asked for again when they were dropped just now.
            if names.count > Export.maximumNames { names.removeAll(keepingCapacity: true) }
            let ids = Array(unknown)
            let replies = try await client.pipeline(
                ids.map {
                    RedisCommand(
                        "JSON.GET", .init(RedisKeys.document(dimension, client.tag, $0)),
                        .init(RecordDocument.namePath(dimension)), isRepeatable: true)
                })
            for (id, reply) in zip(ids, replies) { names[id] = RecordDocument.name(reply) }
        }
    }
}

extension ShardClient {
    /// A PFCOUNT for each (record, window) of one tier. Keys of one window differ in the id alone,
    /// which is written into the bytes of the key before: there are hundreds of thousands of them.
    func deviceCounts(
        _ tier: Tier, _ dimension: Dimension, _ records: [(id: RecordID, window: Int64)]
    ) -> [RedisCommand] {
        var window: Int64?
        var key: [UInt8] = []
        var place = 0..<0
        var digits: [UInt8] = []
        return records.map { record in
            if window != record.window {
                window = record.window
                key = Array(RedisKeys.devices(tier, dimension, tag, record.id, record.window).utf8)
                let first = (key.firstIndex(of: UInt8(ascii: "}")) ?? 0) + 1
                place = first..<first + RecordID.hexLength
            }
            digits.removeAll(keepingCapacity: true)
            record.id.appendHex(to: &digits)
            key.replaceSubrange(place, with: digits)
            var writer = RedisCommandWriter(reserving: 40 + key.count)
            writer.append("PFCOUNT")
            writer.append(key)
            return writer.finish(isRepeatable: true)
        }
    }
}
