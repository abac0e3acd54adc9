import CoordinatorCore
import EventLoop

/// Which of a master's connections carries a command. Each lane has its own, so that bulk work
/// delays neither reads nor the renewal of a lease, and its own bounds.
public enum RedisLane: Int, CaseIterable, Sendable {
    /// Large batches of writes.
    case bulk
    /// Reading streams and figures.
    case reading
    /// Leases, claims, topology: small and urgent.
    case control
}

/// Called once with the reply, borrowed until the call returns, or with the reason there is none.
///
/// An error reply arrives as a failure.
public typealias RedisReplyHandler = @LoopActor (Result<RedisReplyView, RedisError>) -> Void

/// One command, or several that go out together on one connection, from the call to its answer.
@LoopActor
final class RedisRequest {
    /// Where it wants to go.
    enum Target {
        case slot(HashSlot)
        /// One named server: redirections are the caller's business.
        case endpoint(RedisEndpoint)
    }

    /// Who gets the answer.
    enum Consumer {
        case single(RedisReplyHandler)
        /// All replies, server errors among them as values.
        case batch(@LoopActor (Result<[RedisValue], RedisError>) -> Void)
    }

    let first: RedisCommand
    /// Empty but for pipelines.
    let rest: [RedisCommand]
    let target: Target
    let lane: RedisLane
    let timeout: Duration
    /// Monotonic nanoseconds.
    let startedAt: UInt64
    let deadline: UInt64
    /// Not parked when its server cannot be reached, but failed at once: the topology asks so.
    let failsFast: Bool
    private(set) var consumer: Consumer?

    /// Set by a redirection: where the next attempt goes, and whether with `ASKING`.
    var redirect: (endpoint: RedisEndpoint, isAsking: Bool)?
    /// Redirections and refusals so far.
    var attempts = 0
    /// Why it waits; told to the caller when its time is up.
    var lastFailure: RedisError?
    /// While parked: not before this instant.
    var notBefore: UInt64 = 0
    /// While parked: a new topology ends the pause.
    var waitsForTopology = false
    /// Batches only: what came so far in the present attempt.
    var replies: [RedisValue] = []

    init(
        first: RedisCommand, rest: [RedisCommand] = [], target: Target, lane: RedisLane,
        timeout: Duration, now: UInt64, failsFast: Bool = false, consumer: Consumer
    ) {
        self.first = first
        self.rest = rest
        self.target = target
        self.lane = lane
        self.timeout = timeout
        startedAt = now
        deadline = now &+ timeout.clampedNanoseconds
        self.failsFast = failsFast
        self.consumer = consumer
    }

    /// The consumer has been told.
    var isDone: Bool { consumer == nil }

    var byteCount: Int {
        rest.isEmpty ? first.byteCount : rest.reduce(first.byteCount) { $0 + $1.byteCount }
    }

    var commandCount: Int { 1 + rest.count }

    var isRepeatable: Bool { first.isRepeatable && rest.allSatisfy(\.isRepeatable) }

    func command(_ index: Int) -> RedisCommand { index == 0 ? first : rest[index - 1] }

    func takeConsumer() -> Consumer? {
        defer { consumer = nil }
        return consumer
    }

    /// What to tell the caller when its time is up before the command was (or could again be) sent.
    var timeoutError: RedisError {
        lastFailure ?? .timedOut(operation: first.operation, after: timeout)
    }

    func outcomeUnknown(at endpoint: RedisEndpoint, now: UInt64) -> RedisError {
        let elapsed = Duration.milliseconds((now &- startedAt) / 1_000_000)
        return .outcomeUnknown(
            operation: first.operation, endpoint: endpoint.description, after: elapsed)
    }
}
