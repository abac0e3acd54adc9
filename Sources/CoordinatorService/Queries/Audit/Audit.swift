import CoordinatorCore
public import EventLoop
import RedisClient

/// Checks that what must hold in a deployment does: conservation in every kept window, the ledger
/// of every source, owners, tokens, progress and watermarks of every shard.
///
/// Nothing is stopped for it, so what looks wrong may only have been read at two moments. It is
/// read again, and accused only when it is wrong each time.
///
/// - Not guaranteed: that windows which expired naturally before an import, and were made again by
///   its late events, are compared with their parents: they hold the import's events only.
/// - Thread: loop only.
@LoopActor public struct Audit {
    /// More would tell nobody more.
    public static let maximumViolations = 1_000
    /// Shards looked at at once.
    private static let concurrency = 6
    /// Suspicions are read again so often, with a pause in which what is under way ends.
    static let rounds = 3
    static let pause: Duration = .milliseconds(300)

    let deployment: Deployment

    /// An audit of a deployment; it only reads.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// Looks at everything.
    ///
    /// - Parameter onShard: told how many shards' windows are done.
    public func run(_ onShard: @escaping @LoopActor (Int) -> Void = { _ in })
        async throws(ServiceError) -> AuditReport
    {
        var findings = Findings()
        try await states(&findings)
        let ledgers = try await SourceAudit(deployment).run(&findings)
        try await windows(&findings, onShard)
        let kept = findings.violations.prefix(Self.maximumViolations)
        if findings.dropped > 0 {
            findings.notes.append(
                "\(findings.dropped) more suspicions were not looked at again: "
                    + "repair what is found, or wait until less is under way, and audit again")
        }
        return AuditReport(
            windows: findings.windows, violations: Array(kept),
            more: findings.violations.count - kept.count, sources: ledgers,
            missing: findings.missing, notes: findings.notes)
    }

    /// What the parts of an audit bring together.
    struct Findings {
        var violations: [Violation] = []
        /// Suspicions beyond what was looked at again: nobody is accused by them alone.
        var dropped = 0
        var windows = 0
        var missing: [String] = []
        var notes: [String] = []

        mutating func miss(_ sentence: String) {
            if !missing.contains(sentence) { missing.append(sentence) }
        }
    }

    // MARK: States

    /// A shard's state, or why there is none.
    private struct Reading: Sendable {
        let fields: [String: String]
        let unmerged: [Dimension]
    }

    private func states(_ findings: inout Findings) async throws(ServiceError) {
        var suspects = deployment.layout.shards
        var before: [ShardID: Set<Violation.Kind>]?
        var last: [Violation] = []
        for round in 1...Self.rounds {
            let map = try await deployment.control().map
            let now = try await deployment.serverTime()
            let audit = StateAudit(
                ladder: deployment.ladder, stamp: deployment.stamp,
                map: map, latest: max(now, deployment.start))
            let readings = await read(suspects)
            let isUnused =
                round == 1
                && readings.allSatisfy { reading in
                    if case .success(let reading) = reading {
                        reading.fields.isEmpty
                    } else {
                        false
                    }
                }
            if isUnused, map == nil {
                findings.notes.append("no node has worked on this deployment yet")
                return
            }
            var kinds: [ShardID: Set<Violation.Kind>] = [:]
            last = []
            for (shard, reading) in zip(suspects, readings) {
                switch reading {
                case .failure(let error): findings.miss(error.absence)
                case .success(let reading):
                    let found = audit.violations(shard, reading.fields, unmerged: reading.unmerged)
                        .filter { before == nil || before?[shard]?.contains($0.kind) == true }
                    if !found.isEmpty { kinds[shard] = Set(found.map(\.kind)) }
                    last += found
                }
            }
            guard !last.isEmpty, round < Self.rounds else { break }
            before = kinds
            suspects = kinds.keys.sorted()
            try await rest()
        }
        findings.violations += last
    }

