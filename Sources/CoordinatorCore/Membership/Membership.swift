/// The nodes as one leader sees them: who is there, who is lost, who may be given shards.
///
/// Silence is measured on the leader's monotonic clock. The server's clock only says how old a new
/// heartbeat was when it was read, and is believed no further than that is possible.
///
/// - Not guaranteed: that a lost node has stopped. Its shards' tokens see to that.
public struct Membership: Sendable {
    private struct Member {
        var report: NodeReport
        var lastSeen: MonotonicInstant
        var heldUntil: MonotonicInstant?
        /// Until then it counts as just joined.
        var newUntil: MonotonicInstant?
        var isLost = false
        /// It was alive at some look of this leader.
        var wasSeen = false
    }

    private let timing: NodeTiming
    private var members: [NodeID: Member] = [:]
    private var lastReadAt: MonotonicInstant?
    /// Nodes that were found lost since this was last taken, and whether they were seen before.
    private var newlyLost: [NodeID: Bool] = [:]

    /// A leader's view before its first look.
    public init(_ timing: NodeTiming) {
        self.timing = timing
    }

    /// Takes in what the nodes last said.
    ///
    /// - Parameter serverTime: ms, of the same reading.
    public mutating func observe(
        _ reports: [NodeReport], serverTime: Int64, now: MonotonicInstant
    ) {
        let listed = Set(reports.map(\.id))
        members = members.filter { listed.contains($0.key) }
        let gap = lastReadAt.map { now - $0 }
        // A leader that could not read for a while cannot tell who was silent meanwhile: whoever
        // was there gets the time for another heartbeat.
        let blind = gap.map { $0 > timing.heartbeatInterval * 2 } ?? false
        for report in reports {
            take(report, serverTime: serverTime, now: now, gap: gap, blind: blind)
        }
        lastReadAt = now
        judge(now)
        for (id, member) in members where !member.isLost { members[id]?.wasSeen = true }
    }

    /// Marks as lost whoever has been silent for too long.
    public mutating func judge(_ now: MonotonicInstant) {
        for (id, member) in members where !member.isLost {
            guard now - member.lastSeen >= timing.nodeTTL else { continue }
            members[id]?.isLost = true
            newlyLost[id] = member.wasSeen
        }
    }

    /// The nodes that were found lost since the last call.
    ///
    /// One that was lost when this leader looked first is its loss only if it still owns something:
    /// the leader before has written the others down.
    public mutating func takeLost(owners: Set<NodeID>) -> [NodeID] {
        defer { newlyLost = [:] }
        return newlyLost.filter { $0.value || owners.contains($0.key) }.keys.sorted()
    }

    /// Lets nodes that are held down have shards at once, if they were there when that was asked.
    ///
    /// - Parameter orderedAt: Server time, ms.
    public mutating func endHoldDowns(orderedAt: Int64) {
        for (id, member) in members where member.report.joinedAt <= orderedAt {
            members[id]?.heldUntil = nil
            members[id]?.newUntil = nil
        }
    }

    /// Whether a node is there, draining or not.
    public func isLive(_ id: NodeID) -> Bool {
        members[id].map { !$0.isLost } ?? false
    }

    /// The nodes that may be given shards now.
    ///
    /// One that has just joined is new as long as an owner is there that was there long before: a
    /// rolling restart starts a node and then ends an old one, so the shards it is to have are
    /// about to be free. Among nodes that all began together nobody is waited for.
    ///
    /// - Parameter drained: names that an operator took out.
    /// - Parameter owners: who owns shards now.
    public func eligible(
        drained: Set<String>, owners: Set<NodeID>, now: MonotonicInstant
    ) -> [PlannerNode] {
        let eldest = owners.compactMap { members[$0]?.report.joinedAt }.min()
        func isNew(_ member: Member) -> Bool {
            guard let eldest, let until = member.newUntil, until > now else { return false }
            return member.report.joinedAt - eldest >= timing.joinDelay.wholeMilliseconds
        }
        let able = members.values.filter {
            !$0.isLost && !$0.report.isDraining && !drained.contains($0.report.id.name)
        }
        let settled = able.filter { $0.heldUntil.map { $0 <= now } ?? true }
        // A node that comes and goes is better than none.
        return (settled.isEmpty ? able : settled)
            .map {
                PlannerNode(id: $0.report.id, weight: $0.report.weight, isNew: isNew($0))
            }
            .sorted { $0.id < $1.id }
    }

    /// The greatest token that any node met, for each shard.
    public var refused: [ShardID: FencingToken] {
        members.values.reduce(into: [:]) { all, member in
            all.merge(member.report.refused) { max($0, $1) }
        }
    }

    /// The newest map that any node has: a failover may have lost it where it is stored.
    public var newestMap: FencingToken? {
        members.values.compactMap { $0.isLost ? nil : $0.report.mapVersion }.max()
    }

    /// When the next node would be lost, is new no more, or the next hold-down ends, if nothing is
    /// heard until then.
    public func nextDeadline(after now: MonotonicInstant) -> MonotonicInstant? {
        members.values.reduce(into: nil as MonotonicInstant?) { earliest, member in
            if !member.isLost {
                let deadline = member.lastSeen + timing.nodeTTL
                earliest = earliest.map { min($0, deadline) } ?? deadline
            }
            for pause in [member.heldUntil, member.newUntil] {
                guard let pause, pause > now else { continue }
                earliest = earliest.map { min($0, pause) } ?? pause
            }
        }
    }

    private mutating func take(
        _ report: NodeReport, serverTime: Int64, now: MonotonicInstant, gap: Duration?, blind: Bool
    ) {
        guard let known = members[report.id] else {
            // What is older than a lost node's last word is as lost; an age below zero, or a wild
            // one, is a clock's jump.
            let age = Self.age(report, serverTime, atMost: timing.nodeTTL)
            let sinceJoin = Duration.milliseconds(max(0, serverTime - report.joinedAt))
            var member = Member(
                report: report, lastSeen: now - age, newUntil: now + (timing.joinDelay - sinceJoin))
            if report.followsLoss, sinceJoin < timing.holdDown {
                member.heldUntil = now + (timing.holdDown - sinceJoin)
            }
            members[report.id] = member
            return
        }
        var member = known
        if known.report.heartbeatAt != report.heartbeatAt {
            member.lastSeen = now - Self.age(report, serverTime, atMost: gap ?? .zero)
            if known.isLost {
                member.isLost = false
                member.heldUntil = now + timing.holdDown
            }
        } else if blind, !known.isLost {
            member.lastSeen = max(
                known.lastSeen, now - timing.nodeTTL + timing.heartbeatInterval * 2)
        }
        member.report = report
        members[report.id] = member
    }

    private static func age(
        _ report: NodeReport, _ serverTime: Int64, atMost limit: Duration
    ) -> Duration {
        min(.milliseconds(max(0, serverTime - report.heartbeatAt)), limit)
    }
}
