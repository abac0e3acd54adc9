/// Numbers, spans and times as people read them.
public enum NumberText {
    /// `1234567` as `1,234,567`.
    public static func grouped(_ number: Int64) -> String {
        let digits = Array(String(number.magnitude).utf8)
        var text: [UInt8] = number < 0 ? [0x2D] : []
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(0x2C) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `12.3 %` of a share from 0 to 1; one decimal, so that columns line up.
    public static func percent(_ share: Double) -> String {
        guard share.isFinite else { return "–" }
        return decimal(share * 100) + " %"
    }

    /// `1.5 MiB`.
    public static func bytes(_ count: Int64) -> String {
        var value = Double(count)
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        while value.magnitude >= 1_024, unit < units.count - 1 {
            value /= 1_024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : decimal(value) + " " + units[unit]
    }

    /// `12.3`: one decimal, rounded half away from zero, thousands grouped.
    public static func decimal(_ value: Double) -> String {
        let scaled = (value * 10).rounded()
        guard scaled.isFinite, scaled.magnitude < 9e18 else { return "–" }
        let tenths = Int64(scaled)
        let sign = tenths < 0 ? "-" : ""
        let whole = Int64(tenths.magnitude / 10)
        return sign + grouped(whole) + ".\(tenths.magnitude % 10)"
    }

    /// A length of time in at most two units: `2 min 3 s`, `850 ms`, `3 d 4 h`.
    public static func span(_ span: Duration) -> String {
        let milliseconds = Self.milliseconds(span)
        if milliseconds < 0 { return "-" + self.span(.zero - span) }
        if milliseconds < 1_000 { return "\(milliseconds) ms" }
        if milliseconds < 10_000, milliseconds % 1_000 >= 50 {
            return decimal(Double(milliseconds) / 1_000) + " s"
        }
        let units: [(name: String, length: Int64)] = [
            ("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000),
        ]
        for (index, unit) in units.enumerated() where milliseconds >= unit.length {
            let first = "\(milliseconds / unit.length) \(unit.name)"
            guard index + 1 < units.count else { return first }
            let next = units[index + 1]
            let rest = milliseconds % unit.length / next.length
            return rest == 0 ? first : first + " \(rest) \(next.name)"
        }
        return "\(milliseconds) ms"
    }

    /// How long ago (or ahead) an instant is: `2 min 3 s ago`, `in 5 s`, `now`. All in milliseconds
    /// since 1970.
    public static func relative(_ instant: Int64, now: Int64) -> String {
        let difference = now.subtractingReportingOverflow(instant)
        guard !difference.overflow else { return "–" }
        if difference.partialValue.magnitude < 500 { return "now" }
        let text = span(.milliseconds(Int64(difference.partialValue.magnitude)))
        return difference.partialValue > 0 ? text + " ago" : "in " + text
    }

    static func milliseconds(_ span: Duration) -> Int64 {
        let seconds = span.components.seconds.multipliedReportingOverflow(by: 1_000)
        guard !seconds.overflow else { return span < .zero ? -Int64.max : Int64.max }
        return seconds.partialValue &+ span.components.attoseconds / 1_000_000_000_000_000
    }
}
