/// One resolution of the ladder.
public struct Tier: Hashable, Sendable {
    /// The place in the ladder; 0 is the base, which events are counted in.
    public let index: Int
    /// The name as it stands in keys, made from the length: `1MINUTE`, `5MINUTES`, `3HOURS`,
    /// `1DAY`.
    public let name: String
    /// How long a window is, in milliseconds.
    public let lengthMilliseconds: Int64
    /// How long a window is kept from its end, in milliseconds, without the outage allowance; 0 for
    /// the base, whose windows go when they have been merged.
    public let keepMilliseconds: Int64

    /// A tier of numbers that a `Ladder` has checked.
    init(index: Int, lengthMilliseconds: Int64, keepMilliseconds: Int64) {
        precondition(lengthMilliseconds > 0, "a tier of \(lengthMilliseconds) ms")
        self.index = index
        self.lengthMilliseconds = lengthMilliseconds
        self.keepMilliseconds = keepMilliseconds
        name = Self.name(of: lengthMilliseconds)
    }

    /// The start of the window that holds a moment; right for moments before 1970, too.
    ///
    /// - Units: milliseconds since 1970.
    public func start(of time: Int64) -> Int64 {
        let remainder = time % lengthMilliseconds
        // Wraps in the first window of Int64 only, 292 million years ago: no reason to end a
        // process.
        return time &- (remainder < 0 ? remainder &+ lengthMilliseconds : remainder)
    }

    /// The end of the window that starts at `start`: the first moment that is not in it.
    public func end(of start: Int64) -> Int64 {
        start &+ lengthMilliseconds
    }

    private static let units: [(milliseconds: Int64, one: String, many: String)] = [
        (86_400_000, "DAY", "DAYS"), (3_600_000, "HOUR", "HOURS"), (60_000, "MINUTE", "MINUTES"),
        (1_000, "SECOND", "SECONDS"), (1, "MILLISECOND", "MILLISECONDS"),
    ]

    /// The name with the longest unit that divides the length: 90 minutes are `90MINUTES`.
    private static func name(of length: Int64) -> String {
        let unit = units.first { length % $0.milliseconds == 0 } ?? units[units.count - 1]
        let count = length / unit.milliseconds
        return "\(count)\(count == 1 ? unit.one : unit.many)"
    }
}
