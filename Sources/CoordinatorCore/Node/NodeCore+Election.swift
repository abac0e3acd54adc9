/// Getting the lease, keeping it, and knowing when it is over.
extension NodeCore {
    /// A leader past its lease stops by itself, without asking: it may not be able to.
    mutating func endLeaseInTime(_ now: MonotonicInstant) {
        guard case .leader(let leadership) = role, now >= leadership.validUntil else { return }
        endTerm(leadership.token, "the lease could not be renewed in time", now)
    }

    mutating func advanceElection(_ now: MonotonicInstant) {
        switch role {
        case .follower(let attemptAt):
            guard let attemptAt, now >= attemptAt, isTakingPart else { return }
            let request = makeRequest()
            role = .candidate(request)
            directives.append(.requestLease(request, above: greatestKnownToken))
        case .candidate: break
        case .leader(var leadership):
            guard leadership.renewal == nil, now >= leadership.renewAt else { return }
            let request = makeRequest()
            leadership.renewal = request
            role = .leader(leadership)
            directives.append(.renewLease(request))
        }
    }

    mutating func takeLease(
        _ request: RequestID, sentAt: MonotonicInstant, _ answer: LeaseAnswer,
        _ now: MonotonicInstant
    ) {
        let validUntil = sentAt + timing.leaseDuration - timing.leaseMargin
        switch role {
        case .candidate(let awaited):
            guard request == awaited else { return }
            guard let holder = answer.holder, holder.node == id else {
                role = .follower(attemptAt: nil)
                // Refused, and nobody is named: what is there is no lease, and ends like one.
                guard answer.holder != nil else {
                    return wait(max(answer.remaining, retryPause(after: 1)), now)
                }
                return follow(answer, now)
            }
            // An answer that took longer than the lease is none; the next attempt asks for more.
            guard now < validUntil, isTakingPart else {
                role = .follower(attemptAt: isTakingPart ? now : nil)
                if !isTakingPart {
                    let reason = stopping == nil ? "the node is superseded" : "the node stops"
                    directives.append(.releaseLease(holder.token, reason: reason))
                }
                return
            }
            lead(holder.token, validUntil: validUntil, now)
        case .leader(var leadership):
            guard request == leadership.renewal else { return }
            guard let holder = answer.holder, holder.token == leadership.token else {
                endTerm(leadership.token, Self.lossReason(answer), now)
                return follow(answer, now)
            }
            leadership.renewal = nil
            leadership.validUntil = validUntil
            leadership.renewAt = sentAt + timing.renewInterval
            role = .leader(leadership)
        case .follower: break  // the answer to a request of a role that ended
        }
    }

    /// Waits for the holder's lease to end, or tries at once when nobody holds it.
    mutating func follow(_ answer: LeaseAnswer, _ now: MonotonicInstant) {
        if case .leader = role { return }
        lastHolder = answer.holder ?? lastHolder
        guard isTakingPart else {
            role = .follower(attemptAt: nil)
            return
        }
        guard answer.holder != nil else { return attemptNow(now) }
        var remaining = answer.remaining
        if remaining > timing.leaseDuration + Self.clockJumpSlack {
            directives.append(.noteClockJump(remaining))
            // The attempt cuts the key's life to one lease: only the fence decides.
            remaining = .zero
        }
        wait(max(remaining, .milliseconds(1)), now)
    }

    private mutating func wait(_ span: Duration, _ now: MonotonicInstant) {
        guard isTakingPart else { return }
        let jitter = Self.attemptSpread * Double.random(in: 0...1, using: &random)
        role = .follower(attemptAt: max(now + span + jitter, abstention(now)))
    }

    /// Tries to get the lease at once, unless this node is to leave it to others.
    mutating func attemptNow(_ now: MonotonicInstant) {
        guard case .follower = role, isTakingPart else { return }
        role = .follower(attemptAt: abstention(now))
    }

    /// Ends the term in an orderly way: the next leader can begin at once.
    mutating func stepDown(_ reason: String, _ now: MonotonicInstant) {
        guard case .leader(let leadership) = role else { return }
        directives.append(.endLeading(leadership.token, reason: reason))
        directives.append(.releaseLease(leadership.token, reason: reason))
        lastHolder = nil
        role = .follower(attemptAt: nil)
        guard isTakingPart else { return }
        abstainsUntil = now + timing.leaseDuration
        role = .follower(attemptAt: abstainsUntil)
    }

    /// Ends the term when the lease is not this node's any more.
    mutating func endTerm(_ token: FencingToken, _ reason: String, _ now: MonotonicInstant) {
        directives.append(.endLeading(token, reason: reason))
        role = .follower(attemptAt: nil)
        heartbeatSoon(now)
        attemptNow(now)
    }

    mutating func failElection(_ request: RequestID, _ now: MonotonicInstant) {
        switch role {
        case .candidate(let awaited):
            guard request == awaited else { return }
            // It may have been granted: the next attempt shows the same nonce and learns that.
            role = .follower(attemptAt: isTakingPart ? now + retryPause(after: 2) : nil)
        case .leader(var leadership):
            guard request == leadership.renewal else { return }
            leadership.renewal = nil
            leadership.renewAt = now + min(timing.renewInterval / 4, Self.longestRetry)
            role = .leader(leadership)
        case .follower: break
        }
    }

    private mutating func lead(
        _ token: FencingToken, validUntil: MonotonicInstant, _ now: MonotonicInstant
    ) {
        abstainsUntil = nil
        greatestTerm = max(greatestTerm ?? token, token)
        var leadership = Leadership(
            token: token, validUntil: validUntil, renewAt: now + timing.renewInterval,
            readTokensAt: now, membership: Membership(timing))
        let request = makeRequest()
        leadership.tokensRequest = request
        role = .leader(leadership)
        let expired = lastHolder.flatMap { $0.node == id || $0.token == token ? nil : $0 }
        lastHolder = LeaseAnswer.Holder(token: token, node: id)
        directives.append(.beginLeading(token, expired: expired))
        directives.append(.readTokens(request, allShards))
        sendHeartbeat(now)
    }

    private func abstention(_ now: MonotonicInstant) -> MonotonicInstant {
        max(now, abstainsUntil ?? now)
    }

    private static func lossReason(_ answer: LeaseAnswer) -> String {
        answer.holder.map { "the lease is held by \($0.node)" } ?? "the lease was lost"
    }

    private var greatestKnownToken: FencingToken? {
        let tokens =
            [map?.version, lastHolder?.token, greatestTerm].compactMap { $0 } + refused.values
        return tokens.max()
    }

    var allShards: [ShardID] { (0..<shardCount).map(ShardID.init(rawValue:)) }
}
