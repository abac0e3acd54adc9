import CoordinatorCore

/// What a node asks a server.
enum Operation {
    case grant(above: FencingToken?)
    case renew
    case release(FencingToken)
    case beat(Heartbeat, joinedAt: Int64?)
    case publish(ShardMapDraft, term: FencingToken, above: FencingToken)
    case leave
    case tokens([ShardID])
    case claim(Int, FencingToken)
    case watermark(Int)
    case chunk(after: Int64)
    case read(after: Int64)
    case apply(Int, expected: Int64, new: Int64, [SourceEntry])
    case rotate(Int, FencingToken)

    /// A client sends these again when the connection broke.
    var isRepeatable: Bool {
        switch self {
        case .grant, .renew, .release, .beat, .leave, .tokens, .claim, .watermark, .chunk, .read:
            true
        case .publish, .apply, .rotate: false
        }
    }
}

/// What became of a call.
enum Answer {
    case none
    case lease(LeaseAnswer)
    case beat(HeartbeatAnswer, joinedAt: Int64)
    case superseded
    case published(FencingToken)
    case refused
    case left
    case claimed
    case claimRefused(FencingToken)
    case watermark(Int64)
    case chunk([SourceEntry], server: Int)
    case read([SourceEntry], position: Int64, server: Int)
    case applied(ShardSlot.Application)
    case rotated(ShardSlot.Rotation)
    /// The server knows its limits: not now, or not me.
    case failed
}

/// One call of a node and its way through the network.
struct Call {
    let node: Int
    /// The core's number of it; 0 for work.
    let request: RequestID
    let operation: Operation
    /// By the node's clock.
    let sentAt: MonotonicInstant
    /// By the true clock, µs.
    let givenUpAt: Int64
    var answer = Answer.none
    /// For tokens of several groups.
    var tokens: [ShardID: FencingToken] = [:]
    var outstanding = 1
    var isSettled = false
    var hasTimeout = false
}
