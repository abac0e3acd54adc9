/// One process of Redis.
struct Server {
    enum State {
        case up, paused, dead
        /// Knows that another is the master now, and sends clients there.
        case demoted
    }

    /// Master and replica, whichever it is at the time.
    let group: Int
    var state = State.up
    /// When a paused one goes on.
    var wakesAt: Int64 = 0
    /// What its clock shows beside the true time, µs.
    var clockOffset: Int64
    var epoch: UInt64
    var memory: Memory
}

/// What a server holds. Slots replicate as one ordered stream, so a replica's memory is one that
/// its master had.
struct Memory {
    var control: ControlSlot?
    var source: SourceSlot?
    var shards: [ShardSlot]
}

/// A master, its replica, and the place of its slots.
struct Group {
    /// The server that is the master, as the cluster sees it.
    var master: Int
    /// What the replica holds; nil while there is none.
    var replica: Memory?
    /// The replica gets nothing before.
    var linkDownUntil: Int64 = 0
    var isPromoting = false
    var clockOffset: Int64 = 0
}
