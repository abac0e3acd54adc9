/// Stops asking a host that does not answer, and tries it with one request now and then.
///
/// Closed → (failures in a row) → open → (time) → half open → (the probe succeeds) → closed, or
/// (it fails) → open for longer.
struct CircuitBreaker: Hashable, Sendable {
    /// Half of the requests failing is no reason to stop; so many in a row is: once in a thousand
    /// times by chance then.
    static let failuresToOpen = 10
    static let firstOpen: Duration = .seconds(5)
    /// A host that has recovered is noticed within this.
    static let longestOpen: Duration = .seconds(60)

    enum State: Hashable, Sendable {
        case closed(failures: Int)
        case open(until: MonotonicInstant, round: Int)
        /// One request tells.
        case halfOpen(round: Int, isProbing: Bool)
    }

    private(set) var state = State.closed(failures: 0)

    var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    var isProbing: Bool {
        if case .halfOpen(_, isProbing: true) = state { true } else { false }
    }

    /// When a request may be sent again; nil when one may now, or after the probe.
    var opensUntil: MonotonicInstant? {
        if case .open(let until, _) = state { until } else { nil }
    }

    /// How many requests may begin now, of `wanted`.
    mutating func allowance(_ wanted: Int, now: MonotonicInstant) -> Int {
        switch state {
        case .closed: return wanted
        case .open(let until, let round):
            guard now >= until else { return 0 }
            state = .halfOpen(round: round, isProbing: false)
            return min(1, wanted)
        case .halfOpen(_, let isProbing): return isProbing ? 0 : min(1, wanted)
        }
    }

    /// A request begins; true when it is the probe.
    mutating func begin() -> Bool {
        guard case .halfOpen(let round, false) = state else { return false }
        state = .halfOpen(round: round, isProbing: true)
        return true
    }

    /// The host answered, whatever it said of the article.
    mutating func succeed() {
        state = .closed(failures: 0)
    }

    /// The host failed. What was begun before the state changed tells nothing new.
    mutating func fail(isProbe: Bool, now: MonotonicInstant, using random: inout SplitMix64) {
        switch state {
        case .closed(let failures):
            let count = failures + 1
            state = .closed(failures: count)
            if count >= Self.failuresToOpen { open(round: 0, now, &random) }
        case .open: break
        case .halfOpen(let round, _):
            if isProbe { open(round: round + 1, now, &random) }
        }
    }

    /// The probe was given up without an outcome.
    mutating func forgetProbe() {
        if case .halfOpen(let round, true) = state {
            state = .halfOpen(round: round, isProbing: false)
        }
    }

    private mutating func open(
        round: Int, _ now: MonotonicInstant, _ random: inout SplitMix64
    ) {
        let pause = min(Self.longestOpen, Self.firstOpen * (1 << min(round, 8)))
        // Nodes that found out together do not come back together.
        state = .open(until: now + pause * Double.random(in: 0.5...1, using: &random), round: round)
    }
}
