import CoordinatorCore
import EventLoop
import RedisClient

/// Goes once through all windows of one shard, in bounded parts, and notes what looks wrong.
///
/// - Thread: loop only.
@LoopActor final class ShardAudit {
    typealias WindowName = PartsAudit.WindowName

    /// A record, or a window, to be looked at again by itself.
    struct Suspect: Sendable, Hashable {
        let shard: ShardID
        let tier: Tier
        let dimension: Dimension
        let window: Int64
        /// Nil where it is the window that is suspected.
        let id: RecordID?
        /// The views of all records of the window are suspected, not its being there.
        var isTotal = false
    }

    /// What one shard brings to the whole.
    struct Outcome: Sendable {
        let index: WindowIndex
        /// Pageviews or plays by window, in the order of `Dimension.counted`.
        var sums: [WindowName: [Int64]] = [:]
        var suspects: [Suspect] = []
        var dropped = 0
    }

    /// Members of sorted sets in memory at once; a single larger window is taken whole.
    private static let membersAtOnce: Int64 = 8_192
    /// Commands of a pipeline: far below what a lane takes.
    private static let commandsAtOnce = 4_096
    /// Suspicions kept of one shard: where more is wrong, these tell enough.
    private static let maximumSuspects = 500

    private let client: ShardClient
    private let now: Int64
    private var outcome = Outcome(
        index: WindowIndex(
            state: ShardState(shard: ShardID(rawValue: 0), fields: []), open: nil, windows: []))
    private var parts: PartsAudit
    private var samples: [RecordID: [Sample]] = [:]
    /// The views of all records in full windows of the dimension at work.
    private var totals: [WindowName: Int64] = [:]

    /// What a series must show.
    private struct Sample {
        let window: Int64
        let views: Int64
        let devices: Int64
    }

    init(_ client: ShardClient, now: Int64) {
        self.client = client
        self.now = now
        parts = PartsAudit(ladder: client.deployment.ladder, allowance: 0, now: now, expiries: [:])
    }

    private var ladder: Ladder { client.deployment.ladder }

    func run() async throws(ServiceError) -> Outcome {
        let index = try await client.index(from: .min, to: .max, now: now)
        outcome = Outcome(index: index)
        parts = PartsAudit(
            ladder: ladder, allowance: client.deployment.settings.outageAllowanceMilliseconds,
            now: now,
            expiries: try await client.expiries())
        for dimension in Dimension.counted {
            try await readTotals(dimension)
            try await sumBase(dimension)
            for tier in ladder.tiers.dropFirst() {
                samples.removeAll(keepingCapacity: true)
                try await compare(tier, dimension)
                try await compareSeries(tier, dimension)
            }
        }
        noteEmptyWindows()
        return outcome
    }

    // MARK: Suspicions

    private func suspect(_ tier: Tier, _ dimension: Dimension, _ window: Int64, _ id: RecordID?) {
        guard outcome.suspects.count < Self.maximumSuspects else {
            outcome.dropped += 1
            return
        }
        let suspect = Suspect(
            shard: client.shard, tier: tier, dimension: dimension, window: window, id: id)
        if outcome.suspects.last != suspect { outcome.suspects.append(suspect) }
    }

    /// A window is listed because something was counted in it.
    private func noteEmptyWindows() {
        for tier in ladder.tiers {
            for window in outcome.index.windows[tier.index]
            where !outcome.index.isOpen(tier, window) {
                let name = WindowName(tier: tier.index, start: window)
                let isEarly = tier.index > 0 && !outcome.index.isDone(tier, window)
                if isEarly || outcome.sums[name] == nil { suspect(tier, .website, window, nil) }
            }
        }
    }

    private func add(
        _ records: [(id: RecordID, views: Int64)], _ tier: Tier, _ dimension: Dimension,
        _ window: Int64
    ) {
        guard !records.isEmpty else { return }
        let sum = total(records, tier, window)
        outcome.sums[
            WindowName(tier: tier.index, start: window), default: ConservationAudit.none][
                dimension.row] &+= sum
    }

    // MARK: Windows

    private func readTotals(_ dimension: Dimension) async throws(ServiceError) {
        totals.removeAll(keepingCapacity: true)
        let index = outcome.index
        for tier in ladder.tiers {
            let windows = index.windows[tier.index]
            let found = try await client.totals(dimension, windows.map { (tier, $0) })
            for case (let window, .some(let total)) in zip(windows, found) {
                totals[WindowName(tier: tier.index, start: window)] = total
            }
        }
    }

    private func total(
        _ records: [(id: RecordID, views: Int64)], _ tier: Tier, _ window: Int64
    ) -> Int64 {
        totals[WindowName(tier: tier.index, start: window)]
            ?? records.reduce(0) { $0 &+ $1.views }
    }

