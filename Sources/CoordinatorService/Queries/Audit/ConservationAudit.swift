import CoordinatorCore
import EventLoop
import RedisClient

/// In every window, pages, sections and websites have the same pageviews over all shards together.
/// Plays count in one dimension: nothing else has to be their sum.
///
/// Shards are read one after the other while events go on. Where sums differ they are read again
/// with the watermarks, what a shard has not taken yet is added from the streams, and only what
/// differs in the same way twice is accused.
///
/// - Thread: loop only.
@LoopActor struct ConservationAudit {
    typealias WindowName = PartsAudit.WindowName

    /// Windows looked at again: where more differ, these tell enough.
    private static let maximumWindows = 200

    private let audit: Audit
    private let now: Int64
    private var deployment: Deployment { audit.deployment }

    init(_ audit: Audit, now: Int64) {
        self.audit = audit
        self.now = now
    }

    /// Adds what the shards brought together up and compares it.
    func run(
        _ outcomes: [ShardAudit.Outcome], _ findings: inout Audit.Findings
    ) async throws(ServiceError) {
        var totals: [WindowName: [Int64]] = [:]
        for outcome in outcomes {
            totals.merge(outcome.sums) { zip($0, $1).map { $0 &+ $1 } }
        }
        findings.windows = totals.count
        guard outcomes.count == deployment.layout.count else {
            findings.notes.append("sums over all shards were not compared: some did not answer")
            return
        }
        let indexes = outcomes.map(\.index)
        var suspects = totals.filter { name, sums in
            Self.differ(sums) && isWhole(name, indexes)
        }.map(\.key).sorted { ($0.tier, $0.start) < ($1.tier, $1.start) }
        if suspects.count > Self.maximumWindows {
            findings.dropped += suspects.count - Self.maximumWindows
            suspects.removeLast(suspects.count - Self.maximumWindows)
        }
        try await confirm(suspects, &findings)
    }

    /// The sums of a window without events, in the order of `Dimension.counted`.
    static let none = Dimension.counted.map { _ in Int64(0) }

    private static func differ(_ sums: [Int64]) -> Bool {
        sums.prefix(Dimension.viewed.count).contains { $0 != sums[0] }
    }

    /// Every shard has merged the window and still has what it had of it.
    private func isWhole(_ name: WindowName, _ indexes: [WindowIndex]) -> Bool {
        let ladder = deployment.ladder
        let tier = ladder.tiers[name.tier]
        return indexes.allSatisfy { index in
            (tier.index == 0 || index.isDone(tier, name.start))
                && index.keeps(
                    tier, from: name.start, to: tier.end(of: name.start), ladder,
                    allowance: deployment.settings.outageAllowanceMilliseconds, now: now)
        }
    }

    private func confirm(
        _ suspects: [WindowName], _ findings: inout Audit.Findings
    ) async throws(ServiceError) {
        var left = suspects
        var before: [WindowName: [Int64]] = [:]
        for _ in 0..<Audit.rounds where !left.isEmpty {
            try await audit.rest()
            let survey = try await deployment.survey()
            let pending = try await SourceAudit(deployment).pending(survey)
            guard let pending else {
                findings.notes.append(
                    "sums over all shards were not compared: too much is still to be read by some")
                return
            }
            var sums = try await read(left)
            for name in left {
                let tier = deployment.ladder.tiers[name.tier]
                for (start, views) in pending.views where tier.start(of: start) == name.start {
                    sums[name] = zip(sums[name] ?? Self.none, views).map { $0 &+ $1 }
                }
            }
            let same = left.filter { sums[$0] == before[$0] }
            for name in same {
                findings.violations.append(violation(name, sums[name] ?? Self.none))
            }
            left.removeAll { !Self.differ(sums[$0] ?? Self.none) || same.contains($0) }
            before = sums
        }
        if !left.isEmpty {
            findings.notes.append(
                "\(left.count) windows changed while they were read and were not judged")
        }
    }

    private func violation(_ name: WindowName, _ sums: [Int64]) -> Violation {
        Violation(
            .conservation, tier: deployment.ladder.tiers[name.tier].name, window: name.start,
            "websites have \(sums[0]) pageviews, sections \(sums[1]), pages \(sums[2])")
    }

    private func read(_ names: [WindowName]) async throws(ServiceError) -> [WindowName: [Int64]] {
        let deployment = deployment
        let shards = deployment.layout.shards
        let replies = await gather(shards.count, limit: Figures.concurrency) {
            place -> Result<[Int64], ServiceError> in
            let client = ShardClient(deployment, shards[place])
            let windows = names.map { (tier: deployment.ladder.tiers[$0.tier], start: $0.start) }
            do throws(ServiceError) {
                var columns: [[Int64]] = []
                for dimension in Dimension.counted {
                    columns.append(try await client.sums(dimension, windows))
                }
                return .success(names.indices.flatMap { place in columns.map { $0[place] } })
            } catch {
                return .failure(error)
            }
        }
        var sums: [WindowName: [Int64]] = [:]
        for reply in replies {
            let shard = try reply.get()
            for (place, name) in names.enumerated() {
                let own = shard.dropFirst(place * Self.none.count)
                sums[name] = zip(sums[name] ?? Self.none, own).map { $0 &+ $1 }
            }
        }
        return sums
    }
}
