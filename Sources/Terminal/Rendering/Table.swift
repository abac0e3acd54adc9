/// One column of a table.
public struct TableColumn: Sendable {
    /// Where a cell's text stands in its column.
    public enum Alignment: Sendable {
        case leading, trailing
    }

    /// The heading in tables; in capitals by convention.
    public var title: String
    /// The heading in csv.
    public var field: String
    /// Numbers stand to the right, so that their digits line up.
    public var alignment: Alignment
    /// Never narrower.
    public var minimumWidth: Int
    /// Never wider, except in `wide`.
    public var maximumWidth: Int
    /// Gives way when the terminal is too narrow, down to its minimum.
    public var isElastic: Bool
    /// Shown in `wide` and `csv` only.
    public var isWideOnly: Bool
    /// What `-o name` prints.
    public var isName: Bool
    /// For which readers it is there at all.
    public var audience: Audience

    /// Who reads a column.
    public enum Audience: Sendable {
        case everybody
        /// A drawing: never in csv.
        case people
        /// What a heading tells people: in csv only.
        case programs
    }

    /// A column; `field` is the title in lower case unless given.
    public init(
        _ title: String, field: String? = nil, _ alignment: Alignment = .leading,
        minimumWidth: Int = 0, maximumWidth: Int = .max, isElastic: Bool = false,
        isWideOnly: Bool = false, isName: Bool = false, audience: Audience = .everybody
    ) {
        self.title = title
        self.field = field ?? title.lowercased()
        self.alignment = alignment
        self.minimumWidth = max(isElastic ? Self.narrowestElastic : 0, minimumWidth)
        self.maximumWidth = maximumWidth
        self.isElastic = isElastic
        self.isWideOnly = isWideOnly
        self.isName = isName
        self.audience = audience
    }

    /// Below that, what is left of a name tells nothing.
    private static let narrowestElastic = 8
}

/// One cell: what people see, and what programs get.
public struct TableCell: Sendable, ExpressibleByStringLiteral {
    /// For people; escaped when shown.
    public var text: String
    /// For csv and names.
    public var raw: String
    /// What its colour says.
    public var tone: Tone

    /// A cell of text; `raw` is the same unless given.
    public init(_ text: String, raw: String? = nil, tone: Tone = .plain) {
        self.text = text
        self.raw = raw ?? text
        self.tone = tone
    }

    /// A cell of plain text.
    public init(stringLiteral value: String) {
        self.init(value)
    }

    /// A number: grouped for people, plain for programs; a dash where it is unknown.
    public static func number(_ number: Int64?, tone: Tone = .plain) -> TableCell {
        guard let number else { return TableCell("–", raw: "", tone: .faint) }
        return TableCell(NumberText.grouped(number), raw: String(number), tone: tone)
    }

    /// An instant in milliseconds since 1970: ISO-8601 for people, the number for programs.
    public static func instant(_ milliseconds: Int64?, tone: Tone = .plain) -> TableCell {
        guard let milliseconds else { return TableCell("–", raw: "", tone: .faint) }
        return TableCell(ISO8601Text.text(milliseconds), raw: String(milliseconds), tone: tone)
    }

    /// A text that may be unknown.
    public static func optional(_ text: String?) -> TableCell {
        text.map { TableCell($0) } ?? TableCell("–", raw: "", tone: .faint)
    }
}

/// Rows and columns, shown as a table, as csv, or as a list of names.
public struct Table: Sendable {
    /// The columns, from left to right.
    public let columns: [TableColumn]
    /// The rows, a cell for each column.
    public private(set) var rows: [[TableCell]] = []

    /// An empty table.
    public init(_ columns: [TableColumn]) {
        self.columns = columns
    }

    /// Adds a row with one cell for each column.
    public mutating func append(_ cells: [TableCell]) {
        precondition(cells.count == columns.count, "a row has a cell for each column")
        rows.append(cells)
    }

    /// The table in one of its own formats: table, wide, csv or name; JSON is `Document`'s.
    public func text(_ style: RenderingStyle) -> String {
        switch style.format {
        case .table:
            return aligned(style, indices(but: .programs).filter { !columns[$0].isWideOnly })
        case .wide, .json, .ndjson: return aligned(style, indices(but: .programs))
        case .csv: return csv(showsHeaders: style.showsHeaders)
        case .name: return names()
        }
    }

    private func csv(showsHeaders: Bool) -> String {
        var writer = CSVWriter()
        let shown = indices(but: .people)
        if showsHeaders { writer.row(shown.map { columns[$0].field }) }
        for row in rows { writer.row(shown.map { row[$0].raw }) }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func indices(but others: TableColumn.Audience) -> [Int] {
        columns.indices.filter { columns[$0].audience != others }
    }

    private func names() -> String {
        guard let column = columns.firstIndex(where: \.isName) ?? columns.indices.first else {
            return ""
        }
        return rows.map { TerminalText.escaped($0[column].raw) + "\n" }.joined()
    }

    private func aligned(_ style: RenderingStyle, _ shown: [Int]) -> String {
        let texts = rows.map { row in shown.map { TerminalText.escaped(row[$0].text) } }
        let widths = TableLayout(
            columns: shown.map { columns[$0] }, texts: texts, showsHeaders: style.showsHeaders,
            width: style.format == .table ? style.width : .max
        ).widths
        var lines: [String] = []
        if style.showsHeaders {
            let titles = shown.map { TableCell(columns[$0].title, tone: .strong) }
            lines.append(line(titles, titles.map(\.text), shown, widths, style))
        }
        for (row, texts) in zip(rows, texts) {
            lines.append(line(shown.map { row[$0] }, texts, shown, widths, style))
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func line(
        _ cells: [TableCell], _ texts: [String], _ shown: [Int], _ widths: [Int],
        _ style: RenderingStyle
    ) -> String {
        var line = ""
        for index in shown.indices {
            let text = TerminalText.shortened(texts[index], toWidth: widths[index])
            let padding = String(
                repeating: " ", count: max(0, widths[index] - TerminalText.width(of: text)))
            let toned = cells[index].tone.applied(to: text, hasColour: style.hasColour)
            let isLast = index == shown.count - 1
            switch columns[shown[index]].alignment {
            case .leading: line += isLast ? toned : toned + padding
            case .trailing: line += padding + toned
            }
            if !isLast { line += TableLayout.gap }
        }
        return line
    }
}

/// Finds the columns' widths.
struct TableLayout {
    static let gap = "  "
    private(set) var widths: [Int]

    init(columns: [TableColumn], texts: [[String]], showsHeaders: Bool, width: Int) {
        widths = columns.indices.map { index in
            let title = showsHeaders ? TerminalText.width(of: columns[index].title) : 0
            let widest = texts.reduce(title) { max($0, TerminalText.width(of: $1[index])) }
            let limit = width == .max ? Int.max : columns[index].maximumWidth
            return min(
                max(widest, columns[index].minimumWidth), max(limit, columns[index].minimumWidth))
        }
        guard width != .max else { return }
        var surplus = widths.reduce(Self.gap.count * max(0, columns.count - 1), +) - width
        while surplus > 0 {
            // The widest gives way first, one column at a time: short names next to long URLs stay
            // whole.
            let yielding = columns.indices.filter {
                columns[$0].isElastic && widths[$0] > columns[$0].minimumWidth
            }
            guard let widest = yielding.max(by: { widths[$0] < widths[$1] }) else { return }
            widths[widest] -= 1
            surplus -= 1
        }
    }
}
