import CoordinatorCore

/// One schedule: nodes with the real core, a network, a cluster of Redis and what breaks them, all
/// drawn from one seed.
///
/// First things break while safety is checked at every step; then all is healed, and everything has
/// to be done within a bound.
///
/// - Units: times are µs of a true clock that nobody in the simulation can read.
final class Simulation {
    /// The wall clocks' reading at the true time zero.
    static let epoch: Int64 = 1_700_000_000_000_000
    /// More than any schedule needs: whoever works without end is found by it.
    private static let mostHappenings = 60_000

    let seed: UInt64
    let schedule: Schedule
    let protections: Protections
    let traces: Bool
    var random: SplitMix64
    var now: Int64 = 0
    var queue = EventQueue()
    var nodes: [SimulatedNode] = []
    var servers: [Server] = []
    var groups: [Group] = []
    /// By shard: its group, and whether its slot is on the way to another.
    var placement: [Int]
    var isMoving: [Bool]
    var isControlMovingUntil: Int64 = 0
    let controlGroup: Int
    let sourceGroup: Int
    var clusterEpoch: UInt64 = 1
    var calls: [Call] = []
    var happenings = 0
    var isHealed = false
    /// The last thing that went wrong.
    var boundFrom: Int64 = 0
    var appended: UInt8 = 0
    var mayAppendUntil: Int64 = 0
    /// Faults so far that may make Redis grant a lease twice.
    var controlFaults = 0
    var book = CheckBook()
    var violation: Violation?
    var trace: [String] = []

    init(
        seed: UInt64, protections: Protections = .all, traces: Bool = false
    ) throws(NodeTimingError) {
        self.seed = seed
        self.protections = protections
        self.traces = traces
        random = SplitMix64(seed: seed)
        schedule = try Schedule(&random)
        placement = []
        for _ in 0..<schedule.shardCount { placement.append(random.below(schedule.groupCount)) }
        isMoving = [Bool](repeating: false, count: schedule.shardCount)
        controlGroup = random.below(schedule.groupCount)
        sourceGroup = random.below(schedule.groupCount)
        calls.reserveCapacity(512)
        for group in 0..<schedule.groupCount {
            let memory = Memory(
                control: group == controlGroup ? ControlSlot(names: schedule.nodeCount) : nil,
                source: group == sourceGroup ? SourceSlot() : nil,
                shards: [ShardSlot](repeating: ShardSlot(), count: schedule.shardCount))
            servers.append(
                Server(
                    group: group, clockOffset: Int64(random.below(20_000)) - 10_000, epoch: 1,
                    memory: memory))
            groups.append(Group(master: group, replica: memory))
        }
        for name in 0..<schedule.nodeCount {
            queue.push(.start(Int8(name)), at: random.span(schedule.lease))
        }
        queue.push(.trouble, at: schedule.troubleFrom + 1)
        queue.push(.healing, at: schedule.troubleUntil)
        mayAppendUntil = min(
            schedule.troubleUntil + schedule.lease,
            schedule.window * Int64(SimulatedLadder.baseCount - 1))
        queue.push(.append, at: schedule.lease / 2)
    }

    /// Runs to the end; returns the first rule that was broken.
    func run() -> Violation? {
        while violation == nil, let next = queue.pop() {
            now = max(now, next.time)
            happenings += 1
            if happenings > Self.mostHappenings {
                violate(.noBusyLoop, "\(happenings) things happened in \(now / 1_000) ms")
                break
            }
            if handle(next.happening) { break }
        }
        return violation
    }

    /// Returns whether the schedule is over.
    private func handle(_ happening: Happening) -> Bool {
        switch happening {
        case .arrival(let call, let group): arrive(Int(call), group: Int(group))
        case .reply(let call): deliver(Int(call), happening)
        case .timeout(let call): giveUp(Int(call), happening)
        case .timer(let node): ring(nodes[Int(node)], happening)
        case .notice(let node, let isLease):
            let node = nodes[Int(node)]
            if putOff(happening, of: node) { return false }
            tell(node, isLease ? .leaseFreed : .woken)
        case .readOn(let node):
            if !putOff(happening, of: nodes[Int(node)]) { readOn(nodes[Int(node)]) }
        case .rotate(let node, let shard):
            if !putOff(happening, of: nodes[Int(node)]) {
                rotate(nodes[Int(node)], Int(shard))
            }
        case .start(let name): start(Int(name))
        case .promotion(let group, let server): promote(Int(group), from: Int(server))
        case .replicaBack(let group): attachReplica(Int(group))
        case .demotion(let server): demote(Int(server))
        case .migrated(let shard, let group): finishMigration(Int(shard), to: Int(group))
        case .append: append()
        case .trouble: makeTrouble()
        case .healing: heal()
        case .look: return look()
        }
        return false
    }

    /// Puts off what concerns a node that is stopped; drops it when the node is gone.
    func putOff(_ happening: Happening, of node: SimulatedNode) -> Bool {
        if node.isGone { return true }
        guard node.isPaused(now) else { return false }
        queue.push(happening, at: node.pausedUntil)
        return true
    }

    // MARK: Telling

    func note(_ text: @autoclosure () -> String) {
        guard traces else { return }
        let time = "\(now / 1_000).\(String(now % 1_000 + 1_000).dropFirst())"
        trace.append("\(String(repeating: " ", count: max(0, 10 - time.count)))\(time) \(text())")
    }

    func violate(_ rule: Rule, _ detail: @autoclosure () -> String) {
        guard violation == nil else { return }
        violation = Violation(rule: rule, detail: detail())
        note("VIOLATION \(violation?.description ?? "")")
    }

    func append() {
        guard now < mayAppendUntil, appended < 60 else { return }
        let lateness = random.chance(20) ? random.span(schedule.window * 10) : 0
        let window = max(0, now - lateness) / schedule.window
        var shards: UInt8 = 0
        for _ in 0...random.below(2) { shards |= 1 << UInt8(random.below(schedule.shardCount)) }
        let server = groups[sourceGroup].master
        let isThere = servers[server].state == .up
        if isThere, window < Int64(SimulatedLadder.baseCount) {
            touchReplica(server)
            let time = serverTime(server)
            let record = UInt8(random.below(2))
            servers[server].memory.source?.append(
                number: appended, window: UInt8(window), shards: shards, record: record, time)
            note("event \(appended) of window \(window) to shards \(String(shards, radix: 2))")
            appended += 1
        }
        queue.push(.append, at: now + schedule.lease / 20 + random.span(schedule.lease / 2))
    }
}
