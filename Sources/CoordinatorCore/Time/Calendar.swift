/// Days since 1970-01-01 to dates of the Gregorian calendar, extended both ways, and back.
///
/// Years are counted from March here, so that the leap day is a year's last day and the lengths of
/// months follow one formula; 400 years are one cycle of 146,097 days.
enum Calendar {
    private static let daysPerCycle: Int64 = 146_097
    /// From 0000-03-01, where the cycles begin, to 1970-01-01.
    private static let daysBefore1970: Int64 = 719_468

    /// The number of a day. The month is 1…12; the year may be any that a parser's nine digits
    /// give.
    static func day(year: Int64, month: Int64, day: Int64) -> Int64 {
        let marchYear = month > 2 ? year : year - 1
        let cycle = floorDivide(marchYear, by: 400)
        let dayOfYear = daysBefore(monthFromMarch: (month + 9) % 12) + day - 1
        let years = cycle.remainder
        let dayOfCycle = years * 365 + years / 4 - years / 100 + dayOfYear
        return cycle.quotient * daysPerCycle + dayOfCycle - daysBefore1970
    }

    /// The date of a day.
    static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let cycle = floorDivide(day + daysBefore1970, by: daysPerCycle)
        let rest = cycle.remainder
        // Takes the leap days out, so that what is left is years of 365 days.
        let years = (rest - rest / 1_460 + rest / 36_524 - rest / (daysPerCycle - 1)) / 365
        let dayOfYear = rest - (years * 365 + years / 4 - years / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = (monthFromMarch + 2) % 12 + 1
        let year = cycle.quotient * 400 + years + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - daysBefore(monthFromMarch: monthFromMarch) + 1)
    }

    /// How many days a month has.
    static func days(inMonth month: Int64, ofYear year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Division that rounds down, also for negative numbers. The divisor is positive.
    static func floorDivide(
        _ number: Int64, by divisor: Int64
    ) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    /// Days from 1 March to the first of a month, March being 0: 0, 31, 61, 92, 122, 153, …
    private static func daysBefore(monthFromMarch month: Int64) -> Int64 {
        (153 * month + 2) / 5
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }
}
