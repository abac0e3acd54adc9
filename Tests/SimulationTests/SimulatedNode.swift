import CoordinatorCore

/// One start of one node: the real core, and what its shell would keep beside it.
final class SimulatedNode {
    let caller: Caller
    /// Its monotonic clock, ns at the true time zero, and how wrong it runs.
    private let clockStart: Int64
    private let partsPerMillion: Int64

    var core: NodeCore
    var isGone = false
    var isStopping = false
    var stopAskedAt: Int64 = 0
    var pausedUntil: Int64 = 0
    /// No call of it gets through before.
    var isolatedUntil: Int64 = 0
    var slowUntil: Int64 = 0
    /// The true time of its timer, and of what it waits for.
    var timerAt: Int64 = .max
    var deadline: Int64 = .max
    var joinedAt: Int64?
    /// By group: the server it takes for the master, and whether it knows of a replica.
    var route: [(server: Int, hasReplica: Bool)]
    /// By shard: the token it works with.
    var working: [FencingToken?]
    var isRotating: [Bool]
    var reader: SourceReading
    var term: FencingToken?

    init(
        _ caller: Caller, clockStart: Int64, partsPerMillion: Int64, schedule: Schedule,
        seed: UInt64, now: Int64, route: [(server: Int, hasReplica: Bool)]
    ) {
        self.caller = caller
        self.clockStart = clockStart
        self.partsPerMillion = partsPerMillion
        self.route = route
        working = [FencingToken?](repeating: nil, count: schedule.shardCount)
        isRotating = [Bool](repeating: false, count: schedule.shardCount)
        reader = SourceReading(shards: schedule.shardCount)
        let start = Self.reading(now, clockStart, partsPerMillion)
        core = NodeCore(
            id: caller.id, timing: schedule.timing, shardCount: schedule.shardCount, seed: seed,
            now: start)
    }

    /// What its clock shows at a true time.
    func clock(_ time: Int64) -> MonotonicInstant {
        Self.reading(time, clockStart, partsPerMillion)
    }

    /// The true time at which its clock shows a reading, not before.
    func trueTime(of instant: MonotonicInstant) -> Int64 {
        let passed = Int64(instant.nanoseconds) - clockStart
        return passed * 1_000 / (1_000_000 + partsPerMillion) + 1
    }

    private static func reading(
        _ time: Int64, _ clockStart: Int64, _ partsPerMillion: Int64
    ) -> MonotonicInstant {
        let passed = time * 1_000 + time * partsPerMillion / 1_000
        return MonotonicInstant(nanoseconds: UInt64(clockStart + passed))
    }

    func isPaused(_ time: Int64) -> Bool { time < pausedUntil }
}

/// A reader's place: a round reads unknown watermarks, the source behind the lowest, and applies.
struct SourceReading {
    enum Phase { case off, resting, watermarks, source, applies }

    var phase = Phase.off
    /// By shard; nil: to be read.
    var known: [Int64?]
    /// Calls of this phase that are not answered.
    var outstanding = 0
    /// Only without the protection: the position is trusted more than the shards.
    var position: Int64 = 0
    /// Entries of this round that were read before the call that makes sure of them, and where.
    var chunk: [SourceEntry] = []
    var chunkServer: Int?
    /// Rounds since all shards were told how far the source was read.
    var rounds = 0

    init(shards: Int) {
        known = [Int64?](repeating: nil, count: shards)
    }
}
