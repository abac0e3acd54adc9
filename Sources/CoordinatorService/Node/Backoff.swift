import CoordinatorCore

/// Growing pauses between tries, with full jitter, so that many that failed together do not return
/// together.
struct Backoff {
    /// The first pause is short: most failures are a failover's last moment.
    private static let first: Duration = .milliseconds(50)
    /// Longer would be noticed by people after Redis is back.
    private static let longest: Duration = .seconds(2)

    private var failures = 0

    mutating func reset() {
        failures = 0
    }

    mutating func next() -> Duration {
        failures += 1
        return Self.pause(after: failures)
    }

    /// - Returns: between half of the doubled pause and the whole of it.
    static func pause(after failures: Int) -> Duration {
        let doubled = first * (1 << min(max(failures - 1, 0), 10))
        return min(doubled, longest) * Double.random(in: 0.5...1)
    }
}
