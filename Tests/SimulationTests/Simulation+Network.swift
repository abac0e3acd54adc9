import CoordinatorCore

/// Calls on their way, and servers that answer them.
extension Simulation {
    func send(
        _ node: SimulatedNode, _ request: RequestID, _ operation: Operation,
        limit: Int64 = 1_000_000
    ) {
        let number = calls.count
        calls.append(
            Call(
                node: node.caller.number, request: request, operation: operation,
                sentAt: node.clock(now), givenUpAt: now + limit))
        if case .tokens(let shards) = operation {
            var wanted = 0
            for shard in shards { wanted |= 1 << placement[shard.rawValue] }
            calls[number].outstanding = wanted.nonzeroBitCount
            for group in groups.indices where wanted >> group & 1 == 1 {
                dispatch(number, group, node)
            }
        } else {
            dispatch(number, group(of: operation), node)
        }
    }

    private func group(of operation: Operation) -> Int {
        switch operation {
        case .grant, .renew, .release, .beat, .publish, .leave, .tokens: controlGroup
        case .claim(let shard, _), .watermark(let shard), .apply(let shard, _, _, _),
            .rotate(let shard, _):
            placement[shard]
        case .chunk, .read: sourceGroup
        }
    }

    private func dispatch(_ number: Int, _ group: Int, _ node: SimulatedNode) {
        if !isHealed, now < node.isolatedUntil || random.chance(schedule.lostRequests) {
            return failLater(number)
        }
        let delay = hop(node)
        queue.push(.arrival(Int32(number), Int8(group)), at: now + delay)
        if !isHealed, random.chance(schedule.twice), calls[number].operation.isRepeatable {
            let again = now + delay + random.span(1_500_000)
            queue.push(.arrival(Int32(number), Int8(group)), at: again)
        }
        if now + delay >= calls[number].givenUpAt { expectTimeout(number) }
    }

    /// The way through the network, µs.
    private func hop(_ node: SimulatedNode) -> Int64 {
        var delay = schedule.hop / 2 + random.span(schedule.hop * 2)
        if isHealed { return delay }
        if now < node.slowUntil { delay += random.span(schedule.lease) }
        if random.chance(schedule.late) { delay += random.span(3_000_000) }
        return delay
    }

    private func expectTimeout(_ number: Int) {
        guard !calls[number].hasTimeout else { return }
        calls[number].hasTimeout = true
        queue.push(.timeout(Int32(number)), at: max(now + 1, calls[number].givenUpAt))
    }

    /// A connection that broke is noticed at once, silence after a while.
    private func failLater(_ number: Int) {
        guard random.chance(50), case .none = calls[number].answer else {
            return expectTimeout(number)
        }
        calls[number].answer = .failed
        queue.push(.reply(Int32(number)), at: now + schedule.hop)
    }

    // MARK: At the server

    func arrive(_ number: Int, group: Int) {
        let node = nodes[calls[number].node]
        let server = node.route[group].server
        switch servers[server].state {
        case .dead:
            refreshRoute(node, group)
            calls[number].answer = .failed
            queue.push(.reply(Int32(number)), at: now + schedule.hop)
        case .paused:
            expectTimeout(number)
            // What waits in its socket is done when it wakes.
            queue.push(.arrival(Int32(number), Int8(group)), at: servers[server].wakesAt + 1)
        case .demoted:
            node.route[group] = (groups[group].master, groups[group].replica != nil)
            queue.push(.arrival(Int32(number), Int8(group)), at: now + schedule.hop)
        case .up:
            // The slot may have gone to another group meanwhile: MOVED.
            if case .tokens = calls[number].operation {
            } else {
                let owner = self.group(of: calls[number].operation)
                if owner != group {
                    let moved = Happening.arrival(Int32(number), Int8(owner))
                    return queue.push(moved, at: now + schedule.hop)
                }
            }
            serve(number, group: group, server: server, node)
        }
    }

    private func serve(_ number: Int, group: Int, server: Int, _ node: SimulatedNode) {
        guard let answer = execute(number, group: group, server: server, node) else {
            // TRYAGAIN: the slot moves.
            guard now + 20_000 < calls[number].givenUpAt else { return expectTimeout(number) }
            return queue.push(.arrival(Int32(number), Int8(group)), at: now + 20_000)
        }
        if case .tokens = calls[number].operation {
        } else {
            // The first answer is the one that counts.
            guard case .none = calls[number].answer else { return }
        }
        if !isHealed, now < node.isolatedUntil || random.chance(schedule.lostReplies) {
            return failLater(number)
        }
        calls[number].answer = answer
        let back = now + hop(node)
        queue.push(.reply(Int32(number)), at: back)
        if back >= calls[number].givenUpAt { expectTimeout(number) }
    }

    // MARK: Back at the node

    func deliver(_ number: Int, _ happening: Happening) {
        let node = nodes[calls[number].node]
        guard !calls[number].isSettled else { return }
        if putOff(happening, of: node) {
            // Its timeout is due as well when it wakes; either may come first.
            if node.pausedUntil > calls[number].givenUpAt, random.chance(50) {
                expectTimeout(number)
            }
            return
        }
        if case .tokens = calls[number].operation {
            calls[number].outstanding -= 1
            if calls[number].outstanding > 0 { return expectTimeout(number) }
            return settleTokens(number, node)
        }
        calls[number].isSettled = true
        take(calls[number], calls[number].answer, node)
    }

    func giveUp(_ number: Int, _ happening: Happening) {
        let node = nodes[calls[number].node]
        guard !calls[number].isSettled, !putOff(happening, of: node) else { return }
        for group in groups.indices where random.chance(70) { refreshRoute(node, group) }
        if case .tokens = calls[number].operation { return settleTokens(number, node) }
        calls[number].isSettled = true
        take(calls[number], .none, node)
    }

    private func settleTokens(_ number: Int, _ node: SimulatedNode) {
        calls[number].isSettled = true
        tell(node, .tokensRead(calls[number].request, calls[number].tokens))
    }

    func refreshRoute(_ node: SimulatedNode, _ group: Int) {
        node.route[group] = (groups[group].master, groups[group].replica != nil)
    }

    /// Tells all nodes that something was written down.
    func wakeAll(isLease: Bool = false) {
        for node in nodes where !node.isGone {
            if !isHealed, now < node.isolatedUntil || random.chance(10) { continue }
            let at = now + hop(node)
            queue.push(.notice(Int32(node.caller.number), isLease: isLease), at: at)
        }
    }
}
