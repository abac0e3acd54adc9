/// When people read: how the entries of a span spread over its minutes.
///
/// Each minute gets its share of all entries to the unit, and within a minute each entry has a slot
/// of its own: arrivals never go back, and no sorting is needed.
struct DayCurve: Sendable {
    static let minute: Int64 = 60_000

    /// Readers at the full hours, UTC: quiet nights, peaks with the morning coffee, at noon and
    /// after the evening news.
    private static let hours: [UInt64] = [
        22, 13, 9, 8, 12, 30, 68, 100, 95, 82, 78, 86, 104, 92, 76, 72, 76, 88, 100, 108, 104, 88,
        62,
        38,
    ]

    /// Thursday, the weekday of 1970-01-01, first; per cent of a working day.
    private static let weekdays: [UInt64] = [100, 98, 72, 70, 102, 100, 101]

    private let end: Int64
    private let events: UInt64
    private let total: UInt64

    private var minuteEnd: Int64
    private var minuteLength: Int64 = 0
    private var weightSoFar: UInt64 = 0
    private var made: UInt64 = 0
    private var madeBefore: UInt64 = 0
    private var madeAfter: UInt64 = 0

    init(start: Int64, span: Int64, events: Int) {
        self.end = start + span
        self.events = UInt64(events)
        minuteEnd = start
        total = stride(from: start, to: start + span, by: Int64.Stride(Self.minute)).reduce(0) {
            $0 + Self.weight(from: $1, to: min(start + span, $1 + Self.minute))
        }
    }

    /// The next arrival, or nil when all entries are made.
    mutating func next(_ random: inout TrafficRandom) -> Int64? {
        guard made < events else { return nil }
        while made == madeAfter { advance() }
        let count = Int64(madeAfter - madeBefore)
        let slot = Int64(made - madeBefore)
        made += 1
        let within = slot * minuteLength + Int64(random.below(Int(minuteLength)))
        return minuteEnd - minuteLength + within / count
    }

    /// Goes on to the next minute, and sets how many entries are made before and after it.
    private mutating func advance() {
        let next = min(end, minuteEnd + Self.minute)
        weightSoFar += Self.weight(from: minuteEnd, to: next)
        minuteLength = next - minuteEnd
        minuteEnd = next
        madeBefore = madeAfter
        // At the end the weights are the total, so the last entry is always made.
        let share = events.multipliedFullWidth(by: weightSoFar)
        madeAfter = total.dividingFullWidth(share).quotient
    }

    /// The weight of a minute or of a part of one: a straight line between the full hours.
    private static func weight(from start: Int64, to end: Int64) -> UInt64 {
        let ofHour = UInt64(start / minute % 60)
        let hour = Int(start / (60 * minute) % 24)
        let weekday = Int(start / (1440 * minute) % 7)
        let readers = hours[hour] * (60 - ofHour) + hours[(hour + 1) % 24] * ofHour
        return readers * weekdays[weekday] * UInt64(end - start)
    }
}
