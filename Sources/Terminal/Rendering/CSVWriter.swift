/// Writes comma-separated values.
///
/// - Source: RFC 4180: lines end with CR LF; a cell with a comma, a quote or a line break is
///   quoted, quotes doubled.
public struct CSVWriter: Sendable {
    /// What has been written and not been taken yet.
    public private(set) var bytes: [UInt8] = []

    /// An empty writer.
    public init() {}

    /// Adds one row.
    ///
    /// A cell that a spreadsheet would run as a formula (it begins with = + - @, a tab or a
    /// carriage return) gets a `'` in front; plain numbers do not: `-5` is a figure.
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
        let text = Self.isFormula(cell) ? "'" + cell : cell
        let mustQuote = text.utf8.contains { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }
        guard mustQuote else { return bytes.append(contentsOf: text.utf8) }
        bytes.append(0x22)
        for byte in text.utf8 {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }

    private static func isFormula(_ cell: String) -> Bool {
        guard let first = cell.utf8.first else { return false }
        switch first {
        case 0x3D, 0x2B, 0x40, 0x09, 0x0D: return true
        case 0x2D: return !isPlainNumber(cell.utf8.dropFirst())
        default: return false
        }
    }

    private static func isPlainNumber(_ digits: Substring.UTF8View) -> Bool {
        !digits.isEmpty && digits.filter { $0 == 0x2E }.count <= 1
            && digits.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2E }
    }
}
