public import CoordinatorCore
import EventLoop
import RedisClient

/// Everything that `status` says, from Redis itself: it works with no leader and with dead nodes.
public struct StatusReport: Sendable {
    /// How the deployment is, as a whole.
    public enum State: String, Sendable { case healthy, degraded, down }

    /// The state, and why.
    public struct Health: Sendable {
        public let state: State
        /// One clause each; empty when healthy.
        public let reasons: [String]
    }

    public let survey: Survey
    /// What the control slot said.
    public let control: ControlReading
    public let tiers: [TierReport]
    public let sources: [SourceReport]
    /// Which master holds how many shards, by their first shard.
    public let masters: [MasterReport]
    public let health: Health
    /// Who owns which shard, by the map and by the shards' own slots.
    public let ownership: Ownership
    /// The first window that is rolled up, ms; what is earlier is folded into it and never late.
    public let start: Int64
    /// The search indexes of all masters.
    public let indexes: IndexSurvey
    /// What was not answered, one sentence each, without repetition.
    public let missing: [String]

    public var leader: LeaderReport? { control.leader }
    public var nodes: [NodeRecord] { control.nodes }
    /// All shards on one line.
    public var strip: ShardStrip { ShardStrip(ownership, nodes: nodes.map(\.id)) }
    /// Since when the map is in force, ms; nil before the first one.
    public var mappedAt: Int64? {
        ownership.version.map { Int64(clamping: $0.microseconds / 1_000) }
    }

    /// Looks at everything once, in as few round trips as there are dependences.
    @LoopActor public static func make(_ deployment: Deployment) async throws(ServiceError)
        -> StatusReport
    {
        enum Part: Sendable {
            case survey(Survey)
            case ends([SourceReport.End])
            case indexes(IndexSurvey)
        }
        let control = try await deployment.control()
        let parts = await gather(3) { part -> Part in
            switch part {
            case 0: .survey(await deployment.survey(now: control.now, withWindows: true))
            case 1: .ends(await SourceReport.ends(deployment, control.sources))
            default: .indexes(await IndexSurvey.make(deployment.cluster))
            }
        }
        guard case .survey(let survey) = parts[0], case .ends(let ends) = parts[1],
            case .indexes(let indexes) = parts[2]
        else {
            preconditionFailure("parts come in the order they were asked for")
        }
        let tiers = TierReport.all(deployment, survey, control.sources)
        let (sources, absences) = await SourceReport.all(deployment, survey, ends)
        let ownership = Ownership(control.map, survey, nodes: control.nodes)
        let missing = survey.missing + absences.filter { !survey.missing.contains($0) }
        return StatusReport(
            survey: survey, control: control, tiers: tiers, sources: sources,
            masters: MasterReport.all(deployment, survey),
            health: health(
                control, ownership, tiers, indexes, isPartial: !missing.isEmpty),
            ownership: ownership, start: deployment.start, indexes: indexes, missing: missing)
    }

    @LoopActor private static func health(
        _ control: ControlReading, _ ownership: Ownership, _ tiers: [TierReport],
        _ indexes: IndexSurvey, isPartial: Bool
    ) -> Health {
        var reasons: [String] = []
        if control.leader == nil {
            let able = control.live.count
            reasons.append(
                able == 0
                    ? "no leader: start a node with `coordinator run`"
                    : "no leader: \(able == 1 ? "one node is" : "\(able) nodes are") there, "
                        + "and one will take the lease")
        }
        if !ownership.orphaned.isEmpty {
            reasons.append("\(ownership.orphaned.count) shards without an owner")
        }
        if !ownership.moving.isEmpty {
            reasons.append("\(ownership.moving.count) shards change hands")
        }
        let lost = control.nodes.count { $0.state(now: control.now) == .lost }
        if lost > 0 { reasons.append("\(lost) \(lost == 1 ? "node" : "nodes") lost") }
        for name in control.unreadableNodes {
            reasons.append("node \(name) is of a version that cannot be read here")
        }
        for key in control.unreadableSources {
            reasons.append("source \(key) is of a version that cannot be read here")
        }
        for tier in control.orders.pausedTiers {
            reasons.append("\(tier) is paused: `coordinator resume \(tier)`")
        }
        if isPartial { reasons.append("some masters did not answer") }
        for tier in tiers where tier.tier.index > 0 && tier.isLate {
            reasons.append("\(tier.tier.name) is late")
        }
        reasons += indexes.concerns
        let isDown = control.leader == nil || isPartial
        return Health(
            state: isDown ? .down : reasons.isEmpty ? .healthy : .degraded, reasons: reasons)
    }
}

/// One master of the cluster, and the shards that lie on it.
public struct MasterReport: Sendable {
    /// Its address; nil for slots that no master is known for.
    public let endpoint: String?
    public let shards: Int
    /// How many of them answered.
    public let answered: Int

    @LoopActor static func all(_ deployment: Deployment, _ survey: Survey) -> [MasterReport] {
        var order: [String?] = []
        var counts: [String?: (shards: Int, answered: Int)] = [:]
        for (number, state) in survey.states.enumerated() {
            let endpoint = deployment.master(of: ShardID(rawValue: number))
            if counts[endpoint] == nil { order.append(endpoint) }
            counts[endpoint, default: (0, 0)].shards += 1
            if state != nil { counts[endpoint, default: (0, 0)].answered += 1 }
        }
        return order.map {
            MasterReport(
                endpoint: $0, shards: counts[$0]?.shards ?? 0, answered: counts[$0]?.answered ?? 0)
        }
    }
}

