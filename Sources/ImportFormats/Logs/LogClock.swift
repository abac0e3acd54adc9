import CoordinatorCore

/// Reads the times of log lines.
struct LogClock {
    /// `13/Jul/2014:13:35:46 +0000`.
    static let width = 26

    /// Neighbouring lines mostly have the same second.
    private var lastText: [UInt8] = []
    private var lastTime: Int64?

    /// Milliseconds since 1970, UTC; nil for what is no time, or one before 1970, which no stream
    /// id can hold.
    mutating func milliseconds(_ text: UnsafeRawBufferPointer) -> Int64? {
        if text.elementsEqual(lastText) { return lastTime }
        lastText = Array(text)
        lastTime = Self.parse(lastText)
        return lastTime
    }

    /// Writes the time as ISO-8601 and has the core read it: one calendar for the whole program.
    private static func parse(_ text: [UInt8]) -> Int64? {
        guard text.count == width, text[2] == UInt8(ascii: "/"), text[6] == UInt8(ascii: "/"),
            text[11] == UInt8(ascii: ":"), text[20] == 0x20,
            let month = months.firstIndex(of: Array(text[3..<6]))
        else { return nil }
        var iso: [UInt8] = []
        iso.reserveCapacity(width)
        iso += text[7..<11]
        iso += [
            UInt8(ascii: "-"), digit((month + 1) / 10), digit((month + 1) % 10), UInt8(ascii: "-"),
        ]
        iso += text[0..<2]
        iso.append(UInt8(ascii: "T"))
        iso += text[12..<20]
        iso += text[21..<26]
        guard let time = iso.withUnsafeBytes({ Timestamp(iso8601: $0) }), time.milliseconds >= 0
        else {
            return nil
        }
        return time.milliseconds
    }

    private static func digit(_ value: Int) -> UInt8 { 0x30 + UInt8(truncatingIfNeeded: value) }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ].map { Array($0.utf8) }
}
