public import CoordinatorCore
public import EventLoop
import RedisClient

/// Makes merged windows again from the tier below, and then the coarser ones that are made of them.
///
/// What is written follows from what lies in the shard's slot, in the same step: it needs no owner,
/// and counting and rotation may go on meanwhile.
///
/// - Not guaranteed: anything about windows whose parts have expired; they are counted as that.
/// - Thread: loop only.
@LoopActor public struct Rebuild {
    /// Changes that are named one by one; the rest is only counted.
    public static let namedChanges = 1_000
    /// Records made again by one call: some ms of its master.
    static let batch = 24
    private static let concurrency = 4

    /// One record that is not what its parts say.
    public struct Change: Sendable {
        public let tier: Tier
        /// Start, ms.
        public let window: Int64
        public let shard: ShardID
        public let dimension: Dimension
        public let id: RecordID
        public let pageviewsBefore: Int64
        public let pageviewsAfter: Int64
        /// Nil where the key held something else.
        public let devicesBefore: Int64?
        public let devicesAfter: Int64
        /// Its series showed something else than the window will hold.
        public let seriesDiffered: Bool
    }

    /// A window of all shards together.
    public struct Window: Sendable, Hashable {
        public let tier: Tier
        /// Start, ms.
        public let start: Int64

        /// Tiers by their place in the ladder.
        public static func == (left: Window, right: Window) -> Bool {
            left.tier.index == right.tier.index && left.start == right.start
        }

        /// Feeds what `==` compares.
        public func hash(into hasher: inout Hasher) {
            hasher.combine(tier.index)
            hasher.combine(start)
        }
    }

    /// What was looked at, and what it changed or would change.
    public struct Report: Sendable {
        /// Records compared with their parts, by window; windows of which some shard had parts.
        public internal(set) var records: [Window: Int] = [:]
        /// How many of them differed.
        public internal(set) var changed: [Window: Int] = [:]
        /// Pageviews and plays after less before, each event once.
        public internal(set) var added: [Window: Int64] = [:]
        /// The first changes.
        public internal(set) var changes: [Change] = []
        /// Windows of a shard whose parts are not kept any more.
        public internal(set) var expired = 0
        /// Windows of a shard that are not merged yet.
        public internal(set) var unmerged = 0
        public internal(set) var missing: [String] = []

        /// All that differed.
        public var changedTotal: Int { changed.values.reduce(0, +) }
        /// All that were looked at.
        public var recordsTotal: Int { records.values.reduce(0, +) }
    }

    private let deployment: Deployment

    /// Rebuilds in a deployment.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// Collects from all shards.
    @LoopActor final class Collector {
        var report = Report()
        var shardsDone = 0

        func add(_ changes: [Change], of records: Int, in window: Window) {
            report.records[window, default: 0] += records
            guard !changes.isEmpty else { return }
            report.changed[window, default: 0] += changes.count
            for change in changes where change.dimension.isTallied {
                report.added[window, default: 0] += change.pageviewsAfter - change.pageviewsBefore
            }
            report.changes += changes.prefix(Rebuild.namedChanges - report.changes.count)
        }
    }

    /// Makes the windows of a tier that lie in a stretch again.
    ///
    /// - Errors: `.question` for the base, and for a deployment that counts within bounds.
    ///
    /// - Units: ms since 1970; windows that touch [from, to).
    /// - Parameters:
    ///   - tier: which tier's windows; not the base.
    ///   - from: the stretch's first moment.
    ///   - to: the moment after its last.
    ///   - writes: false only looks.
    ///   - tell: told how many shards are done.
    public func run(
        _ tier: Tier, from: Int64, to: Int64, writes: Bool,
        _ tell: @escaping @LoopActor (Int) -> Void
    ) async throws(ServiceError) -> Report {
        guard tier.index > 0 else {
            throw .question(
                "\(tier.name) is the base: it is counted from events, not made from other windows; "
                    + "\(deployment.ladder.tiers[1].name) is the finest that can be made again")
        }
        guard deployment.settings.heaviest == nil else {
            throw .question(
                "this deployment counts the heaviest records within bounds (--pageviews sketch): "
                    + "its windows hold less than their parts, and cannot be made of them again")
        }
        guard from < to else { throw .question("--from must be before --to") }
        let collector = Collector()
        let deployment = deployment
        let shards = deployment.layout.shards
        let failures = await gather(shards.count, limit: Self.concurrency) { place -> String? in
            let client = ShardClient(deployment, shards[place])
            do throws(ServiceError) {
                let work = ShardRebuild(client, collector, writes: writes)
                try await work.run(tier, from: from, to: to)
                collector.shardsDone += 1
                tell(collector.shardsDone)
                return nil
            } catch {
                return error.absence
            }
        }
        for case .some(let failure) in failures where !collector.report.missing.contains(failure) {
            collector.report.missing.append(failure)
        }
        return collector.report
    }
}
