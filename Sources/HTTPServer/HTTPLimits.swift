/// The bounds of a server. Who is outside may be hostile; the node's work comes first.
public struct HTTPLimits: Sendable {
    /// Request line and headers together, bytes.
    public var headerBytes = 8 * 1_024
    /// A body, bytes: orders are some hundred.
    public var bodyBytes = 64 * 1_024
    /// From the connection to the end of the headers, and from there to the end of the body.
    public var requestDeadline: Duration = .seconds(5)
    /// A connection without a request is kept this long; Prometheus asks every 15 s to 60 s.
    public var idleTime: Duration = .seconds(75)
    /// A peer has to have taken its answer by then.
    public var answerDeadline: Duration = .seconds(30)
    /// Connections that say nothing yet or whose request waits for its turn, at a time: each costs
    /// a descriptor. One more takes the place of the one that has waited longest.
    public var waiting = 512
    /// Of one address.
    public var waitingPerAddress = 448
    /// Connections whose requests are read or answered, at a time: each costs some 20 KiB. One more
    /// takes the place of the one that has waited longest.
    public var connections = 256
    /// Of one address.
    public var connectionsPerAddress = 128
    /// Probes beside them.
    public var probes = 32
    /// Connections taken in one turn; the others wait in the kernel.
    public var acceptsPerTurn = 32
    /// From one such turn to the next.
    public var acceptPause: Duration = .milliseconds(4)
    /// Requests begun in one turn.
    public var admissionsPerTurn = 4
    /// The kernel's queue of connections that wait to be taken.
    public var backlog: Int32 = 512
    /// What the kernel takes in from a peer before it is read, bytes; it doubles that for itself.
    public var unreadBytes: Int32 = 16 * 1_024
    /// Event streams at a time.
    public var eventStreams = 32
    /// A stream whose peer leaves more than this unread is dropped.
    public var streamQueueBytes = 256 * 1_024
    /// The part of a core that taking connections in may take, however many come. The door's thread
    /// does not keep the loop from counting, but a core may be all there is.
    public var doorShare = 0.03
    /// So much may be taken at once before that part counts: some hundred connections.
    public var doorBurst: Duration = .milliseconds(20)
    /// The part of the loop's time that probes may take.
    public var probeShare = 0.005
    /// The part that all other requests may take.
    public var share = 0.01
    /// So much may be taken at once before these two parts count.
    public var burst: Duration = .milliseconds(60)
    /// What has taken its part rests at most this long.
    public var longestRest: Duration = .milliseconds(250)

    /// The bounds as they are meant.
    public init() {}
}

/// What a server has seen since it began.
public struct HTTPStatistics: Sendable {
    /// Connections taken in.
    public var accepted: UInt64 = 0
    /// Connections ended before their request was, because others wanted their place.
    public var evicted: UInt64 = 0
    /// Connections ended because a deadline passed.
    public var timedOut: UInt64 = 0
    /// Event streams dropped because their peer did not read.
    public var slowStreams: UInt64 = 0
    /// Times that taking connections in rested because it had used its part of the time.
    public var doorRests: UInt64 = 0
    /// The same of probes.
    public var probeRests: UInt64 = 0
    /// The same of all other requests.
    public var rests: UInt64 = 0

    /// Nothing yet.
    public init() {}
}
