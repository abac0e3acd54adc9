import EventLoop
public import Metrics

/// Figures of the client since it was made.
public struct RedisStatistics: Sendable, Equatable {
    /// Requests given to the client.
    public var requests: UInt64 = 0
    /// Attempts that were redirected or refused for now.
    public var redirections: UInt64 = 0
    /// Connections that were lost or could not be made.
    public var lostConnections: UInt64 = 0
    /// Questions for the topology.
    public var topologyRefreshes: UInt64 = 0
    /// Requests whose outcome is unknown.
    public var unknownOutcomes: UInt64 = 0

    /// Ended requests, by command (a script by its name) and result.
    public var commands = CounterFamily(
        "coordinator_redis_commands_total",
        "Commands sent to Redis, by command and result; a script by its name.",
        labels: ["command", "result"])
    /// From the call to the answer, redirections included, by command.
    public var durations = HistogramFamily(
        "coordinator_redis_command_duration_seconds",
        "Time from a command's call to its answer, redirections and retries included.",
        labels: ["command"])
    /// Redirections, by kind.
    public var redirectionsByKind = CounterFamily(
        "coordinator_redis_redirections_total", "Commands that Redis sent elsewhere or back.",
        labels: ["kind"],
        known: ["moved", "ask", "tryagain", "noscript", "busy", "unavailable"].map { [$0] })

    /// Nothing yet.
    public init() {}
}

extension RedisStatistics {
    /// Takes in a request that has ended.
    @LoopActor mutating func note(_ request: RedisRequest, _ error: RedisError?, now: UInt64) {
        let name = request.statisticsName
        commands.add(name, error?.resultName ?? "ok")
        guard error == nil else { return }
        durations.observe(name, span: .nanoseconds(Int64(clamping: now &- request.startedAt)))
    }
}

extension RedisRequest {
    /// A word of the program, bounded by what it can send.
    fileprivate var statisticsName: String {
        first.operation.isEmpty ? "unknown" : first.operation
    }
}

extension RedisError {
    /// One word for each way to fail.
    fileprivate var resultName: String {
        switch self {
        case .unreachable: "unreachable"
        case .timedOut: "timed_out"
        case .outcomeUnknown: "unknown"
        case .untrusted: "untrusted"
        case .authentication, .permission: "refused"
        case .server: "error"
        case .clusterDown: "cluster_down"
        case .protocolViolation: "protocol"
        case .overloaded: "overloaded"
        case .closed: "closed"
        case .configuration: "configuration"
        }
    }
}

extension Redirection {
    /// One word for each kind.
    var name: String {
        switch self {
        case .moved: "moved"
        case .ask: "ask"
        case .tryAgain: "tryagain"
        case .noScript: "noscript"
        case .busy: "busy"
        case .notNow: "unavailable"
        case .none: "none"
        }
    }
}
