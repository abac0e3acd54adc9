import CoordinatorCore

/// The shape of one schedule, drawn from its seed: how large, how fast, and what goes wrong.
///
/// Only some kinds of trouble happen in one schedule: where everything breaks at once, most of it
/// is never reached.
struct Schedule {
    enum Trouble: CaseIterable {
        case pauseNode, crashNode, doubleStart, stopNode, isolateNode, slowNode
        case crashMaster, pauseMaster, splitMaster, moveMaster
        case jumpClock, cutReplica, migrateShard, migrateControl, order
    }

    let nodeCount: Int
    let shardCount: Int
    /// Groups of servers: a master and its replica.
    let groupCount: Int
    let timing: NodeTiming
    let troubles: [Trouble]
    /// When the first and the last thing goes wrong, µs.
    let troubleFrom: Int64
    let troubleUntil: Int64
    let troubleEvery: Int64
    /// Percent of requests that are lost, of replies that are lost, delayed, and sent twice.
    let lostRequests: Int
    let lostReplies: Int
    let late: Int
    let twice: Int
    /// The usual way through the network, µs.
    let hop: Int64
    /// How much the replica lags: percent of writes before which it has caught up.
    let caughtUp: Int
    /// The length of a base window, µs.
    let window: Int64

    var lease: Int64 { timing.leaseDuration.wholeMilliseconds * 1_000 }

    init(_ random: inout SplitMix64) throws(NodeTimingError) {
        nodeCount = 2 + random.below(10) % 4
        shardCount = [2, 2, 3, 4, 4, 8][random.below(6)]
        groupCount = 1 + random.below(3)
        let lease: Int64 = [600, 1_000, 2_000, 3_000][random.below(4)]
        timing = try NodeTiming(
            lease: .milliseconds(lease), holdDown: .milliseconds(random.below(2) * 1_000),
            joinDelay: .milliseconds(random.below(3) * 1_000),
            drainTimeout: .seconds(5))
        var chosen: [Trouble] = []
        for trouble in Trouble.allCases where random.chance(35) { chosen.append(trouble) }
        troubles = chosen
        troubleFrom = random.chance(30) ? 0 : lease * 500
        troubleUntil = troubleFrom + lease * Int64(2_000 + random.below(3_000))
        troubleEvery = lease * Int64(100 + random.below(500))
        let isFlaky = random.chance(50)
        lostRequests = isFlaky ? random.below(8) : 0
        lostReplies = isFlaky ? random.below(8) : 0
        late = isFlaky ? random.below(8) : 0
        twice = random.chance(50) ? random.below(10) : 0
        hop = Int64(100 + random.below(5_000))
        caughtUp = [50, 80, 95][random.below(3)]
        window = lease * 250
    }
}

extension SplitMix64 {
    /// A number from zero, evenly enough.
    mutating func below(_ limit: Int) -> Int {
        Int(((next() >> 32) &* UInt64(limit)) >> 32)
    }

    /// Whether something of a probability in percent happens.
    mutating func chance(_ percent: Int) -> Bool {
        percent > 0 && below(100) < percent
    }

    /// A span up to a limit, in which short ones are as likely as long ones.
    mutating func span(_ limit: Int64) -> Int64 {
        let part = Double(next() >> 40) / Double(1 << 24)
        return Int64(Double(limit) * part * part)
    }
}
