/// The spans that hold a node's lease and membership together.
///
/// - Invariant: a lease is renewed at least twice before it ends, and a node is not lost for one
///   heartbeat that came late.
public struct NodeTiming: Hashable, Sendable {
    /// Below, a busy machine or one slow command of Redis costs a leadership.
    public static let shortestLease: Duration = .milliseconds(200)
    /// Above, a dead leader would be missed for longer than people wait before they act.
    public static let longestLease: Duration = .seconds(600)

    /// How long a grant or a renewal holds.
    public let leaseDuration: Duration
    /// How often a leader renews.
    public let renewInterval: Duration
    /// How often a node says that it is there.
    public let heartbeatInterval: Duration
    /// A node that has been silent for this long is lost, and its shards are given to others.
    public let nodeTTL: Duration
    /// A node that was lost and is back gets shards again only after this: one that comes and goes
    /// must not make them move each time.
    public let holdDown: Duration
    /// A node that has just joined takes shards without an owner at once, and those of others only
    /// after this: in a rolling restart an old node is about to stop and give its shards away.
    public let joinDelay: Duration
    /// How long a node that was asked to stop waits for others to take its shards.
    public let drainTimeout: Duration

    /// How long the answer to a heartbeat is waited for: the next one comes before the node is
    /// lost. Below the least a busy machine would make failures of answers that are under way.
    public var heartbeatTimeout: Duration {
        min(.seconds(1), max(heartbeatInterval, .milliseconds(250)))
    }

    /// What a leader stops before its lease ends: for clocks that do not run alike.
    public var leaseMargin: Duration { leaseDuration / 50 }

    /// Checks and keeps the spans; nil takes the default that goes with the others.
    ///
    /// - Errors: `.timing` with the reason and the way out.
    public init(
        lease: Duration = .seconds(3), renew: Duration? = nil, heartbeat: Duration? = nil,
        nodeTTL: Duration? = nil, holdDown: Duration = .seconds(2),
        joinDelay: Duration = .seconds(15), drainTimeout: Duration = .seconds(20)
    ) throws(NodeTimingError) {
        guard (Self.shortestLease...Self.longestLease).contains(lease) else {
            throw NodeTimingError(
                "--lease must be from 200ms to 10m: it is how long a dead leader is waited for, "
                    + "and a shorter one is lost whenever Redis or the node is busy")
        }
        let renew = renew ?? lease / 4
        guard renew > .zero, renew * 2 < lease else {
            throw NodeTimingError(
                "--renew-interval must be less than half of --lease: one renewal that is lost "
                    + "would end the leadership; leave it out for a quarter")
        }
        let ttl = nodeTTL ?? max(lease, .seconds(1))
        let heartbeat = heartbeat ?? min(.seconds(1), ttl / 3)
        guard heartbeat > .zero, heartbeat * 2 < ttl else {
            throw NodeTimingError(
                "--heartbeat-interval must be less than half of --node-ttl: a node would be given "
                    + "up for one late heartbeat")
        }
        guard ttl <= Self.longestLease, holdDown >= .zero, joinDelay >= .zero,
            joinDelay <= Self.longestLease, drainTimeout >= .zero
        else {
            throw NodeTimingError(
                "--node-ttl and --join-delay must be at most 10m, and no span negative")
        }
        leaseDuration = lease
        renewInterval = renew
        heartbeatInterval = heartbeat
        self.nodeTTL = ttl
        self.holdDown = holdDown
        self.joinDelay = joinDelay
        self.drainTimeout = drainTimeout
    }
}

/// Spans that cannot work together: a sentence with the reason and the way out.
public struct NodeTimingError: Error, Hashable, CustomStringConvertible {
    /// The sentence.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