extension Deployment {
    /// The address of the master that a shard lies on, as last learnt.
    public func master(of shard: ShardID) -> String? {
        cluster.master(of: HashSlot(key: RedisKeys.shardState(layout.tag(of: shard))))
            .map { "\($0.endpoint)" }
    }
}

/// How far one tier is, over all shards.
public struct TierReport: Sendable {
    public let tier: Tier
    /// The end of the last window that every shard has sealed and merged, ms; for the base, up to
    /// where every shard holds every source.
    public let sealedTo: Int64?
    public let lagMilliseconds: Int64?
    /// The end of the last window that some shard has sealed and merged, ms; for the base, the same
    /// as of all.
    public let aheadTo: Int64?
    /// It is further behind than its length and grace explain.
    public let isLate: Bool
    /// Windows that are kept; nil when not all shards answered.
    public let windows: Int64?
    /// Shards that are merging a window of it now.
    public let open: Int

    /// A tier later than this beyond its length and grace is worth a word.
    private static let tolerableLagMilliseconds: Int64 = 60_000

    /// All tiers, finest first; of a survey with windows.
    @LoopActor public static func all(
        _ deployment: Deployment, _ survey: Survey, _ sources: [SourceRecord]
    ) -> [TierReport] {
        let read = survey.readTo(sources.filter { $0.confirmedAt == nil })
        return deployment.ladder.tiers.map { tier in
            let end = tier.index == 0 ? read : survey.doneTo(tier)
            let sealed = end.flatMap { $0 > 0 ? $0 : nil }
            let lag = sealed.map { max(0, survey.now - $0) }
            let window = tier.index == 0 ? 0 : tier.lengthMilliseconds
            let tolerated =
                window + deployment.settings.graceMilliseconds + tolerableLagMilliseconds
            return TierReport(
                tier: tier, sealedTo: sealed, lagMilliseconds: lag,
                aheadTo: tier.index == 0
                    ? sealed : survey.started.compactMap { $0.done[tier.name] }.max(),
                isLate: lag.map { $0 > tolerated } ?? false,
                windows: survey.windowCounts.map { Int64($0[tier.index]) },
                open: survey.started.count { $0.open?.tier == tier.index + 1 })
        }
    }
}

/// How far one source is, and its ledger.
public struct SourceReport: Sendable {
    public let record: SourceRecord
    /// Every shard holds everything up to here.
    public let readTo: StreamID?
    public let lastID: StreamID?
    /// Entries that some shard has still to get; nil when unknown.
    public let lag: Int64?
    public let read: Int64
    public let counted: Int64
    public let refused: [String: Int64]

    /// `live`, `open` (an import under way), `finished` (all written) or `settled` (all counted).
    public var state: String {
        switch record.kind {
        case .live: "live"
        case .import:
            record.isSettled || record.confirmedAt != nil
                ? "settled" : record.isFinished ? "finished" : "open"
        }
    }

    /// A source, and the last entry of its stream.
    typealias End = (record: SourceRecord, last: Result<StreamID?, ServiceError>)

    /// The ends of all streams, asked for at once.
    @LoopActor static func ends(
        _ deployment: Deployment, _ sources: [SourceRecord]
    ) async -> [End] {
        await gather(sources.count) { index -> End in
            let stream = SourceStream(deployment.cluster, sources[index])
            do throws(ServiceError) {
                return (sources[index], .success(try await stream.lastEntry()))
            } catch {
                return (sources[index], .failure(error))
            }
        }
    }

    /// All sources, by key, and what was not answered.
    @LoopActor public static func all(
        _ deployment: Deployment, _ survey: Survey, _ sources: [SourceRecord]
    ) async -> (reports: [SourceReport], missing: [String]) {
        await all(deployment, survey, await ends(deployment, sources))
    }

    @LoopActor static func all(
        _ deployment: Deployment, _ survey: Survey, _ ends: [End]
    ) async -> (reports: [SourceReport], missing: [String]) {
        let lags = await gather(ends.count) { index -> Result<Int64?, ServiceError> in
            do throws(ServiceError) {
                let (record, end) = ends[index]
                guard let last = try end.get() else { return .success(0) }
                guard let readTo = survey.watermark(of: record.key) else { return .success(nil) }
                guard readTo < last else { return .success(0) }
                let stream = SourceStream(deployment.cluster, record)
                return .success(try await stream.count(after: readTo))
            } catch {
                return .failure(error)
            }
        }
        var missing: [String] = []
        let reports = zip(ends, lags).map { end, lag in
            let ledger = survey.ledger(of: end.record.key)
            if case .failure(let error) = lag, !missing.contains(error.absence) {
                missing.append(error.absence)
            }
            return SourceReport(
                record: end.record, readTo: survey.watermark(of: end.record.key),
                lastID: known(end.last), lag: known(lag),
                read: ledger.read, counted: ledger.counted, refused: ledger.refused)
        }
        return (reports, missing)
    }

    private static func known<Value>(_ answer: Result<Value?, ServiceError>) -> Value? {
        guard case .success(let value) = answer else { return nil }
        return value
    }
}
