import CoordinatorCore

/// The shell of the simulated nodes: events in, directives out.
extension Simulation {
    func start(_ name: Int) {
        let number = nodes.count
        let digits = String(random.next() >> 4 | 1 << 59, radix: 16)
        let nonce = String(repeating: "0", count: max(0, 16 - digits.count)) + digits
        let caller = Caller(
            number: number, name: name, id: NodeID(name: "n\(name)", nonce: nonce), nonce: nonce)
        let node = SimulatedNode(
            caller, clockStart: Int64(random.below(1_000_000)) * 1_000_000_000,
            partsPerMillion: Int64(random.below(20_000)) - 10_000, schedule: schedule,
            seed: random.next(), now: now,
            route: groups.map { ($0.master, $0.replica != nil) })
        nodes.append(node)
        if isHealed { boundFrom = max(boundFrom, now) }
        note("\(caller.id) starts")
        tell(node, .timePassed)
    }

    func ring(_ node: SimulatedNode, _ happening: Happening) {
        // A later timer took its place.
        guard !node.isGone, now >= node.timerAt else { return }
        if putOff(happening, of: node) {
            node.timerAt = node.pausedUntil
            return
        }
        node.timerAt = .max
        guard now >= node.deadline else { return arm(node) }
        tell(node, .timePassed)
    }

    private func arm(_ node: SimulatedNode) {
        guard !node.isGone, node.deadline < node.timerAt else { return }
        node.timerAt = max(node.deadline, now)
        queue.push(.timer(Int32(node.caller.number)), at: node.timerAt)
    }

    func tell(_ node: SimulatedNode, _ event: NodeEvent) {
        guard !node.isGone else { return }
        let reading = node.clock(now)
        for directive in node.core.step(event, now: reading) { carryOut(directive, node) }
        guard !node.isGone else { return }
        node.deadline = node.trueTime(of: node.core.nextDeadline(after: reading))
        arm(node)
    }

    private func carryOut(_ directive: NodeDirective, _ node: SimulatedNode) {
        switch directive {
        case .requestLease(let request, let above):
            send(node, request, .grant(above: above), limit: min(1_000_000, schedule.lease))
        case .renewLease(let request):
            send(node, request, .renew, limit: min(1_000_000, schedule.lease / 2))
        case .releaseLease(let token, let reason):
            note("\(node.caller.id) gives \(token.short) back: \(reason)")
            send(node, RequestID(rawValue: 0), .release(token))
        case .sendHeartbeat(let request, let heartbeat):
            send(
                node, request, .beat(heartbeat, joinedAt: node.joinedAt),
                limit: schedule.timing.heartbeatTimeout.wholeMilliseconds * 1_000)
        case .readTokens(let request, let shards): send(node, request, .tokens(shards))
        case .publishMap(let request, let draft, let term, let above, let reason):
            note("\(node.caller.id) publishes: \(reason)")
            send(node, request, .publish(draft, term: term, above: above))
        case .claimShard(let request, let shard, let token):
            send(node, request, .claim(shard.rawValue, token))
        case .leave(let request): send(node, request, .leave)
        case .beginShard(let shard, let token): begin(node, shard.rawValue, token)
        case .endShard(let shard, let reason):
            note("\(node.caller.id) ends shard \(shard): \(reason)")
            node.working[shard.rawValue] = nil
        case .beginLeading(let token, _):
            note("\(node.caller.id) leads \(token.short)")
            node.term = token
            checkTerm(node, token)
        case .endLeading(let token, let reason):
            note("\(node.caller.id) ends \(token.short): \(reason)")
            node.term = nil
        case .noteLost(let lost): note("\(node.caller.id) lost \(lost)")
        case .noteSuperseded: note("\(node.caller.id) steps aside")
        case .noteClockJump: note("\(node.caller.id) sees a clock that jumped")
        case .finish(let reason):
            note("\(node.caller.id) finishes: \(reason)")
            node.isGone = true
        }
    }

    private func begin(_ node: SimulatedNode, _ shard: Int, _ token: FencingToken) {
        note("\(node.caller.id) works on shard \(shard) with \(token.short)")
        node.working[shard] = token
        checkWorker(node, shard, token)
        queue.push(.rotate(Int32(node.caller.number), Int8(shard)), at: now + 1)
        if shard == 0, node.reader.phase == .off {
            node.reader.phase = .resting
            queue.push(.readOn(Int32(node.caller.number)), at: now + 1)
        }
    }

    /// Tells the core, or the work, what came of a call.
    func take(_ call: Call, _ answer: Answer, _ node: SimulatedNode) {
        let request = call.request
        switch answer {
        case .none, .failed:
            switch call.operation {
            case .watermark, .chunk, .read, .apply, .rotate: takeWork(call, answer, node)
            case .release: break
            case .grant, .renew, .beat, .publish, .leave, .tokens, .claim:
                tell(node, .requestFailed(request))
            }
        case .lease(let lease):
            guard request.rawValue != 0 else { return }
            tell(node, .leaseAnswered(request, sentAt: leaseSentAt(call, node), lease))
        case .beat(let beat, let joinedAt):
            node.joinedAt = joinedAt
            tell(node, .heartbeatAnswered(request, beat))
        case .superseded: tell(node, .superseded(request))
        case .published(let version): tell(node, .mapPublished(request, version: version))
        case .refused: tell(node, .publicationRefused(request))
        case .left: tell(node, .left(request))
        case .claimed: tell(node, .shardClaimed(request))
        case .claimRefused(let token): tell(node, .claimRefused(request, by: token))
        case .watermark, .chunk, .read, .applied, .rotated: takeWork(call, answer, node)
        }
    }

    /// Without the protection: as if Redis had begun to count when the answer came.
    private func leaseSentAt(_ call: Call, _ node: SimulatedNode) -> MonotonicInstant {
        protections.contains(.monotonicDeadline) ? call.sentAt : node.clock(now)
    }
}

extension FencingToken {
    /// What tells tokens apart in a trace.
    var short: String { "\(epoch)-\(microseconds % 1_000_000_000)-\(nonce.prefix(4))" }
}