    private func isFull(_ tier: Tier, _ window: Int64) -> Bool {
        totals[WindowName(tier: tier.index, start: window)] != nil
    }

    private func sizes(
        _ tier: Tier, _ dimension: Dimension, _ windows: [Int64]
    ) async throws(ServiceError) -> [Int64] {
        try await client.pipeline(
            windows.map {
                RedisCommand(
                    "ZCARD", .init(RedisKeys.pageviews(tier, dimension, client.tag, $0)),
                    isRepeatable: true)
            }
        ).map { $0.int ?? 0 }
    }

    private func range(_ tier: Tier, _ dimension: Dimension, _ window: Int64) -> RedisCommand {
        RedisCommand(
            "ZRANGE", .init(RedisKeys.pageviews(tier, dimension, client.tag, window)), "0", "-1",
            "WITHSCORES", isRepeatable: true)
    }

    private func sumBase(_ dimension: Dimension) async throws(ServiceError) {
        let base = ladder.base
        let windows = outcome.index.windows[0]
        let sizes = try await sizes(base, dimension, windows)
        for group in Figures.grouped(sizes, limit: Self.membersAtOnce) {
            let replies = try await client.pipeline(
                windows[group].map { range(base, dimension, $0) })
            for (window, reply) in zip(windows[group], replies) {
                add(reply.records, base, dimension, window)
            }
        }
    }

    private func compare(_ tier: Tier, _ dimension: Dimension) async throws(ServiceError) {
        let index = outcome.index
        let windows = index.windows[tier.index].filter {
            index.isDone(tier, $0) && !index.isOpen(tier, $0)
        }
        let below = ladder.tiers[tier.index - 1]
        let finer = index.windows[tier.index - 1]
        let own = try await sizes(tier, dimension, windows)
        let finerSizes = try await sizes(below, dimension, finer)
        let children = windows.map { window in
            finer.partitionPoint {
                $0 >= window
            }..<finer.partitionPoint { $0 >= tier.end(of: window) }
        }
        let costs = zip(own, children).map { $0 &+ finerSizes[$1].reduce(0, &+) }
        for group in Figures.grouped(costs, limit: Self.membersAtOnce) {
            var commands: [RedisCommand] = []
            for place in group {
                commands.append(range(tier, dimension, windows[place]))
                commands += finer[children[place]].map { range(below, dimension, $0) }
            }
            var replies = (try await client.pipeline(commands))[...]
            for place in group {
                let records = (replies.popFirst() ?? .null).records
                let parts = finer[children[place]].map {
                    ($0, (replies.popFirst() ?? .null).records)
                }
                try await compare(tier, dimension, windows[place], records, parts)
            }
        }
    }

    /// One window: its pageviews with the sum of its parts, its devices with their union.
    private func compare(
        _ tier: Tier, _ dimension: Dimension, _ window: Int64,
        _ records: [(id: RecordID, views: Int64)],
        _ parts: [(start: Int64, records: [(id: RecordID, views: Int64)])]
    ) async throws(ServiceError) {
        add(records, tier, dimension, window)
        var holding: [RecordID: (views: Int64, parts: [Int64])] = [:]
        let isComparable = self.parts.areComparable(tier, window, parts: parts.map(\.start))
        let below = ladder.tiers[tier.index - 1]
        if isFull(tier, window) || parts.contains(where: { isFull(below, $0.start) }) {
            // Counters of such windows have bounds of their own; what all records have is exact.
            let sum = parts.reduce(Int64(0)) { $0 &+ total($1.records, below, $1.start) }
            if isComparable, sum != total(records, tier, window) {
                outcome.suspects.append(
                    Suspect(
                        shard: client.shard, tier: tier, dimension: dimension, window: window,
                        id: nil, isTotal: true))
            }
            return
        }
        if isComparable {
            for part in parts {
                for record in part.records {
                    holding[record.id, default: (0, [])].views &+= record.views
                    holding[record.id]?.parts.append(part.start)
                }
            }
            for record in records where holding[record.id]?.views != record.views {
                suspect(tier, dimension, window, record.id)
            }
            if holding.count > records.count {
                let known = Set(records.map(\.id))
                for id in holding.keys where !known.contains(id) {
                    suspect(tier, dimension, window, id)
                }
            }
        }
        for start in stride(from: 0, to: records.count, by: Self.commandsAtOnce / 2) {
            let batch = records[start..<min(start + Self.commandsAtOnce / 2, records.count)]
            try await compareDevices(
                tier, dimension, window, Array(batch), isComparable ? holding : [:])
        }
    }

