import CoordinatorCore

/// Carrying calls out, each atomically in its slot.
extension Simulation {
    func serverTime(_ server: Int) -> ServerTime {
        // Masters hear of a new epoch a little later.
        if servers[server].state == .up, groups[servers[server].group].master == server {
            if servers[server].epoch < clusterEpoch, isHealed || random.chance(50) {
                servers[server].epoch = clusterEpoch
            }
        }
        return ServerTime(
            clock: Self.epoch + now + servers[server].clockOffset, epoch: servers[server].epoch,
            mints: protections.contains(.mintedTokens))
    }

    /// Whether the server is the master as the cluster sees it: what others write will vanish.
    func isMaster(_ server: Int) -> Bool { groups[servers[server].group].master == server }

    /// Before a write: the replica may have caught up with all before it.
    func touchReplica(_ server: Int) {
        let group = servers[server].group
        guard groups[group].master == server, groups[group].replica != nil,
            now >= groups[group].linkDownUntil, random.chance(schedule.caughtUp)
        else { return }
        groups[group].replica = servers[server].memory
    }

    /// WAIT 1: whether the replica holds everything now.
    private func confirm(_ server: Int) -> Bool {
        let group = servers[server].group
        guard groups[group].master == server, groups[group].replica != nil,
            now >= groups[group].linkDownUntil
        else { return false }
        groups[group].replica = servers[server].memory
        return true
    }

    /// - Returns: nil for TRYAGAIN.
    func execute(_ number: Int, group: Int, server: Int, _ node: SimulatedNode) -> Answer? {
        let caller = node.caller
        let operation = calls[number].operation
        touchReplica(server)
        switch operation {
        case .tokens(let shards):
            for shard in shards where placement[shard.rawValue] == group {
                if let token = servers[server].memory.shards[shard.rawValue].token {
                    calls[number].tokens[shard] = token
                }
            }
            return Answer.none
        case .claim(let shard, let token):
            guard !isHeld(shard) else { return nil }
            return claim(shard, token, server, caller)
        case .watermark(let shard):
            return .watermark(servers[server].memory.shards[shard].watermark)
        case .chunk(let position):
            let found = servers[server].memory.source?.entries.filter { $0.id > position } ?? []
            return .chunk(Array(found.prefix(1 + random.below(8))), server: server)
        case .read(let position): return read(position, server, node)
        case .apply(let shard, let expected, let new, let entries):
            guard !isHeld(shard) else { return nil }
            return apply(shard, expected, new, entries, server)
        case .rotate(let shard, let token):
            guard !isHeld(shard) else { return nil }
            return rotate(shard, token, server)
        case .grant, .renew, .release, .beat, .publish, .leave:
            return control(operation, server, caller)
        }
    }

    /// A slot that moves takes no script, when scripts declare the guard.
    private func isHeld(_ shard: Int) -> Bool {
        isMoving[shard] && protections.contains(.guardKey)
    }

    // MARK: The control slot

    private func control(_ operation: Operation, _ server: Int, _ caller: Caller) -> Answer? {
        let time = serverTime(server)
        switch operation {
        case .grant(let above):
            let lease = servers[server].memory.control?.grant(
                caller, above: above, lasting: schedule.lease, time)
            return note(lease, "is granted", server, caller)
        case .renew:
            let lease = servers[server].memory.control?.renew(
                caller, lasting: schedule.lease, time)
            return note(lease, "is renewed", server, caller)
        case .release(let token):
            let only = protections.contains(.releaseByToken) ? token : nil
            guard servers[server].memory.control?.release(caller, only: only, time) == true else {
                return .left
            }
            note("the lease of \(caller.id) is free\(isMaster(server) ? "" : " at an old master")")
            wakeAll(isLease: true)
            return .left
        case .beat, .publish, .leave:
            // These take several keys: not while the slot moves.
            guard now >= isControlMovingUntil else { return nil }
            return severalKeys(operation, server, caller, time)
        case .tokens, .claim, .watermark, .chunk, .read, .apply, .rotate: return .failed
        }
    }

    private func note(
        _ lease: LeaseAnswer?, _ what: String, _ server: Int, _ caller: Caller
    ) -> Answer {
        guard let lease else { return .failed }
        if let holder = lease.holder, holder.node == caller.id {
            note("\(holder.token.short) \(what) at server \(server) to \(caller.id)")
            // An old master's word vanishes, and is no promise to hold anybody to.
            book.noteLease(of: caller.number, faults: isMaster(server) ? controlFaults : -1)
        }
        return .lease(lease)
    }

