/// Everything that a node decides: whether it leads, who owns which shard, which shards it works
/// on.
///
/// It takes facts and readings of a monotonic clock and returns directives; it does nothing itself,
/// so that the simulator runs the same decisions as a node, thousands of schedules a second.
///
/// - Legal transitions: follower → candidate → leader or follower; leader → follower. A shard:
///   none → claimed → worked on → (leaving) → none.
/// - Invariant: directives of work on a shard carry the token that the shard accepted last.
/// - Not guaranteed: that one node leads at every moment, or that one node works on a shard. The
///   token that each shard's slot holds is what keeps figures right.
public struct NodeCore: Sendable {
    /// Between two heartbeats that are sent because something happened.
    static let shortestHeartbeatGap: Duration = .milliseconds(20)
    /// A heartbeat, claim or grant that failed is tried again after this at the latest: Redis may
    /// be back any moment.
    static let longestRetry: Duration = .milliseconds(500)
    static let firstRetry: Duration = .milliseconds(50)
    /// How often a node looks whether others have taken the shards it is to give up.
    static let handOverPoll: Duration = .milliseconds(20)
    /// The same once the new owner has let itself be waited for.
    static let slowHandOverPoll: Duration = .milliseconds(250)
    /// When a new owner is slow.
    static let promptHandOver: Duration = .seconds(1)
    /// Attempts at an expired lease are spread over this, so that not all come at once.
    static let attemptSpread: Duration = .milliseconds(20)
    /// A lease that lives this much longer than a grant was not granted so.
    static let clockJumpSlack: Duration = .seconds(1)

    /// The node.
    public let id: NodeID
    let timing: NodeTiming
    let shardCount: Int
    var random: SplitMix64
    private var lastRequest: UInt64 = 0
    var directives: [NodeDirective] = []

    var role: Role = .follower(attemptAt: nil)
    /// The last holder that was seen and is not known to have stepped down.
    var lastHolder: LeaseAnswer.Holder?
    /// The greatest term this node ever had: none is asked for again.
    var greatestTerm: FencingToken?
    /// No attempt at the lease before: this node was asked to leave it to others.
    var abstainsUntil: MonotonicInstant?

    var heartbeat: RequestID?
    var heartbeatSentAt: MonotonicInstant
    var nextHeartbeatAt: MonotonicInstant
    var heartbeatFailures = 0
    var wantsHeartbeat = false
    /// Another start of this name is registered: until when that may still be the late word of one
    /// that has died.
    var supersededUntil: MonotonicInstant?

    /// The newest map this node knows.
    public internal(set) var map: ShardMap?
    var holdings: [Holding]
    var claimRequests: [RequestID: ShardID] = [:]
    var refused: [ShardID: FencingToken] = [:]
    var handOver: HandOver?
    var orders = NodeOrders()

    var stopping: Stopping?

    /// A node that has not spoken yet.
    ///
    /// - Parameter seed: of the jitter; differs between nodes.
    public init(
        id: NodeID, timing: NodeTiming, shardCount: Int, seed: UInt64, now: MonotonicInstant
    ) {
        self.id = id
        self.timing = timing
        self.shardCount = shardCount
        random = SplitMix64(seed: seed)
        holdings = [Holding](repeating: Holding(), count: shardCount)
        heartbeatSentAt = now
        nextHeartbeatAt = now
    }

    /// Whether the node leads, by its own clock.
    public func isLeading(_ now: MonotonicInstant) -> Bool {
        guard case .leader(let leadership) = role else { return false }
        return now < leadership.validUntil
    }

    /// How long the node may still trust its lease, by its own clock; zero when it does not lead.
    public func leaseRemaining(_ now: MonotonicInstant) -> Duration {
        guard case .leader(let leadership) = role, now < leadership.validUntil else { return .zero }
        return leadership.validUntil - now
    }

    /// The shards the node works on, and with which tokens.
    public var working: [ShardID: FencingToken] {
        var all: [ShardID: FencingToken] = [:]
        for (number, holding) in holdings.enumerated() {
            if let token = holding.working { all[ShardID(rawValue: number)] = token }
        }
        return all
    }

    /// Takes a fact, and everything that is due by now; returns what is to be done about it.
    public mutating func step(_ event: NodeEvent, now: MonotonicInstant) -> [NodeDirective] {
        if isFinished { return [] }
        // Before anything else: what this node believes of its lease ends by its own clock.
        endLeaseInTime(now)
        take(event, now)
        if !isFinished { advance(now) }
        defer { directives = [] }
        return directives
    }

    /// When something is due if nothing happens until then.
    public func nextDeadline(after now: MonotonicInstant) -> MonotonicInstant {
        var earliest = now + timing.heartbeatInterval
        func consider(_ instant: MonotonicInstant?) {
            if let instant { earliest = min(earliest, instant) }
        }
        if heartbeat == nil { consider(nextHeartbeatAt) }
        switch role {
        case .follower(let attemptAt): consider(attemptAt)
        case .candidate: break
        case .leader(let leadership):
            consider(leadership.validUntil)
            if leadership.renewal == nil { consider(leadership.renewAt) }
            // One that has passed is looked at by the next heartbeat, which has its own time.
            if heartbeat == nil, let next = leadership.membership.nextDeadline(after: now),
                next > now
            {
                consider(next)
            }
            if leadership.tokensRequest == nil, !leadership.hasTokens {
                consider(leadership.readTokensAt)
            }
        }
        consider(nextClaimAt)
        if let handOver, handOver.request == nil { consider(handOver.nextAt) }
        if let stopping, stopping.leaving == nil { consider(stopping.deadline) }
        return max(now, earliest)
    }

