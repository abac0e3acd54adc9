import CoordinatorCore

/// What a node says of its requests in its heartbeat, for people and metrics.
public struct EnrichmentReport: Codable, Hashable, Sendable {
    /// The host that it asks, with its port.
    public let host: String
    /// False while the host is left alone because it did not answer.
    public let isAsked: Bool
    /// Requests under way, and pages in memory that wait for a permit.
    public let running: Int
    public let ready: Int
    /// Since the node started.
    public let requests: Int64
    public let found: Int64
    public let missing: Int64
    public let failed: Int64
    public let dead: Int64
    /// Permits whose time had passed before a request could begin.
    public let missedPermits: Int64
    /// Why a request failed last; empty before.
    public let lastFailure: String

    enum CodingKeys: String, CodingKey {
        case host, running, ready, requests, found, missing, failed, dead
        case isAsked = "asked"
        case missedPermits = "missed_permits"
        case lastFailure = "last_failure"
    }

    init(_ settings: EnrichmentSettings, _ counters: EnrichmentCounters) {
        host = "\(settings.template.host):\(settings.template.port)"
        isAsked = counters.isHostAsked
        running = counters.running
        ready = counters.ready
        requests = counters.requests
        found = counters.found
        missing = counters.missing
        failed = counters.failed
        dead = counters.dead
        missedPermits = counters.missedPermits
        lastFailure = String(
            String.UnicodeScalarView(counters.lastFailure.unicodeScalars.prefix(200)))
    }
}
