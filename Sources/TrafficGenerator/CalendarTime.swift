/// Writes ISO-8601 times, in the forms that trackers send.
///
/// Apart from the core's own writer, so that generated input does not share its mistakes.
enum CalendarTime {
    /// Minutes east of Greenwich and how the zone is written, by form.
    private static let zones: [(minutes: Int64, text: String)] = [
        (0, "Z"), (120, "+02:00"), (-330, "-0530"), (0, "+00:00"),
    ]

    /// Appends `time` (ms since 1970 UTC, not before) with milliseconds.
    ///
    /// - Parameter form: which zone; any number.
    static func append(_ time: Int64, form: Int, to out: inout [UInt8]) {
        let zone = zones[form % zones.count]
        let local = max(0, time + zone.minutes * 60_000)
        var days = local / 86_400_000
        var year: Int64 = 1970
        while days >= length(ofYear: year) {
            days -= length(ofYear: year)
            year += 1
        }
        var month = 0
        while days >= length(ofMonth: month, year: year) {
            days -= length(ofMonth: month, year: year)
            month += 1
        }
        let ofDay = local % 86_400_000
        append(year, digits: 4, before: "-", to: &out)
        append(Int64(month + 1), digits: 2, before: "-", to: &out)
        append(days + 1, digits: 2, before: "T", to: &out)
        append(ofDay / 3_600_000, digits: 2, before: ":", to: &out)
        append(ofDay / 60_000 % 60, digits: 2, before: ":", to: &out)
        append(ofDay / 1_000 % 60, digits: 2, before: ".", to: &out)
        append(ofDay % 1_000, digits: 3, before: "", to: &out)
        out.append(contentsOf: zone.text.utf8)
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func length(ofYear year: Int64) -> Int64 {
        isLeap(year) ? 366 : 365
    }

    private static func length(ofMonth month: Int, year: Int64) -> Int64 {
        month == 1 && isLeap(year)
            ? 29 : [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]
    }

    private static func append(
        _ value: Int64, digits: Int, before separator: String, to out: inout [UInt8]
    ) {
        let start = out.count
        var rest = value
        for _ in 0..<digits {
            out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        }
        out[start...].reverse()
        out.append(contentsOf: separator.utf8)
    }
}
