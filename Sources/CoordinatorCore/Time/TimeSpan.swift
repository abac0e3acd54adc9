/// Spans of time as people write them: `30m`, `1h`, `7d`, `2s`, `500ms`, `1h30m`.
public enum TimeSpan {
    /// The units, longest first: the order in which a text must name them.
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
    ]
    /// Spans below this are written in hours: `24h` and `36h` are what people say, as is `7d`.
    private static let shortestInDays: UInt64 = 2 * 86_400_000

    /// The span in milliseconds; nil unless it is whole numbers with units, longest unit first,
    /// each once. `0` needs no unit. There are no negative spans.
    public static func parse(_ text: String) -> Int64? {
        if text == "0" { return 0 }
        var rest = Array(text.utf8)[...]
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        var unitsLeft = units[...]
        while !rest.isEmpty {
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(letters.count)
            guard let number = Decimal.signed(digits),
                let place = unitsLeft.firstIndex(where: { letters.elementsEqual($0.name.utf8) })
            else { return nil }
            let (part, overflow) = number.multipliedReportingOverflow(by: units[place].milliseconds)
            let (sum, carry) = total.addingReportingOverflow(part)
            guard !overflow, !carry else { return nil }
            total = sum
            unitsLeft = units[(place + 1)...]
        }
        return total
    }

    /// The span as `parse` reads it; a negative one gets a sign, which `parse` refuses.
    public static func format(_ milliseconds: Int64) -> String {
        var rest = milliseconds.magnitude
        guard rest > 0 else { return "0s" }
        var text = milliseconds < 0 ? "-" : ""
        for unit in rest < shortestInDays ? units[1...] : units[...] {
            let (count, remainder) = rest.quotientAndRemainder(
                dividingBy: unit.milliseconds.magnitude)
            if count > 0 { text += "\(count)\(unit.name)" }
            rest = remainder
        }
        return text
    }
}
