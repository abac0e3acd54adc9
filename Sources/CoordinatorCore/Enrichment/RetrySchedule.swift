/// When a page is asked for again.
///
/// - Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (full jitter); RFC 9110,
///   "Retry-After".
enum RetrySchedule {
    /// The first pause is at most this.
    static let first: Duration = .seconds(2)
    /// Longer pauses would keep pages waiting when the API has long recovered.
    static let longest: Duration = .seconds(300)
    /// What a server asks for beyond this is not honoured: a lying one could stop the work for
    /// ever.
    static let longestAskedFor: Duration = .seconds(300)
    /// An article that is not there is asked for again after this, then after twice as long.
    static let firstMissing: Duration = .seconds(600)
    static let longestMissing: Duration = .seconds(86_400)

    /// The pause after a failure: anything up to twice the longest of the failure before, so that
    /// pages that failed together do not come back together.
    static func pause(
        afterAttempts attempts: Int, askedFor: Duration?, using random: inout SplitMix64
    ) -> Duration {
        let bound = min(longest, first * (1 << min(max(attempts - 1, 0), 16)))
        let pause = bound * Double.random(in: 0...1, using: &random)
        guard let askedFor else { return pause }
        return max(min(askedFor, longestAskedFor), pause)
    }

    /// The pause after the article was not there for the `misses`-th time in a row.
    static func pause(afterMisses misses: Int) -> Duration {
        min(longestMissing, firstMissing * (1 << min(max(misses - 1, 0), 16)))
    }
}
