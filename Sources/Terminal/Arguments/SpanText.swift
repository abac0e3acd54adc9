/// Lengths of time as people write them.
public enum SpanText {
    /// The longest span: a century. Sums of two stay far inside 64 bits of milliseconds.
    static let longestMilliseconds: Int64 = 100 * 366 * 86_400_000

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
        ("w", 604_800_000),
    ]

    /// The span that `text` names, or nil.
    ///
    /// - Shape: one or more of number and unit (w, d, h, m, s, ms), each unit once, from long to
    ///   short: `1h30m`.
    public static func parse(_ text: String) -> Duration? {
        milliseconds(text).map { Duration.milliseconds($0) }
    }

    private static func milliseconds(_ text: String) -> Int64? {
        var rest = Array(text.utf8)[...]
        var total: Int64 = 0
        var shortestSoFar = Int64.max
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { $0 >= 0x61 && $0 <= 0x7A }
            rest = rest.dropFirst(letters.count)
            guard let number = Int64(String(decoding: digits, as: UTF8.self)),
                let unit = units.first(where: { $0.name.utf8.elementsEqual(letters) }),
                unit.milliseconds < shortestSoFar
            else { return nil }
            shortestSoFar = unit.milliseconds
            let part = number.multipliedReportingOverflow(by: unit.milliseconds)
            let sum = total.addingReportingOverflow(part.partialValue)
            guard !part.overflow, !sum.overflow, sum.partialValue <= longestMilliseconds else {
                return nil
            }
            total = sum.partialValue
        }
        return total
    }
}

/// Sizes as people write them.
public enum ByteSizeText {
    private static let shifts: [String: Int64] = [
        "": 0, "b": 0, "k": 10, "kb": 10, "kib": 10, "m": 20, "mb": 20, "mib": 20, "g": 30,
        "gb": 30, "gib": 30,
    ]

    /// The size in bytes that `text` names, or nil. `64k`, `64KB` and `64KiB` are all 65,536, as in
    /// redis.conf.
    public static func parse(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).lowercased()
        guard let number = Int64(digits), let shift = shifts[unit] else { return nil }
        let product = number.multipliedReportingOverflow(by: Int64(1) << shift)
        return product.overflow ? nil : product.partialValue
    }
}
