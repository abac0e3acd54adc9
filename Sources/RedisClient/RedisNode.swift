import EventLoop

/// What the client knows of one server: its connections, and how it fared lately.
@LoopActor
final class RedisNode {
    let endpoint: RedisEndpoint
    /// By lane.
    var connections: [RedisConnection?] = Array(repeating: nil, count: RedisLane.allCases.count)
    /// Failed connections in a row.
    private(set) var failures = 0
    /// No new connection before this instant, monotonic nanoseconds.
    private(set) var restsUntil: UInt64 = 0
    /// Why it rests.
    private(set) var lastFailure: RedisError?

    init(_ endpoint: RedisEndpoint) { self.endpoint = endpoint }

    /// A connection stands.
    func succeeded() {
        failures = 0
        restsUntil = 0
        lastFailure = nil
    }

    /// A connection failed: the next attempt waits, twice as long each time, jittered so that many
    /// clients do not come back together.
    func failed(
        _ error: RedisError, now: UInt64, limits: RedisLimits,
        using random: inout some RandomNumberGenerator
    ) {
        lastFailure = error
        restsUntil =
            now &+ backoff(failures, limits.firstBackoff, limits.longestBackoff, using: &random)
        failures &+= 1
    }
}

/// A jittered exponential pause in nanoseconds: between half and all of `first` doubled `attempt`
/// times.
func backoff(
    _ attempt: Int, _ first: Duration, _ longest: Duration,
    using random: inout some RandomNumberGenerator
) -> UInt64 {
    // Beyond 20 doublings every pause here is at its longest anyway.
    let doubled = first.clampedNanoseconds << UInt64(min(max(0, attempt), 20))
    let full = max(2, min(doubled, longest.clampedNanoseconds))
    return UInt64.random(in: full / 2...full, using: &random)
}