    private func severalKeys(
        _ operation: Operation, _ server: Int, _ caller: Caller, _ time: ServerTime
    ) -> Answer {
        switch operation {
        case .beat(let heartbeat, let joinedAt):
            let beat = servers[server].memory.control?.beat(
                caller, heartbeat, joinedAt: joinedAt,
                timeToLive: protections.contains(.placeGivenBack)
                    ? schedule.timing.nodeTTL.wholeMilliseconds : .max, time)
            switch beat {
            case .answered(let answer, let joined, let isNew):
                if isNew {
                    note("\(caller.id) joins")
                    wakeAll()
                }
                return .beat(answer, joinedAt: joined)
            case .superseded:
                note("\(caller.id) is superseded")
                return .superseded
            case nil: return .failed
            }
        case .publish(let draft, let term, let above):
            return publish(draft, term, above, server, caller, time)
        default:
            if servers[server].memory.control?.leave(caller) == true {
                note("\(caller.id) leaves")
                wakeAll()
            }
            return .left
        }
    }

    private func publish(
        _ draft: ShardMapDraft, _ term: FencingToken, _ above: FencingToken, _ server: Int,
        _ caller: Caller, _ time: ServerTime
    ) -> Answer {
        let before = servers[server].memory.control
        guard
            let version = servers[server].memory.control?.publish(
                caller, draft, term: term, above: above,
                checksLease: protections.contains(.publicationCheck), time)
        else {
            note("a map of \(caller.id) is refused")
            return .refused
        }
        note("map \(version.short) of \(caller.id) is published at server \(server)")
        checkPublication(before, version, by: caller, time)
        wakeAll()
        return .published(version)
    }

    // MARK: A shard's slot

    private func claim(
        _ shard: Int, _ token: FencingToken, _ server: Int, _ caller: Caller
    ) -> Answer {
        let before = ShardPlace(servers[server].memory.shards[shard])
        let refused = servers[server].memory.shards[shard].claim(
            token, checksToken: protections.contains(.tokenCheck))
        checkProgress(shard, before, server)
        if let refused {
            note("shard \(shard) refuses \(token.short) of \(caller.id), holds \(refused.short)")
            return .claimRefused(refused)
        }
        note("shard \(shard) is claimed with \(token.short) at server \(server)")
        return .claimed
    }

    private func apply(
        _ shard: Int, _ expected: Int64, _ new: Int64, _ entries: [SourceEntry], _ server: Int
    ) -> Answer {
        let before = ShardPlace(servers[server].memory.shards[shard])
        let outcome = servers[server].memory.shards[shard].apply(
            expected: expected, new: new, entries,
            checksWatermark: protections.contains(.compareAndSet), half: isMoving[shard])
        if case .applied = outcome {
            note("shard \(shard) takes \(entries.map(\.number)) up to \(new) at server \(server)")
            checkApplication(shard, before, server)
        }
        return .applied(outcome)
    }

    private func rotate(_ shard: Int, _ token: FencingToken, _ server: Int) -> Answer {
        let before = ShardPlace(servers[server].memory.shards[shard])
        let watermark = SourceEntry.milliseconds(
            of: servers[server].memory.shards[shard].watermark)
        let clock = serverTime(server).milliseconds
        let passed = (min(clock, watermark) * 1_000 - Self.epoch) - schedule.window / 2
        let horizon = passed < 0 ? 0 : passed / schedule.window
        let outcome = servers[server].memory.shards[shard].rotate(
            token, horizon: horizon, effort: 1 + random.below(3),
            checksToken: protections.contains(.tokenCheck), half: isMoving[shard])
        switch outcome {
        case .fenced: break
        case .idle, .open, .done:
            note("shard \(shard) is rotated under \(token.short), \(outcome), at server \(server)")
            checkRotation(shard, token, before, server)
        }
        return .rotated(outcome)
    }

    // MARK: The source's slot

    private func read(_ position: Int64, _ server: Int, _ node: SimulatedNode) -> Answer {
        let group = servers[server].group
        let time = serverTime(server)
        guard
            let found = servers[server].memory.source?.read(
                after: position, movesLast: protections.contains(.lastIDMoves), time)
        else { return .failed }
        guard protections.contains(.durableReads) else {
            return .read(found.entries, position: found.position, server: server)
        }
        let hasReplica = groups[group].replica != nil
        // Where there is no replica there is none to wait for. Whether there is one the topology
        // says, asked after the read: an old master whose replica was promoted sees none either.
        let waits =
            protections.contains(.topologyAfterRead)
            ? hasReplica || !isMaster(server)
            : node.route[group].hasReplica || isMaster(server) && hasReplica
        if waits, !confirm(server) { return .failed }
        return .read(found.entries, position: found.position, server: server)
    }
}
