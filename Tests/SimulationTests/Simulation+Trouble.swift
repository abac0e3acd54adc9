import CoordinatorCore

/// What goes wrong.
extension Simulation {
    func makeTrouble() {
        guard !isHealed else { return }
        let pause = schedule.troubleEvery / 4 + random.span(schedule.troubleEvery * 2)
        queue.push(.trouble, at: now + pause)
        guard !schedule.troubles.isEmpty else { return }
        let trouble = schedule.troubles[random.below(schedule.troubles.count)]
        let group = random.below(groups.count)
        switch trouble {
        case .pauseNode, .crashNode, .doubleStart, .stopNode, .isolateNode, .slowNode:
            troubleNode(trouble)
        case .crashMaster, .pauseMaster, .splitMaster, .moveMaster: fail(group, trouble)
        case .jumpClock:
            let limit: Int64 = random.chance(50) ? 60_000_000 : 500_000
            let shift = random.span(limit) * (random.chance(50) ? 1 : -1)
            servers[groups[group].master].clockOffset = shift
            note("the clock of group \(group) jumps to \(shift / 1_000) ms")
            if group == controlGroup { controlFaults += 1 }
        case .cutReplica:
            groups[group].linkDownUntil = now + random.span(schedule.lease * 2)
            note("the replica of group \(group) hears nothing for a while")
        case .migrateShard: migrate(random.below(schedule.shardCount))
        case .migrateControl:
            isControlMovingUntil = now + random.span(schedule.lease)
            note("the control slot moves")
        case .order: order()
        }
    }

    private func troubleNode(_ trouble: Schedule.Trouble) {
        let living = nodes.filter { !$0.isGone && !$0.isStopping }
        guard !living.isEmpty else { return }
        let node = living[random.below(living.count)]
        let span = random.span(schedule.lease * 3)
        switch trouble {
        case .pauseNode:
            note("\(node.caller.id) is stopped for \(span / 1_000) ms")
            node.pausedUntil = max(node.pausedUntil, now + span)
        case .crashNode:
            note("\(node.caller.id) crashes")
            node.isGone = true
            if random.chance(30) {
                // Its successor says hello and dies: the word may come after the next one's.
                start(node.caller.name)
                nodes.last?.isGone = true
                note("and dies at once")
            }
            queue.push(
                .start(Int8(node.caller.name)), at: now + (random.chance(50) ? span : span / 50))
        case .doubleStart: queue.push(.start(Int8(node.caller.name)), at: now + 1)
        case .stopNode:
            note("\(node.caller.id) is asked to stop")
            node.isStopping = true
            node.stopAskedAt = now
            tell(node, .stopRequested)
            queue.push(.start(Int8(node.caller.name)), at: now + 6_000_000 + span)
        case .isolateNode:
            note("\(node.caller.id) is cut off for \(span / 1_000) ms")
            node.isolatedUntil = now + span
        default:
            note("\(node.caller.id) is slow for \(span / 1_000) ms")
            node.slowUntil = now + span
        }
    }

    private func order() {
        let server = groups[controlGroup].master
        guard servers[server].state == .up else { return }
        switch random.below(3) {
        case 0:
            let name = "n\(random.below(schedule.nodeCount))"
            note("\(name) is to have no shards")
            servers[server].memory.control?.orders.drained = [name]
        case 1:
            let term = servers[server].memory.control?.lease?.token
            note("the leader is to step down")
            servers[server].memory.control?.orders.stepDown = term
        default:
            note("balance at once")
            servers[server].memory.control?.orders.rebalance =
                serverTime(server).milliseconds
        }
        wakeAll()
    }

    // MARK: Failover

    private func fail(_ group: Int, _ trouble: Schedule.Trouble) {
        guard groups[group].replica != nil, !groups[group].isPromoting,
            !placement.indices.contains(where: { isMoving[$0] && placement[$0] == group })
        else { return }
        let server = groups[group].master
        let detection = schedule.lease / 4 + random.span(schedule.lease)
        groups[group].isPromoting = true
        switch trouble {
        case .crashMaster:
            note("the master of group \(group) dies")
            servers[server].state = .dead
            queue.push(.promotion(Int8(group), of: Int16(server)), at: now + detection)
        case .pauseMaster:
            let span = random.span(schedule.lease * 3)
            note("the master of group \(group) is stopped for \(span / 1_000) ms")
            servers[server].state = .paused
            servers[server].wakesAt = now + span
            queue.push(.demotion(Int16(server)), at: now + span)
            queue.push(.promotion(Int8(group), of: Int16(server)), at: now + detection)
        case .splitMaster:
            note("the master of group \(group) is cut off from the others")
            groups[group].linkDownUntil = now + detection
            queue.push(.promotion(Int8(group), of: Int16(server)), at: now + detection)
        default:
            groups[group].replica = servers[server].memory
            promote(group, from: server)
        }
    }

