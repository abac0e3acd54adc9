import CoordinatorCore
import EventLoop
import RedisClient

/// What is still to be done: entries not applied, windows due and not merged.
public struct Backlog: Sendable {
    /// Shards that hold every source's last entry and have no window due.
    public let shardsDone: Int
    public let isEmpty: Bool
    /// What is waited for, in one clause; empty when nothing is.
    public let reason: String

    /// Looks at all sources and shards.
    @LoopActor public static func measure(_ deployment: Deployment) async throws(ServiceError)
        -> Backlog
    {
        let sources = try await SourceRegistry(deployment.cluster).all()
        var ends: [(source: SourceRecord, last: StreamID)] = []
        for source in sources where !source.isSettled {
            if let last = try await SourceStream(deployment.cluster, source).lastEntry() {
                ends.append((source, last))
            }
        }
        let survey = try await deployment.survey()
        guard survey.started.count == survey.states.count else {
            return Backlog(
                shardsDone: survey.started.count, isEmpty: false,
                reason: survey.missing.first ?? "no node has claimed every shard yet")
        }
        let hasEvents =
            sources.contains { $0.kind == .import }
            || survey.started.contains { $0.read.values.contains { $0 > 0 } }
        var reason = ""
        var done = 0
        for state in survey.started {
            if let late = ends.first(where: { (state.watermarks[$0.source.key] ?? .zero) < $0.last }
            ) {
                reason =
                    "shard \(state.shard) has not all of \(late.source.name ?? late.source.key)"
            } else if let due = dueWindow(state, hasEvents, survey.now, deployment) {
                reason = "shard \(state.shard) has windows of \(due) to merge"
            } else {
                done += 1
            }
        }
        let open = sources.first { $0.kind == .import && $0.holdsRotation(now: survey.now) }
        if let open { reason = "the import of \(open.name ?? open.key) is not in all shards" }
        return Backlog(
            shardsDone: done, isEmpty: done == survey.states.count && open == nil, reason: reason)
    }

    /// The first tier that has a window due: every window whose end and grace have passed.
    @LoopActor private static func dueWindow(
        _ state: ShardState, _ hasEvents: Bool, _ now: Int64, _ deployment: Deployment
    ) -> String? {
        if state.open != nil { return "a rotation under way" }
        // A deployment from the oldest event on has nothing due before its first event.
        if deployment.settings.start == .oldest, !hasEvents { return nil }
        let horizon = now - deployment.settings.graceMilliseconds
        for tier in deployment.ladder.tiers.dropFirst() {
            let due = tier.start(of: horizon)
            if (state.done[tier.name] ?? 0) < due { return tier.name }
        }
        return nil
    }
}
