/// A point in time as an argument: still relative where it was given so, because only the caller
/// knows what "now" is (the clock of Redis, or `--at`).
public enum TimeArgument: Sendable, Hashable {
    case now
    /// Milliseconds since 1970, UTC.
    case instant(milliseconds: Int64)
    /// So much before now.
    case back(Duration)

    /// Reads `now`, an ISO-8601 time with a zone, milliseconds since 1970, or a span back such as
    /// `2h`.
    public init?(_ text: String) {
        if text == "now" {
            self = .now
        } else if let milliseconds = Int64(text), milliseconds >= 0 {
            self = .instant(milliseconds: milliseconds)
        } else if let span = SpanText.parse(text.first == "-" ? String(text.dropFirst()) : text) {
            self = .back(span)
        } else if let milliseconds = ISO8601Text.milliseconds(text) {
            self = .instant(milliseconds: milliseconds)
        } else {
            return nil
        }
    }

    /// The instant it means when it is `now`; both in milliseconds since 1970.
    public func milliseconds(now: Int64) -> Int64 {
        switch self {
        case .now: return now
        case .instant(let milliseconds): return milliseconds
        case .back(let span):
            return now - span.components.seconds * 1_000 - span.components.attoseconds
                / 1_000_000_000_000_000
        }
    }
}

/// ISO-8601 times to and from milliseconds since 1970.
///
/// The same format is read by the core for events; this module stands on nothing, so it has its own
/// few lines.
public enum ISO8601Text {
    /// The milliseconds that `2024-07-24T21:58:20.5+02:00` or `2024-07-24T21:58:20Z` names, or nil.
    /// A zone is required.
    public static func milliseconds(_ text: String) -> Int64? {
        var scan = DigitScanner(bytes: Array(text.utf8))
        guard let year = scan.number(digits: 4), scan.skip(0x2D),
            let month = scan.number(digits: 2),
            scan.skip(0x2D), let day = scan.number(digits: 2),
            scan.skip(0x54) || scan.skip(0x74) || scan.skip(0x20),
            let hour = scan.number(digits: 2), scan.skip(0x3A),
            let minute = scan.number(digits: 2), scan.skip(0x3A),
            let second = scan.number(digits: 2),
            (1...12).contains(month), day >= 1, day <= CivilDate.days(inMonth: month, year: year),
            hour < 24, minute < 60, second < 60,
            let fraction = scan.fractionMilliseconds(), let zone = scan.zoneSeconds(), scan.isAtEnd
        else { return nil }
        let days = CivilDate.daysSince1970(year: year, month: month, day: day)
        return ((days * 24 + hour) * 60 + minute) * 60_000 + (second - zone) * 1_000 + fraction
    }

    /// `2024-07-24T21:58:20Z`, with `.mmm` only where the milliseconds are not zero.
    public static func text(_ milliseconds: Int64) -> String {
        let (days, ofDay) = floorDivide(milliseconds, 86_400_000)
        let date = CivilDate(daysSince1970: days)
        let clock =
            padded(ofDay / 3_600_000, 2) + ":" + padded(ofDay / 60_000 % 60, 2) + ":"
            + padded(ofDay / 1_000 % 60, 2)
        let fraction = ofDay % 1_000 == 0 ? "" : "." + padded(ofDay % 1_000, 3)
        let day = "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))"
        return day + "T" + clock + fraction + "Z"
    }

    private static func floorDivide(_ value: Int64, _ by: Int64) -> (
        quotient: Int64, remainder: Int64
    ) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: by)
        return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// A day of the proleptic Gregorian calendar.
struct CivilDate: Equatable {
    var year: Int64
    var month: Int64
    var day: Int64

    /// Days from 1970-01-01; years are counted from March, so that the leap day comes last and
    /// needs no case.
    static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func days(inMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: return 30
        default: return 31
        }
    }
}

extension CivilDate {
    /// The inverse of `daysSince1970(year:month:day:)`.
    init(daysSince1970 days: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}

/// A cursor over the digits of a fixed format.
private struct DigitScanner {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func skip(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func number(digits: Int) -> Int64? {
        guard bytes.count - position >= digits else { return nil }
        var number: Int64 = 0
        for byte in bytes[position..<position + digits] {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            number = number * 10 + Int64(byte - 0x30)
        }
        position += digits
        return number
    }

    /// Zero where there is no fraction; digits after the third are cut. At most nine: nobody writes
    /// finer times.
    mutating func fractionMilliseconds() -> Int64? {
        guard skip(0x2E) else { return 0 }
        var value: Int64 = 0
        var count = 0
        while count < 10, let digit = number(digits: 1) {
            if count < 3 { value = value * 10 + digit }
            count += 1
        }
        guard (1...9).contains(count) else { return nil }
        return count == 1 ? value * 100 : count == 2 ? value * 10 : value
    }

    mutating func zoneSeconds() -> Int64? {
        if skip(0x5A) || skip(0x7A) { return 0 }
        let isEast = skip(0x2B)
        guard isEast || skip(0x2D), let hours = number(digits: 2) else { return nil }
        _ = skip(0x3A)
        guard let minutes = number(digits: 2), hours < 24, minutes < 60 else { return nil }
        return (isEast ? 1 : -1) * (hours * 3_600 + minutes * 60)
    }
}
