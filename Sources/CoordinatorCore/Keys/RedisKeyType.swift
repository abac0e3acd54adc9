/// What stands under a key: its first segment. Not Redis's `TYPE`: `HLL` and `K` are both strings.
///
/// - Source: semantics.md §1.
public enum RedisKeyType: String, CaseIterable, Sendable {
    /// A stream.
    case stream = "ST"
    /// A hash.
    case hash = "H"
    /// A JSON document.
    case json = "J"
    /// A search index.
    case index = "I"
    /// A time series.
    case timeSeries = "TS"
    /// A Bloom filter.
    case bloomFilter = "B"
    /// A sorted set.
    case sortedSet = "SS"
    /// A set.
    case set = "S"
    /// A list.
    case list = "L"
    /// A channel.
    case channel = "C"
    /// A count-min sketch.
    case countMinSketch = "CMS"
    /// A HyperLogLog.
    case hyperLogLog = "HLL"
    /// A plain string: an addition to the original convention.
    case string = "K"
}
