import Testing

@testable import CoordinatorCore

/// When a page is asked for again, and when a host is left alone.
@Suite("Retries and the circuit breaker")
struct RetryTests {
    private static let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    @Test("pauses are spread over twice the longest of before, up to five minutes")
    func backoff() {
        var random = SplitMix64(seed: 1)
        for attempts in 1...40 {
            let bound = min(300.0, 2.0 * Double(1 << min(attempts - 1, 16)))
            var longest = 0.0
            var shortest = bound
            for _ in 0..<400 {
                let pause = RetrySchedule.pause(
                    afterAttempts: attempts, askedFor: nil, using: &random)
                let seconds = pause / .seconds(1)
                #expect(seconds >= 0 && seconds <= bound)
                longest = max(longest, seconds)
                shortest = min(shortest, seconds)
            }
            #expect(longest > bound * 0.9 && shortest < bound * 0.1, "attempt \(attempts)")
        }
    }

    @Test("what the server asks for is honoured, up to five minutes")
    func retryAfter() {
        var random = SplitMix64(seed: 2)
        for (asked, least, most) in [(7, 7.0, 7.0), (200, 200, 200), (86_400, 300, 300), (0, 0, 2)]
        {
            let pause =
                RetrySchedule.pause(
                    afterAttempts: 1, askedFor: .seconds(asked), using: &random) / .seconds(1)
            #expect(pause >= least && pause <= most, "\(asked)")
        }
    }

    @Test("what is not there is asked for after 10 minutes, then twice as long, at last daily")
    func missing() {
        let minutes = (1...12).map { RetrySchedule.pause(afterMisses: $0) / .seconds(60) }
        #expect(
            minutes == [10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440, 1_440, 1_440])
        #expect(RetrySchedule.pause(afterMisses: Int.max) == .seconds(86_400))
    }

    @Test(
        "ten failures in a row open it; one that succeeds in between does not let it come to that")
    func opens() {
        var random = SplitMix64(seed: 3)
        var breaker = CircuitBreaker()
        for round in 0..<30 {
            for _ in 0..<9 { breaker.fail(isProbe: false, now: Self.start, using: &random) }
            #expect(breaker.isClosed, "round \(round)")
            breaker.succeed()
        }
        for _ in 0..<10 { breaker.fail(isProbe: false, now: Self.start, using: &random) }
        #expect(!breaker.isClosed)
        #expect(breaker.allowance(5, now: Self.start) == 0)
    }

    @Test("open, it lets one request through after a while; that one decides")
    func probes() {
        var random = SplitMix64(seed: 4)
        var breaker = CircuitBreaker()
        for _ in 0..<10 { breaker.fail(isProbe: false, now: Self.start, using: &random) }
        var now = Self.start
        var last = Duration.zero
        for round in 0..<12 {
            guard let until = breaker.opensUntil else {
                Issue.record("not open in round \(round)")
                return
            }
            let pause = until - now
            #expect(pause >= min(.seconds(30), last / 2) && pause <= .seconds(60))
            last = pause
            #expect(breaker.allowance(5, now: until - .milliseconds(1)) == 0)
            #expect(breaker.allowance(5, now: until) == 1)
            let isProbe = breaker.begin()
            let isOther = breaker.begin()
            #expect(isProbe && !isOther)
            #expect(breaker.allowance(5, now: until) == 0)
            // Requests that were under way before tell nothing new.
            breaker.fail(isProbe: false, now: until, using: &random)
            #expect(breaker.isProbing)
            breaker.fail(isProbe: true, now: until, using: &random)
            now = until
        }
        #expect(breaker.allowance(1, now: now + .seconds(60)) == 1)
        let isProbe = breaker.begin()
        #expect(isProbe)
        breaker.succeed()
        #expect(breaker.isClosed)
        #expect(breaker.allowance(5, now: now) == 5)
    }

    @Test("a probe that was given up leaves the place to another")
    func forgotten() {
        var random = SplitMix64(seed: 5)
        var breaker = CircuitBreaker()
        for _ in 0..<10 { breaker.fail(isProbe: false, now: Self.start, using: &random) }
        let later = Self.start + .seconds(5)
        #expect(breaker.allowance(1, now: later) == 1)
        let isFirst = breaker.begin()
        breaker.forgetProbe()
        #expect(breaker.allowance(1, now: later) == 1)
        let isSecond = breaker.begin()
        #expect(isFirst && isSecond)
    }
}
