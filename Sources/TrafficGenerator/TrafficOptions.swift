/// What a generated stretch of a publisher's traffic is like.
///
/// Equal options give equal bytes on any machine.
public struct TrafficOptions: Equatable, Sendable {
    /// How many entries are made, duplicates and malformed ones counted.
    public var events = 100_000
    /// Arrival of the first entry's minute, ms since 1970 UTC.
    public var startMilliseconds: Int64 = 1_721_800_800_000
    /// The length of time over which the entries arrive, in ms.
    public var spanMilliseconds: Int64 = 86_400_000
    /// Websites; the first four are those of the original deployment.
    public var sites = 4
    /// Sections of two levels over all sites.
    public var sections = 200
    /// Articles over all sites.
    public var pages = 20_000
    /// Devices that come back.
    public var devices = 40_000
    /// Popularity of pages falls as 1 / rank^exponent.
    public var pageExponent = 1.0
    /// Views by device fall likewise; people differ less than pages.
    public var deviceExponent = 0.6
    /// Everything random follows from it.
    public var seed: UInt64 = 1
    /// The part whose event time lies up to two hours before the arrival.
    public var lateFraction = 0.0
    /// The part that repeats the entry before it, which is another event all the same.
    public var duplicateFraction = 0.0
    /// The part that must be refused, spread over all reasons.
    public var malformedFraction = 0.0
    /// Whether the malformed include times ahead of their arrival.
    ///
    /// Off by default: an import's entry ids follow the event times, so in a file such a time is
    /// ahead of nothing.
    public var includesFuture = false
    /// The part without an event time, which then is the arrival in whatever is fed.
    ///
    /// 0 by default: shuffling a file, or importing it instead of feeding it, moves these events.
    public var untimedFraction = 0.0

    /// The part that plays an audio, a video or a podcast instead of opening a page.
    public var playFraction = 0.0

    /// Fields as listed; all have a default.
    public init() {}

    /// Enough for ten days of the busiest site, and far below where a counter could overflow.
    static let eventCounts = 0...1_000_000_000_000
    /// From a second to a year.
    static let spans: ClosedRange<Int64> = 1_000...31_622_400_000
    /// 1972 to 2100: expired entries are up to a year older, and no time is before 1970.
    static let starts: ClosedRange<Int64> = 63_072_000_000...4_102_444_800_000
    static let siteCounts = 1...1_000
    static let sectionCounts = 1...100_000
    /// An alias table and an address of some 60 bytes each: 400 MB at the upper end.
    static let pageCounts = 1...4_000_000
    static let deviceCounts = 1...4_000_000
    /// At 3 the first rank has 83 % of all; more is no traffic.
    static let exponents = 0.0...3.0

    /// Checks every bound.
    ///
    /// - Errors: `TrafficError`, naming the option and its range.
    func validate() throws(TrafficError) {
        try Self.check("events", events, Self.eventCounts)
        try Self.check("start", startMilliseconds, Self.starts)
        try Self.check("span", spanMilliseconds, Self.spans)
        try Self.check("sites", sites, Self.siteCounts)
        try Self.check("sections", sections, Self.sectionCounts)
        try Self.check("sections (one a site at least)", sections, sites...Int.max)
        try Self.check("pages", pages, Self.pageCounts)
        try Self.check("devices", devices, Self.deviceCounts)
        try Self.check("page exponent", pageExponent, Self.exponents)
        try Self.check("device exponent", deviceExponent, Self.exponents)
        for (name, fraction) in [
            ("late", lateFraction), ("duplicate", duplicateFraction),
            ("malformed", malformedFraction), ("untimed", untimedFraction),
            ("play", playFraction),
            ("late, duplicate and malformed", lateFraction + duplicateFraction + malformedFraction),
        ] {
            try Self.check("\(name) fraction", fraction, 0.0...1.0)
        }
    }

    private static func check<Value: Comparable>(
        _ name: String, _ value: Value, _ range: ClosedRange<Value>
    ) throws(TrafficError) {
        guard range.contains(value) else {
            throw .outOfRange(
                option: name, value: "\(value)",
                range: "\(range.lowerBound) to \(range.upperBound)")
        }
    }
}

/// Why traffic cannot be generated.
public enum TrafficError: Error, Equatable, Sendable, CustomStringConvertible {
    /// An option outside of what makes sense; both texts are for people.
    case outOfRange(option: String, value: String, range: String)

    /// One line that names the option and the way out.
    public var description: String {
        switch self {
        case .outOfRange(let option, let value, let range):
            "\(option) is \(value): choose a value from \(range)"
        }
    }
}
