/// The orderly end: no new shards, leadership given back, shards handed over, name taken off the
/// list.
extension NodeCore {
    mutating func beginStopping(_ now: MonotonicInstant) {
        guard stopping == nil else { return }
        stopping = Stopping(deadline: now + timing.drainTimeout)
        for number in holdings.indices { holdings[number].claim = nil }
        // Said before the lease is given back, so that the next leader plans without this node.
        sendHeartbeat(now)
        if case .leader = role { stepDown("the node stops", now) }
        if case .follower = role { role = .follower(attemptAt: nil) }
        beginHandOver(now)
    }

    mutating func advanceStopping(_ now: MonotonicInstant) {
        guard let current = stopping, current.leaving == nil, !current.isFinished else { return }
        let isEmpty = leavingShards.isEmpty
        let isAlone = current.hasHeirs == false
        let isLate = now >= current.deadline
        guard isEmpty || isAlone || isLate else { return }
        // A lease that was just asked for is given back when its answer comes; not waited for here.
        stopping?.timedOut = isLate && !isEmpty && !isAlone
        endAllShards("the node stops")
        let request = makeRequest()
        stopping?.leaving = request
        directives.append(.leave(request))
    }

    mutating func finishStopping() {
        let isLate = stopping?.timedOut ?? false
        stopping?.isFinished = true
        directives.append(.finish(isLate ? .drainTimedOut : .stopped))
    }
}
