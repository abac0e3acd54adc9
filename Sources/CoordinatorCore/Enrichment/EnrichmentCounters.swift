/// What a node has done since it started, for people and metrics.
public struct EnrichmentCounters: Hashable, Sendable {
    /// Requests begun.
    public var requests: Int64 = 0
    /// Requests under way.
    public var running = 0
    /// Pages in memory that wait for a permit.
    public var ready = 0
    /// Answers with metadata.
    public var found: Int64 = 0
    /// Answers that the article is not there.
    public var missing: Int64 = 0
    /// Failures that are tried again.
    public var failed: Int64 = 0
    /// Pages given up.
    public var dead: Int64 = 0
    /// Permits whose time had passed before a request could begin.
    public var missedPermits: Int64 = 0
    /// The host is asked; false while it is left alone because it did not answer.
    public var isHostAsked = true
    /// Why a request failed last; empty before.
    public var lastFailure = ""
}
