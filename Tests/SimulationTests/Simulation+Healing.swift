import CoordinatorCore

/// Nothing breaks any more: everything has to come right, and be exact.
extension Simulation {
    func heal() {
        isHealed = true
        note("all is healed")
        controlFaults += 1
        boundFrom = now
        for node in nodes where !node.isGone {
            boundFrom = max(boundFrom, node.pausedUntil)
            if node.isStopping { boundFrom = max(boundFrom, node.stopAskedAt + 5_000_000) }
        }
        for group in groups.indices {
            servers[groups[group].master].clockOffset = Int64(random.below(2_000)) - 1_000
            groups[group].clockOffset = 0
            groups[group].linkDownUntil = 0
        }
        for server in servers where server.state == .paused {
            boundFrom = max(boundFrom, server.wakesAt)
        }
        servers[groups[controlGroup].master].memory.control?.orders.drained = []
        groups[controlGroup].replica?.control?.orders.drained = []
        queue.push(.look, at: now + schedule.lease / 2)
    }

    /// Until when everything has to be done, counted from the last thing that went wrong.
    ///
    /// A call that was lost, the lease, the time to live of a lost node, its hold-down or delay and
    /// the claims follow one another; late messages of before come for another three seconds.
    private var bound: Int64 {
        let timing = schedule.timing
        let membership = timing.nodeTTL + timing.holdDown + timing.joinDelay
        return 6_000_000 + schedule.lease * 4 + membership.wholeMilliseconds * 1_000
    }

    /// Returns whether all is well, or will not be.
    func look() -> Bool {
        guard let missing = whatIsMissing() else {
            book.healedAfter = now - boundFrom
            checkFigures()
            return true
        }
        if now > boundFrom + bound {
            violate(.progressIsMade, "\((now - boundFrom) / 1_000) ms after healing: \(missing)")
            return true
        }
        queue.push(.look, at: now + schedule.lease / 4)
        return false
    }

    private func whatIsMissing() -> String? {
        let living = nodes.filter { !$0.isGone }
        if let slow = living.first(where: \.isStopping) {
            return "\(slow.caller.id) has not stopped"
        }
        let leaders = living.filter { $0.core.isLeading($0.clock(now)) }
        guard leaders.count == 1, let leader = leaders.first else {
            return "\(leaders.count) nodes lead"
        }
        let server = groups[controlGroup].master
        guard let control = servers[server].memory.control,
            control.holder(serverTime(server))?.holder == leader.caller.number
        else { return "the leader does not hold the lease" }
        guard let map = control.map else { return "there is no map" }
        // A newer one is what a failover lost: its tokens are below those of the next map.
        if let behind = living.first(where: { ($0.core.map?.version ?? .zero) < map.version }) {
            return "\(behind.caller.id) has an older map"
        }
        return unbalanced(map, living) ?? unowned(map) ?? undone()
    }

    private func unbalanced(_ map: ShardMap, _ living: [SimulatedNode]) -> String? {
        var counts = [Int](repeating: 0, count: living.count)
        for entry in map.entries {
            guard let place = living.firstIndex(where: { $0.caller.id == entry.owner }) else {
                return "a shard is with \(entry.owner?.text ?? "nobody")"
            }
            counts[place] += 1
        }
        guard let least = counts.min(), let most = counts.max(), most - least <= 1 else {
            return "the shards are spread \(counts)"
        }
        return nil
    }

    private func unowned(_ map: ShardMap) -> String? {
        for (shard, entry) in map.entries.enumerated() {
            let slot = servers[groups[placement[shard]].master].memory.shards[shard]
            if isMoving[shard] { return "shard \(shard) moves" }
            if slot.token != entry.token { return "shard \(shard) holds another token" }
            for node in nodes where !node.isGone {
                if node.caller.id == entry.owner, node.working[shard] != entry.token {
                    return "\(node.caller.id) does not work on shard \(shard)"
                }
                if node.caller.id != entry.owner, node.working[shard] != nil {
                    return "\(node.caller.id) still works on shard \(shard)"
                }
            }
        }
        return nil
    }

    /// What shards have not counted or merged yet, but could have.
    private func undone() -> String? {
        if now < mayAppendUntil { return "events still come" }
        guard let source = servers[groups[sourceGroup].master].memory.source else { return nil }
        let newest = source.entries.last?.id ?? 0
        // Rotation follows the clock by its grace and by some ticks of reader and owner.
        let due = min(now / schedule.window - 8, Int64(SimulatedLadder.baseCount))
        for shard in placement.indices {
            let slot = servers[groups[placement[shard]].master].memory.shards[shard]
            if slot.watermark < newest { return "shard \(shard) has not taken all events" }
            for tier in 1...2 where slot.done[tier - 1] < SimulatedLadder.floor(max(0, due), tier) {
                return "shard \(shard) has not merged what is due"
            }
        }
        return nil
    }

    // MARK: Exactness

    private func checkFigures() {
        guard let source = servers[groups[sourceGroup].master].memory.source else { return }
        for shard in placement.indices {
            let slot = servers[groups[placement[shard]].master].memory.shards[shard]
            var expected = [Cell](repeating: Cell(), count: SimulatedLadder.cellCount)
            for entry in source.entries where entry.touches(shard) {
                for tier in 0...2 {
                    let start = SimulatedLadder.floor(Int64(entry.window), tier)
                    guard tier == 0 || start < slot.done[tier - 1],
                        let place = SimulatedLadder.place(tier, start)
                    else { continue }
                    expected[place].count(entry)
                }
            }
            compare(slot, expected, shard)
        }
    }

    private func compare(_ slot: ShardSlot, _ expected: [Cell], _ shard: Int) {
        for tier in 0...2 {
            for base in stride(
                from: 0, to: Int64(SimulatedLadder.baseCount),
                by: Int64.Stride(SimulatedLadder.spans[tier]))
            {
                guard tier == 0 || base < slot.done[tier - 1],
                    let place = SimulatedLadder.place(tier, base)
                else { continue }
                let (found, ought) = (slot.cells[place], expected[place])
                guard found.views != ought.views || found.devices != ought.devices else { continue }
                violate(
                    .figuresAreExact,
                    "shard \(shard), tier \(tier), window \(base): \(found.views) "
                        + "not \(ought.views)"
                )
            }
        }
    }
}
