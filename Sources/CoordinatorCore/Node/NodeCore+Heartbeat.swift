/// Saying that the node is there, and learning what there is to know.
extension NodeCore {
    mutating func advanceHeartbeat(_ now: MonotonicInstant) {
        guard heartbeat == nil, now >= nextHeartbeatAt else { return }
        sendHeartbeat(now)
    }

    /// Sends a heartbeat as soon as the gap allows, because something happened.
    mutating func heartbeatSoon(_ now: MonotonicInstant) {
        guard heartbeat == nil else {
            wantsHeartbeat = true
            return
        }
        nextHeartbeatAt = min(
            nextHeartbeatAt, max(now, heartbeatSentAt + Self.shortestHeartbeatGap))
    }

    /// Sends one now; the answer to one that is under way is not waited for.
    mutating func sendHeartbeat(_ now: MonotonicInstant) {
        let request = makeRequest()
        heartbeat = request
        heartbeatSentAt = now
        wantsHeartbeat = false
        var isLeader = false
        if case .leader = role { isLeader = true }
        directives.append(
            .sendHeartbeat(
                request,
                Heartbeat(
                    isLeader: isLeader, isDraining: stopping != nil,
                    wantsNodes: isLeader || stopping != nil, mapVersion: map?.version,
                    refused: refused)))
    }

    /// Another start of this name is registered.
    ///
    /// It may be a newer one. It may also be one that has died, whose first heartbeat came late:
    /// the server cannot tell. But only one that lives goes on speaking. So this node steps aside
    /// at once, and asks on for a time to live: what is silent for so long gives its place back.
    mutating func takeSuperseded(_ now: MonotonicInstant) {
        heartbeat = nil
        heartbeatFailures = 0
        wantsHeartbeat = false
        nextHeartbeatAt = max(now, heartbeatSentAt + timing.heartbeatInterval)
        if let supersededUntil {
            guard now >= supersededUntil, stopping == nil else { return }
            stopping = Stopping(deadline: now, isFinished: true)
            return directives.append(.finish(.superseded))
        }
        supersededUntil = now + timing.nodeTTL + timing.heartbeatInterval * 2
        directives.append(.noteSuperseded)
        stepDown("another start of this name is registered", now)
        if case .follower = role { role = .follower(attemptAt: nil) }
        endAllShards("another start of this name is registered")
        handOver = nil
        // Read again when the place is this node's again: claims begin with a map that is new.
        map = nil
    }

    mutating func takeHeartbeat(_ answer: HeartbeatAnswer, _ now: MonotonicInstant) {
        heartbeat = nil
        heartbeatFailures = 0
        supersededUntil = nil
        nextHeartbeatAt =
            wantsHeartbeat
            ? max(now, heartbeatSentAt + Self.shortestHeartbeatGap)
            : max(now, heartbeatSentAt + timing.heartbeatInterval)
        wantsHeartbeat = false
        let known = map?.version
        if let stored = answer.map { adopt(stored, now) }
        takeOrders(answer.orders, now)
        switch role {
        case .follower: follow(answer.lease, now)
        case .candidate: break
        case .leader(var leadership):
            // What was asked before the term began tells nothing of the term.
            guard let nodes = answer.nodes else {
                sendHeartbeat(now)
                break
            }
            if let known, (answer.mapVersion ?? .zero) < known { leadership.mustPublish = true }
            leadership.membership.observe(nodes, serverTime: answer.serverTime, now: now)
            // Others hold to a newer map than the stored one: they need one that is newer still.
            if let newest = leadership.membership.newestMap, newest > (map?.version ?? .zero) {
                leadership.mustPublish = true
            }
            leadership.hasLooked = true
            if let rebalance = orders.rebalance, rebalance != leadership.rebalance {
                leadership.rebalance = rebalance
                leadership.membership.endHoldDowns(orderedAt: rebalance)
            }
            role = .leader(leadership)
            govern(now)
        }
        if stopping != nil, let nodes = answer.nodes {
            let ttl = timing.nodeTTL.wholeMilliseconds
            stopping?.hasHeirs = nodes.contains {
                $0.id != id && !$0.isDraining && !orders.drained.contains($0.id.name)
                    && answer.serverTime - $0.heartbeatAt < ttl
            }
        }
    }

    private mutating func takeOrders(_ orders: NodeOrders, _ now: MonotonicInstant) {
        self.orders = orders
        guard case .leader(let leadership) = role else { return }
        if orders.stepDown == leadership.token { stepDown("asked to step down", now) }
    }
}