    private func read(_ shards: [ShardID]) async -> [Result<Reading, ServiceError>] {
        let deployment = deployment
        return await gather(shards.count, limit: Self.concurrency) { place in
            let client = ShardClient(deployment, shards[place])
            do throws(ServiceError) {
                // The lists first: a rotation that ends meanwhile has none any more when its state
                // says so.
                let commands =
                    Dimension.counted.map {
                        RedisCommand(
                            "EXISTS", .init(RedisKeys.todo($0, client.tag)), isRepeatable: true)
                    } + [
                        RedisCommand(
                            "HGETALL", .init(RedisKeys.shardState(client.tag)), isRepeatable: true)
                    ]
                let replies = try await client.pipeline(commands)
                var fields: [String: String] = [:]
                var items = (replies.last?.items ?? []).makeIterator()
                while let name = items.next()?.text, let value = items.next()?.text {
                    fields[name] = value
                }
                let unmerged = zip(Dimension.counted, replies).filter { $0.1.int == 1 }.map(\.0)
                return .success(Reading(fields: fields, unmerged: unmerged))
            } catch {
                return .failure(error)
            }
        }
    }

    /// Lets what is under way end before it is looked at again.
    func rest() async throws(ServiceError) {
        do { try await loopSleep(Self.pause) } catch {
            throw .timedOut("the audit was interrupted")
        }
    }

    // MARK: Windows

    private func windows(
        _ findings: inout Findings, _ onShard: @escaping @LoopActor (Int) -> Void
    ) async throws(ServiceError) {
        let now = try await deployment.serverTime()
        let shards = deployment.layout.shards
        let progress = Progress()
        let results = await gather(shards.count, limit: Self.concurrency) {
            place -> Result<ShardAudit.Outcome, ServiceError> in
            let audit = ShardAudit(ShardClient(self.deployment, shards[place]), now: now)
            do throws(ServiceError) {
                let outcome = try await audit.run()
                progress.done += 1
                onShard(progress.done)
                return .success(outcome)
            } catch {
                return .failure(error)
            }
        }
        var outcomes: [ShardAudit.Outcome] = []
        for result in results {
            switch result {
            case .success(let outcome): outcomes.append(outcome)
            case .failure(let error): findings.miss(error.absence)
            }
        }
        var suspects = outcomes.flatMap(\.suspects)
        findings.dropped += outcomes.reduce(0) { $0 + $1.dropped }
        if suspects.count > Self.maximumViolations {
            findings.dropped += suspects.count - Self.maximumViolations
            suspects.removeLast(suspects.count - Self.maximumViolations)
        }
        findings.violations += try await confirmed(suspects, &findings)
        try await ConservationAudit(self, now: now).run(outcomes, &findings)
    }

    @LoopActor private final class Progress {
        var done = 0
    }

    /// Those suspicions that are found again each time.
    private func confirmed(
        _ suspects: [ShardAudit.Suspect], _ findings: inout Findings
    ) async throws(ServiceError) -> [Violation] {
        var left = suspects
        var violations: [Violation] = []
        for _ in 0..<Self.rounds where !left.isEmpty {
            try await rest()
            let asked = left
            let deployment = deployment
            let now = try await deployment.serverTime()
            let results = await gather(asked.count, limit: Self.concurrency) {
                place -> Result<[Violation], ServiceError> in
                let client = ShardClient(deployment, asked[place].shard)
                do throws(ServiceError) {
                    return .success(
                        try await RecordAudit(client, now: now).violations(asked[place]))
                } catch {
                    return .failure(error)
                }
            }
            left = []
            violations = []
            for (suspect, result) in zip(asked, results) {
                switch result {
                case .success(let found) where !found.isEmpty:
                    left.append(suspect)
                    violations += found
                case .success: break
                case .failure(let error): findings.miss(error.absence)
                }
            }
        }
        return violations
    }
}