    private func compareDevices(
        _ tier: Tier, _ dimension: Dimension, _ window: Int64,
        _ records: [(id: RecordID, views: Int64)],
        _ holding: [RecordID: (views: Int64, parts: [Int64])]
    ) async throws(ServiceError) {
        let below = ladder.tiers[tier.index - 1]
        var commands = client.deviceCounts(tier, dimension, records.map { ($0.id, window) })
        let compared = records.indices.filter { holding[records[$0].id] != nil }
        commands += compared.map { place in
            client.deviceUnion(
                below, dimension, records[place].id, holding[records[place].id]?.parts ?? [])
        }
        let replies = try await client.pipeline(commands)
        for (place, reply) in zip(compared, replies[records.count...]) where reply != replies[place]
        {
            suspect(tier, dimension, window, records[place].id)
        }
        for (record, reply) in zip(records, replies) {
            samples[record.id, default: []].append(
                Sample(window: window, views: record.views, devices: reply.int ?? 0))
        }
    }

    // MARK: Series

    /// Every record's samples with what its windows hold.
    private func compareSeries(_ tier: Tier, _ dimension: Dimension) async throws(ServiceError) {
        let metrics: [Metric] = tier.index == 1 ? [.pageviews, .uniqueDevices] : [.uniqueDevices]
        // Some hundred samples each: the replies of so many fit a few MB.
        let batch = 256
        let ids = Array(samples.keys)
        for metric in metrics {
            for start in stride(from: 0, to: ids.count, by: batch) {
                let part = ids[start..<min(start + batch, ids.count)]
                let replies = try await client.answers(
                    part.map { id in
                        RedisCommand(
                            "TS.RANGE",
                            .init(RedisKeys.series(tier, dimension, client.tag, id, metric)),
                            .init(max(0, samples[id]?.first?.window ?? 0)), "+", isRepeatable: true)
                    })
                for (id, reply) in zip(part, replies) {
                    compare(tier, dimension, id, metric, reply)
                }
            }
        }
    }

    private func compare(
        _ tier: Tier, _ dimension: Dimension, _ id: RecordID, _ metric: Metric, _ reply: RedisValue
    ) {
        let points = Series.points(reply)
        let newest = points.last?.window ?? .max
        let shown = Dictionary(points.map { ($0.window, $0.value) }) { first, _ in first }
        for sample in samples[id] ?? [] {
            let expected = metric == .pageviews ? sample.views : sample.devices
            // A window that only devices without an id visited has no devices to show.
            let found = shown[sample.window] ?? (expected == 0 ? 0 : nil)
            // Records of a bounded deployment have series only while they are among the heaviest.
            if found == nil, client.deployment.settings.heaviest != nil { continue }
            if found == nil, SeriesAge.isTooOld(sample.window, newest: newest) { continue }
            if found != expected { suspect(tier, dimension, sample.window, id) }
        }
    }
}

/// What a series cannot show any more.
@LoopActor enum SeriesAge {
    /// Samples older than the series keeps, seen from its newest, were refused or are gone.
    static func isTooOld(_ window: Int64, newest: Int64) -> Bool {
        let retention = Deployment.seriesRetentionMilliseconds
        return newest != .max && window <= newest - retention
    }
}

extension ShardClient {
    /// When the shard's merged windows expire.
    func expiries() async throws(ServiceError) -> [PartsAudit.WindowName: Int64] {
        let reply = try await deployment.cluster.ask(
            ["ZRANGE", .init(RedisKeys.expiry(tag)), "0", "-1", "WITHSCORES"], slot: slot)
        let items = reply.items ?? []
        var expiries: [PartsAudit.WindowName: Int64] = [:]
        for index in stride(from: 0, to: items.count - 1, by: 2) {
            guard let member = items[index].text.flatMap(ShardState.window),
                let ends = items[index + 1].score
            else { continue }
            expiries[.init(tier: member.tier - 1, start: member.start)] = ends
        }
        return expiries
    }

    /// The number of devices in the union of some windows of one record.
    func deviceUnion(
        _ tier: Tier, _ dimension: Dimension, _ id: RecordID, _ windows: [Int64]
    ) -> RedisCommand {
        var writer = RedisCommandWriter(reserving: 16 + windows.count * 90)
        writer.append("PFCOUNT")
        for window in windows { writer.append(RedisKeys.devices(tier, dimension, tag, id, window)) }
        return writer.finish(isRepeatable: true)
    }

    /// Replies in order, errors of the server among them as values.
    func answers(_ commands: [RedisCommand]) async throws(ServiceError) -> [RedisValue] {
        do throws(RedisError) {
            return try await deployment.cluster.pipeline(commands, slot: slot, lane: .reading)
        } catch {
            throw .redis(error)
        }
    }
}
