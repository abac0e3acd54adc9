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
    /// Connections at a time: each costs some 20 KiB. One more takes the place of the one that has
    /// waited longest, so that a probe always gets in.
    public var connections = 256
    /// Of one address.
    public var connectionsPerAddress = 128
    /// Connections taken in one turn; the others wait in the kernel.
    public var acceptsPerTurn = 32
    /// The kernel's queue of connections that wait to be taken.
    public var backlog: Int32 = 256
    /// Event streams at a time.
    public var eventStreams = 32
    /// A stream whose peer leaves more than this unread is dropped.
    public var streamQueueBytes = 256 * 1_024
    /// The part of the node's time that requests may take, however many come.
    public var share = 0.04
    /// So much may be taken at once before the share counts.
    public var burst: Duration = .milliseconds(60)
    /// A server that has taken its share rests at most this long: probes wait for it.
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
    /// Times the server rested because it had taken its share.
    public var rests: UInt64 = 0

    /// Nothing yet.
    public init() {}
}