    // MARK: Steps

    private mutating func take(_ event: NodeEvent, _ now: MonotonicInstant) {
        switch event {
        case .timePassed: break
        case .leaseAnswered(let request, let sentAt, let answer):
            takeLease(request, sentAt: sentAt, answer, now)
        case .heartbeatAnswered(let request, let answer):
            guard request == heartbeat else { return }
            takeHeartbeat(answer, now)
        case .superseded(let request):
            guard request == heartbeat else { return }
            takeSuperseded(now)
        case .tokensRead(let request, let tokens): takeTokens(request, tokens, now)
        case .mapPublished(let request, let version): takePublished(request, version, now)
        case .publicationRefused(let request): takeRefusedPublication(request, now)
        case .shardClaimed(let request): takeClaimed(request)
        case .claimRefused(let request, let token): takeRefusedClaim(request, token, now)
        case .left(let request):
            guard request == stopping?.leaving else { return }
            finishStopping()
        case .requestFailed(let request): takeFailure(request, now)
        case .shardFenced(let shard, let shown, let token):
            takeFenced(shard, shown: shown, by: token, now)
        case .shardEmptied(let shard): claimAgain(shard, now)
        case .woken: heartbeatSoon(now)
        case .leaseFreed:
            lastHolder = nil
            // Another one has had it since this node left it to others.
            abstainsUntil = nil
            heartbeatSoon(now)
            attemptNow(now)
        case .stopRequested: beginStopping(now)
        }
    }

    /// Everything that time alone makes due.
    private mutating func advance(_ now: MonotonicInstant) {
        advanceElection(now)
        advanceLeading(now)
        advanceHeartbeat(now)
        advanceShards(now)
        advanceStopping(now)
    }

    private mutating func takeFailure(_ request: RequestID, _ now: MonotonicInstant) {
        if request == heartbeat {
            heartbeat = nil
            heartbeatFailures += 1
            nextHeartbeatAt = now + retryPause(after: heartbeatFailures)
        } else if request == handOver?.request {
            handOver?.request = nil
            handOver?.nextAt = now + Self.slowHandOverPoll
        } else if request == stopping?.leaving {
            // The list forgets a silent node by itself.
            finishStopping()
        } else if let shard = claimRequests.removeValue(forKey: request) {
            failClaim(shard, request, now)
        } else {
            failLeading(request, now)
        }
    }

    var isFinished: Bool { stopping?.isFinished ?? false }

    /// Whether the node may lead and own shards.
    var isTakingPart: Bool { stopping == nil && supersededUntil == nil }

    mutating func makeRequest() -> RequestID {
        lastRequest += 1
        return RequestID(rawValue: lastRequest)
    }

    /// Doubled at each failure, with jitter.
    mutating func retryPause(after failures: Int) -> Duration {
        let doubled = Self.firstRetry * (1 << min(max(failures - 1, 0), 8))
        return min(doubled, Self.longestRetry) * Double.random(in: 0.5...1, using: &random)
    }
}

extension NodeCore {
    enum Role {
        case follower(attemptAt: MonotonicInstant?)
        case candidate(RequestID)
        case leader(Leadership)
    }

    /// One term, as its leader sees it.
    struct Leadership {
        let token: FencingToken
        var validUntil: MonotonicInstant
        var renewAt: MonotonicInstant
        var renewal: RequestID?
        /// The greatest token that each shard was seen to hold.
        var seen: [ShardID: FencingToken] = [:]
        var tokensRequest: RequestID?
        var readTokensAt: MonotonicInstant
        var hasTokens = false
        var membership: Membership
        /// The nodes and the map were read since the last publication of unknown outcome.
        var hasLooked = false
        /// The stored map went back: a failover lost a publication.
        var mustPublish = false
        var publication: (request: RequestID, draft: ShardMapDraft)?
        /// The last order for balance that was carried out in this term.
        var rebalance: Int64?
    }

    /// What the node has to do with one shard.
    struct Holding {
        struct Claim {
            let token: FencingToken
            var request: RequestID?
            var retryAt: MonotonicInstant
            var failures = 0
        }

        /// The token the shard accepted from this node last.
        var working: FencingToken?
        var claim: Claim?
        /// The map names another owner, who has not been seen to have claimed the shard.
        var isLeaving = false
    }

    /// The watch over shards that others are to take.
    struct HandOver {
        let begunAt: MonotonicInstant
        var nextAt: MonotonicInstant
        var request: RequestID?
    }

    /// The orderly end.
    struct Stopping {
        var deadline: MonotonicInstant
        /// Since the node said that it stops: whether anybody is there to take its shards.
        var hasHeirs: Bool?
        var leaving: RequestID?
        var timedOut = false
        var isFinished = false
    }
}
