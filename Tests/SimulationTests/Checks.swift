import CoordinatorCore

/// What the checker remembers, beside what the slots hold.
struct CheckBook {
    /// Terms and their leaders, (shard, token) and their workers, versions of maps.
    var terms: [(token: FencingToken, node: Int)] = []
    var workers: [(shard: Int, token: FencingToken, node: Int)] = []
    var versions: [FencingToken] = []
    /// How long after the last trouble all was well, µs.
    var healedAfter: Int64 = 0
    /// By node: the faults of Redis there had been when its lease was granted or renewed last.
    private var leases: [Int] = []

    mutating func noteLease(of node: Int, faults: Int) {
        while leases.count <= node { leases.append(-1) }
        leases[node] = faults
    }

    func faultsAtLease(of node: Int) -> Int { node < leases.count ? leases[node] : -1 }
}

/// A shard's progress before a script ran.
struct ShardPlace {
    let token: FencingToken?
    let watermark: Int64
    let sealed: SIMD2<Int64>
    let done: SIMD2<Int64>

    init(_ slot: ShardSlot) {
        token = slot.token
        watermark = slot.watermark
        sealed = slot.sealed
        done = slot.done
    }
}

/// Safety: checked at every step.
extension Simulation {
    func checkTerm(_ node: SimulatedNode, _ token: FencingToken) {
        if book.terms.contains(where: { $0.token == token }) {
            violate(.termsNeverRepeat, "\(token.short) again, by \(node.caller.id)")
        }
        book.terms.append((token, node.caller.number))
        guard book.faultsAtLease(of: node.caller.number) == controlFaults else { return }
        for other in nodes where other !== node && !other.isGone {
            guard other.term != nil, other.core.isLeading(other.clock(now)),
                book.faultsAtLease(of: other.caller.number) == controlFaults
            else { continue }
            violate(.oneLeader, "\(node.caller.id) began while \(other.caller.id) leads")
        }
    }

    func checkWorker(_ node: SimulatedNode, _ shard: Int, _ token: FencingToken) {
        for known in book.workers where known.shard == shard && known.token == token {
            guard known.node != node.caller.number else { return }
            violate(
                .oneWorkerPerToken,
                "shard \(shard), \(token.short): \(node.caller.id) and "
                    + "\(nodes[known.node].caller.id)"
            )
        }
        book.workers.append((shard, token, node.caller.number))
    }

    func checkPublication(
        _ before: ControlSlot?, _ version: FencingToken, by caller: Caller, _ time: ServerTime
    ) {
        if before?.holder(time)?.holder != caller.number {
            violate(.publishedUnderLease, "map \(version.short) of \(caller.id)")
        }
        if let stored = before?.map?.version, stored >= version {
            violate(.mapVersionsRise, "\(version.short) after \(stored.short)")
        }
        if book.versions.contains(version) {
            violate(.mapVersionsRise, "\(version.short) again")
        }
        book.versions.append(version)
    }

    func checkProgress(_ shard: Int, _ before: ShardPlace, _ server: Int) {
        let slot = servers[server].memory.shards[shard]
        if let token = before.token, slot.token.map({ $0 < token }) ?? true {
            violate(
                .tokenNeverRetreats,
                "shard \(shard): \(slot.token?.short ?? "") after \(token.short)")
        }
        if slot.watermark < before.watermark {
            violate(
                .watermarkNeverRetreats,
                "shard \(shard): \(slot.watermark) after \(before.watermark)")
        }
        if any(slot.sealed .< before.sealed) || any(slot.done .< before.done) {
            violate(.progressNeverRetreats, "shard \(shard)")
        }
        if slot.closedTwice { violate(.oneEffectPerWindow, "shard \(shard) closed one twice") }
    }

    func checkApplication(_ shard: Int, _ before: ShardPlace, _ server: Int) {
        checkProgress(shard, before, server)
        let slot = servers[server].memory.shards[shard]
        if slot.countedTwice { violate(.eventsCountOnce, "shard \(shard) counted one twice") }
        guard isMaster(server), let source = servers[groups[sourceGroup].master].memory.source
        else { return }
        var expected: UInt64 = 0
        for entry in source.entries where entry.id <= slot.watermark && entry.touches(shard) {
            expected |= 1 << UInt64(entry.number)
        }
        if expected != slot.counted {
            violate(
                .eventsCountOnce,
                "shard \(shard): missing \(Self.numbers(expected & ~slot.counted)), "
                    + "too many \(Self.numbers(slot.counted & ~expected))")
        }
    }

    func checkRotation(
        _ shard: Int, _ token: FencingToken, _ before: ShardPlace, _ server: Int
    ) {
        if before.token != token {
            violate(
                .noEffectUnderOldToken,
                "shard \(shard): \(token.short) while it holds \(before.token?.short ?? "none")")
        }
        checkProgress(shard, before, server)
    }

    static func numbers(_ set: UInt64) -> [Int] { (0..<64).filter { set >> UInt64($0) & 1 == 1 } }
}
