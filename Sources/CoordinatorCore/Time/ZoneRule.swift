/// The yearly rule of a time zone: what holds after the last transition that is written down.
///
/// - Shape: `CET-1CEST,M3.5.0,M10.5.0/3`, as at the end of a compiled zone.
/// - Source: POSIX, environment variable TZ; RFC 8536 §3.3.1 for hours beyond a day.
struct ZoneRule: Sendable, Equatable {
    /// Seconds ahead of UTC.
    let standard: Int64
    private var summer: Summer?

    private struct Summer: Equatable {
        let offset: Int64
        let start: Turn
        let end: Turn
    }

    /// When clocks are turned, in the local time before.
    private struct Turn: Equatable {
        enum Day: Equatable {
            /// 1…365; 29 February is not counted.
            case withoutLeapDay(Int64)
            /// 0…365.
            case ofYear(Int64)
            /// The week 1…5, 5 being the last, and the day of the week from Sunday = 0 on.
            case ofMonth(Int64, week: Int64, weekday: Int64)
        }

        let day: Day
        /// Seconds since midnight; may be negative or more than a day.
        let time: Int64

        /// The second since 1970 on a clock that shows this rule's local time.
        func local(in year: Int64) -> Int64 {
            let first = Calendar.day(year: year, month: 1, day: 1)
            let number: Int64
            switch day {
            case .ofYear(let day): number = first + day
            case .withoutLeapDay(let day):
                let isLeap = Calendar.days(inMonth: 2, ofYear: year) == 29
                number = first + day - 1 + (isLeap && day >= 60 ? 1 : 0)
            case .ofMonth(let month, let week, let weekday):
                let start = Calendar.day(year: year, month: month, day: 1)
                // 1970-01-01 was a Thursday.
                let firstWeekday = Calendar.floorDivide(start + 4, by: 7).remainder
                let offset = Calendar.floorDivide(weekday - firstWeekday, by: 7).remainder
                let last = Calendar.days(inMonth: month, ofYear: year) - 1
                var dayOfMonth = offset + (week - 1) * 7
                if dayOfMonth > last { dayOfMonth -= 7 }
                number = start + dayOfMonth
            }
            return number * 86_400 + time
        }
    }

    /// Seconds ahead of UTC at a second since 1970.
    func offset(at second: Int64) -> Int64 {
        guard let summer else { return standard }
        let day = Calendar.floorDivide(second + standard, by: 86_400).quotient
        let year = Calendar.date(ofDay: day).year
        let start = summer.start.local(in: year) - standard
        let end = summer.end.local(in: year) - summer.offset
        // South of the equator the year begins and ends in summer.
        let isSummer =
            start < end ? start <= second && second < end : !(end <= second && second < start)
        return isSummer ? summer.offset : standard
    }

    /// Reads a rule; nil where it cannot be read.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard Self.skipName(&reader), let west = Self.time(&reader, hours: 24) else { return nil }
        standard = -west
        if reader.isAtEnd { return }
        guard Self.skipName(&reader) else { return nil }
        var offset = standard + 3_600
        if reader.next != UInt8(ascii: ",") {
            guard let west = Self.time(&reader, hours: 24) else { return nil }
            offset = -west
        }
        guard let start = Self.turn(&reader), let end = Self.turn(&reader), reader.isAtEnd else {
            return nil
        }
        summer = Summer(offset: offset, start: start, end: end)
    }

    /// `CET` or `<+03>`: names are not used.
    private static func skipName(_ reader: inout ByteReader) -> Bool {
        var length = 0
        if reader.take(UInt8(ascii: "<")) != nil {
            while let byte = reader.next, byte != UInt8(ascii: ">") {
                _ = reader.take(byte)
                length += 1
            }
            return length > 0 && reader.take(UInt8(ascii: ">")) != nil
        }
        while let byte = reader.next, (byte | 0x20) >= UInt8(ascii: "a"),
            (byte | 0x20) <= UInt8(ascii: "z")
        {
            _ = reader.take(byte)
            length += 1
        }
        return length >= 3
    }

    /// `[+-]h[hh][:mm[:ss]]` in seconds.
    private static func time(_ reader: inout ByteReader, hours most: Int64) -> Int64? {
        let sign = reader.take(UInt8(ascii: "+"), UInt8(ascii: "-"))
        guard let hours = number(&reader, most: most) else { return nil }
        var seconds = hours * 3_600
        if reader.take(UInt8(ascii: ":")) != nil {
            guard let minutes = number(&reader, most: 59) else { return nil }
            seconds += minutes * 60
            if reader.take(UInt8(ascii: ":")) != nil {
                guard let rest = number(&reader, most: 59) else { return nil }
                seconds += rest
            }
        }
        return sign == UInt8(ascii: "-") ? -seconds : seconds
    }

    private static func number(_ reader: inout ByteReader, most: Int64) -> Int64? {
        let width = reader.digitsAhead
        guard (1...3).contains(width), let number = reader.number(digits: width), number <= most
        else { return nil }
        return number
    }

    /// `,M3.5.0/3`, `,J60` or `,59`.
    private static func turn(_ reader: inout ByteReader) -> Turn? {
        guard reader.take(UInt8(ascii: ",")) != nil, let day = day(&reader) else { return nil }
        guard reader.take(UInt8(ascii: "/")) != nil else { return Turn(day: day, time: 7_200) }
        return time(&reader, hours: 167).map { Turn(day: day, time: $0) }
    }

    private static func day(_ reader: inout ByteReader) -> Turn.Day? {
        if reader.take(UInt8(ascii: "J")) != nil {
            guard let day = number(&reader, most: 365), day >= 1 else { return nil }
            return .withoutLeapDay(day)
        }
        guard reader.take(UInt8(ascii: "M")) != nil else {
            return number(&reader, most: 365).map { .ofYear($0) }
        }
        guard let month = number(&reader, most: 12), month >= 1,
            reader.take(UInt8(ascii: ".")) != nil,
            let week = number(&reader, most: 5), week >= 1, reader.take(UInt8(ascii: ".")) != nil,
            let weekday = number(&reader, most: 6)
        else { return nil }
        return .ofMonth(month, week: week, weekday: weekday)
    }
}