    func promote(_ group: Int, from server: Int) {
        guard groups[group].isPromoting, groups[group].master == server else { return }
        groups[group].isPromoting = false
        // It came back before anybody gave it up.
        if servers[server].state == .paused, now >= servers[server].wakesAt {
            servers[server].state = .up
            return
        }
        guard let replica = groups[group].replica else { return }
        let isSudden = servers[server].state != .up || groups[group].linkDownUntil > 0
        clusterEpoch += 1
        if group == controlGroup { controlFaults += 1 }
        let promoted = servers.count
        servers.append(
            Server(
                group: group,
                clockOffset: random.chance(50)
                    ? servers[server].clockOffset : Int64(random.below(40_000)) - 20_000,
                epoch: clusterEpoch, memory: replica))
        if !protections.contains(.progressInSlot) { keepProgress(of: server, at: promoted) }
        groups[group].master = promoted
        groups[group].replica = nil
        groups[group].linkDownUntil = 0
        note("server \(promoted) is promoted in group \(group)")
        queue.push(.replicaBack(Int8(group)), at: now + random.span(schedule.lease))
        switch servers[server].state {
        case .up:
            // Cut off, it serves whoever still comes for a while.
            let rest = isSudden ? random.span(schedule.lease / 4) : 0
            queue.push(.demotion(Int16(server)), at: now + rest)
        case .paused, .dead, .demoted: break
        }
    }

    /// Without the protection: the watermarks lie where the failover does not take them back.
    private func keepProgress(of server: Int, at promoted: Int) {
        for shard in placement.indices {
            servers[promoted].memory.shards[shard].watermark =
                servers[server].memory.shards[shard].watermark
        }
    }

    /// An old master wakes, or learns that it is none.
    func demote(_ server: Int) {
        let group = servers[server].group
        switch servers[server].state {
        case .paused:
            servers[server].state = .up
            guard groups[group].master != server else {
                groups[group].isPromoting = false
                return
            }
            note("server \(server) wakes and still takes itself for the master")
            if group == controlGroup { controlFaults += 1 }
            queue.push(.demotion(Int16(server)), at: now + random.span(schedule.lease / 4))
        case .up:
            guard groups[group].master != server else { return }
            note("server \(server) learns that it is no master")
            servers[server].state = .demoted
        case .dead, .demoted: break
        }
    }

    func attachReplica(_ group: Int) {
        guard groups[group].replica == nil else { return }
        note("group \(group) has a replica again")
        groups[group].replica = servers[groups[group].master].memory
    }

    // MARK: Migration

    private func migrate(_ shard: Int) {
        let source = placement[shard]
        let target = (source + 1 + random.below(max(1, groups.count - 1))) % groups.count
        guard target != source, !isMoving[shard], !groups[source].isPromoting,
            !groups[target].isPromoting
        else { return }
        note("shard \(shard) moves to group \(target)")
        isMoving[shard] = true
        queue.push(
            .migrated(Int8(shard), to: Int8(target)), at: now + random.span(schedule.lease / 2))
    }

    func finishMigration(_ shard: Int, to target: Int) {
        guard isMoving[shard] else { return }
        isMoving[shard] = false
        let source = groups[placement[shard]].master
        guard servers[source].state == .up, servers[groups[target].master].state == .up else {
            return note("shard \(shard) stays where it is")
        }
        touchReplica(groups[target].master)
        servers[groups[target].master].memory.shards[shard] = servers[source].memory.shards[shard]
        // The target's replica has the slot before the source lets go of it.
        if groups[target].replica != nil {
            groups[target].replica?.shards[shard] = servers[source].memory.shards[shard]
        }
        placement[shard] = target
        note("shard \(shard) is in group \(target)")
    }
}
