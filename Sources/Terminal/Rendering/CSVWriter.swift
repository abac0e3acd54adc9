/// Writes comma-separated values.
///
/// Cells come from outside and go to terminals and spreadsheets, which must show them and never
/// obey them: what could move a cursor or reorder text is written as `\u{…}`, as in tables, and a
/// formula gets an apostrophe in front.
///
/// - Source: RFC 4180: lines end with CR LF; a cell with a comma or a quote is quoted, quotes
///   doubled; there are no control characters in a cell.
public struct CSVWriter: Sendable {
    /// What has been written and not been taken yet.
    public private(set) var bytes: [UInt8] = []

    /// An empty writer.
    public init() {}

    /// Adds one row.
    ///
    /// A cell that a spreadsheet would run as a formula (it begins with = + - @, also as wide
    /// letters, or with a tab or line end before that) gets a `'` in front; plain
    /// numbers do not: `-5` is a figure.
    public mutating func row(_ cells: [String]) {
        for (index, cell) in cells.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            append(cell)
        }
        bytes.append(0x0D)
        bytes.append(0x0A)
    }

    /// Hands out what was written and starts again, so that a long export is written piece by
    /// piece.
    public mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    private mutating func append(_ cell: String) {
        let shown = TerminalText.escaped(cell)
        let text = Self.isFormula(cell) ? "'" + shown : shown
        let mustQuote = text.utf8.contains { $0 == 0x2C || $0 == 0x22 }
        guard mustQuote else { return bytes.append(contentsOf: text.utf8) }
        bytes.append(0x22)
        for byte in text.utf8 {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }

    private static func isFormula(_ cell: String) -> Bool {
        guard let first = cell.unicodeScalars.first else { return false }
        switch first {
        case "=", "+", "@", "\t", "\r", "\n", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}":
            return true
        case "-": return !isPlainNumber(cell.utf8.dropFirst())
        default: return false
        }
    }

    private static func isPlainNumber(_ digits: Substring.UTF8View) -> Bool {
        !digits.isEmpty && digits.filter { $0 == 0x2E }.count <= 1
            && digits.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2E }
    }
}
