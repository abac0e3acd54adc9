/// A moment in event time.
///
/// - Units: milliseconds since 1970, UTC, without leap seconds.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Milliseconds since 1970, UTC.
    public var milliseconds: Int64

    /// A moment by its number.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// Reads ISO-8601 in the extended form, with a zone; anything else is nil.
    ///
    /// - Shape: `2024-07-24T21:58:20.123+02:00`; seconds and fraction may be missing, the fraction
    ///   is cut to milliseconds, the zone is `Z`, `±hh:mm`, `±hhmm` or `±hh`. A year outside 0…9999
    ///   has a sign and six to nine digits. Second 60 is the first of the next minute.
    public init?(iso8601 bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let days = Self.date(&reader),
            reader.take(UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " ")) != nil,
            let time = Self.timeOfDay(&reader),
            let offset = Self.zone(&reader), reader.isAtEnd
        else { return nil }
        // In 128 bits, as the first day of Int64 begins before Int64 does.
        let sum = Int128(days) * 86_400_000 + Int128(time) - Int128(offset)
        guard let milliseconds = Int64(exactly: sum) else { return nil }
        self.milliseconds = milliseconds
    }

    /// Reads ISO-8601 in the extended form, with a zone; anything else is nil.
    public init?(iso8601 text: String) {
        var text = text
        let parsed = text.withUTF8 { Timestamp(iso8601: UnsafeRawBufferPointer($0)) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// Reads a moment as the command line takes it, seen from `now`; anything else is nil.
    ///
    /// - Shape: `now`, ISO-8601 with a zone, milliseconds since 1970, or a span back from now
    ///   (`2h`).
    public init?(parsing text: String, now: Timestamp) {
        if text == "now" {
            self = now
        } else if let number = Decimal.signed(text.utf8) {
            milliseconds = number
        } else if let moment = Timestamp(iso8601: text) {
            self = moment
        } else if let span = TimeSpan.parse(text) {
            let (moment, overflow) = now.milliseconds.subtractingReportingOverflow(span)
            guard !overflow else { return nil }
            milliseconds = moment
        } else {
            return nil
        }
    }

    /// The moment in UTC: `2024-07-24T21:58:20Z`, with `.mmm` only when not whole seconds.
    public var iso8601: String {
        let day = Calendar.floorDivide(milliseconds, by: 86_400_000)
        let inDay = day.remainder
        let (year, month, dayOfMonth) = Calendar.date(ofDay: day.quotient)
        let text =
            Self.yearText(year) + "-" + Self.twoDigits(month) + "-" + Self.twoDigits(dayOfMonth)
            + "T" + Self.twoDigits(inDay / 3_600_000) + ":" + Self.twoDigits(inDay / 60_000 % 60)
            + ":" + Self.twoDigits(inDay / 1_000 % 60)
        let fraction = inDay % 1_000
        guard fraction > 0 else { return text + "Z" }
        return text + "." + Decimal.padded(fraction.magnitude, width: 3) + "Z"
    }

    /// The moment as ISO-8601 in UTC.
    public var description: String { iso8601 }

    /// Orders by time.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }

    private static func date(_ reader: inout ByteReader) -> Int64? {
        guard let year = year(&reader), reader.take(UInt8(ascii: "-")) != nil,
            let month = reader.number(digits: 2), (1...12).contains(month),
            reader.take(UInt8(ascii: "-")) != nil,
            let day = reader.number(digits: 2), day >= 1,
            day <= Calendar.days(inMonth: month, ofYear: year)
        else { return nil }
        return Calendar.day(year: year, month: month, day: day)
    }

    private static func year(_ reader: inout ByteReader) -> Int64? {
        guard let sign = reader.take(UInt8(ascii: "+"), UInt8(ascii: "-")) else {
            return reader.number(digits: 4)
        }
        let width = reader.digitsAhead
        guard (6...9).contains(width), let year = reader.number(digits: width) else { return nil }
        return sign == UInt8(ascii: "-") ? -year : year
    }

    /// Milliseconds since midnight.
    private static func timeOfDay(_ reader: inout ByteReader) -> Int64? {
        guard let hour = reader.number(digits: 2), hour <= 23,
            reader.take(UInt8(ascii: ":")) != nil,
            let minute = reader.number(digits: 2), minute <= 59
        else { return nil }
        let minutes = (hour * 60 + minute) * 60_000
        guard reader.take(UInt8(ascii: ":")) != nil else { return minutes }
        guard let second = reader.number(digits: 2), second <= 60,
            let fraction = fraction(&reader)
        else { return nil }
        return minutes + second * 1_000 + fraction
    }

    /// Milliseconds of the fraction; further digits are read and dropped.
    private static func fraction(_ reader: inout ByteReader) -> Int64? {
        guard reader.take(UInt8(ascii: "."), UInt8(ascii: ",")) != nil else { return 0 }
        let width = min(3, reader.digitsAhead)
        guard width > 0, let digits = reader.number(digits: width) else { return nil }
        while reader.number(digits: 1) != nil {}
        return [100, 10, 1][width - 1] * digits
    }

    /// Milliseconds that the zone is ahead of UTC.
    private static func zone(_ reader: inout ByteReader) -> Int64? {
        if reader.take(UInt8(ascii: "Z"), UInt8(ascii: "z")) != nil { return 0 }
        guard let sign = reader.take(UInt8(ascii: "+"), UInt8(ascii: "-")),
            let hours = reader.number(digits: 2), hours <= 23
        else { return nil }
        var minutes: Int64 = 0
        if reader.take(UInt8(ascii: ":")) != nil || reader.next != nil {
            guard let given = reader.number(digits: 2), given <= 59 else { return nil }
            minutes = given
        }
        let offset = (hours * 60 + minutes) * 60_000
        return sign == UInt8(ascii: "-") ? -offset : offset
    }

    private static func yearText(_ year: Int64) -> String {
        guard !(0...9999).contains(year) else { return Decimal.padded(year.magnitude, width: 4) }
        return (year < 0 ? "-" : "+") + Decimal.padded(year.magnitude, width: 6)
    }

    private static func twoDigits(_ number: Int64) -> String {
        Decimal.padded(number.magnitude, width: 2)
    }
}
