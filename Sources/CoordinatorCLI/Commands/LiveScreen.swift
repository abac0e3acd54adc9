import CoordinatorCore
import CoordinatorService
import Terminal

/// The lines of `coordinator live`, for a terminal of any size.
struct LiveScreen {
    let names: String
    let clock: NamedZone
    let width: Int
    let height: Int
    let hasColour: Bool
    /// Shown at the end: keys, or why there is nothing newer.
    var footer = ""
    /// Whether `footer` is trouble.
    var isWarning = false

    private static let widestBar = 4
    private static let labelWidth = 8

    /// How many pages there is room for.
    static func rowCount(height: Int) -> Int {
        max(1, height - fixedLines - chartHeight(height))
    }

    /// Head, empty line, now, empty line, axis, empty line, heading, footer.
    private static let fixedLines = 8

    private static func chartHeight(_ height: Int) -> Int {
        min(8, max(2, (height - fixedLines) / 3))
    }

    /// The whole screen, at most `height` lines of at most `width` columns.
    func lines(_ reading: LiveReading) -> [String] {
        var lines = [head(reading), "", now(reading), ""]
        lines += chart(reading)
        lines.append("")
        lines += pages(reading)
        lines = Array(lines.prefix(max(1, height - 1)))
        while lines.count < height - 1 { lines.append("") }
        lines.append(toned(cut(footer), isWarning ? .warning : .faint))
        return lines
    }

    private func cut(_ text: String) -> String {
        TerminalText.shortened(TerminalText.escaped(text), toWidth: width)
    }

    private func toned(_ text: String, _ tone: Tone) -> String {
        tone.applied(to: text, hasColour: hasColour)
    }

    private func head(_ reading: LiveReading) -> String {
        let time = clock.text(reading.now, true) + " " + clock.name
        let room = max(0, width - TerminalText.width(of: time) - 2)
        let name = TerminalText.shortened(
            TerminalText.escaped("live · \(names)"), toWidth: room)
        let gap = max(2, width - TerminalText.width(of: name) - TerminalText.width(of: time))
        return cut(name + String(repeating: " ", count: gap) + time)
    }

    private func now(_ reading: LiveReading) -> String {
        let bar = NumberText.span(.milliseconds(reading.barLength))
        let last = reading.last?.pageviews ?? 0
        let current = reading.bars.last?.pageviews ?? 0
        let span = NumberText.span(.milliseconds(max(0, reading.now - reading.devicesFrom)))
        let text =
            // Short enough for 80 columns up to a million views.
            "\(NumberText.grouped(last)) views in \(bar), \(NumberText.grouped(current)) "
            + "in this one · \(NumberText.grouped(reading.devices)) devices "
            + "± \(NumberText.percent(Figures.deviceError)) in \(span)"
        return toned(cut(text), .strong)
    }

    private func chart(_ reading: LiveReading) -> [String] {
        let values = reading.bars.map(\.pageviews)
        let room = max(1, width - Self.labelWidth)
        let barWidth = max(1, min(Self.widestBar, room / max(1, values.count)))
        let shown = Array(values.suffix(room / barWidth))
        let first = reading.bars.count - shown.count
        let rows = BarChart.lines(
            shown, height: Self.chartHeight(height), barWidth: barWidth)
        let most = shown.max() ?? 0
        var lines = rows.enumerated().map { place, row in
            let label =
                place == 0 ? NumberText.grouped(most) : place == rows.count - 1 ? "0" : ""
            return padded(label) + toned(row, .good)
        }
        let start = reading.bars.indices.contains(first) ? reading.bars[first].window : reading.now
        let begin = String(clock.text(start, false).suffix(5))
        let end = String(clock.text(reading.now, false).suffix(5))
        let length = shown.count * barWidth
        let gap = max(1, length - begin.utf8.count - end.utf8.count)
        var axis = padded("") + begin + String(repeating: " ", count: gap) + end
        if reading.bars.contains(where: \.isSpread) { axis += "  (some are means)" }
        lines.append(toned(cut(axis), .faint))
        return lines
    }

    private func padded(_ label: String) -> String {
        let text = TerminalText.shortened(label, toWidth: Self.labelWidth - 1)
        return String(repeating: " ", count: Self.labelWidth - 1 - TerminalText.width(of: text))
            + text + " "
    }

    private func pages(_ reading: LiveReading) -> [String] {
        var table = Table([
            TableColumn("VIEWS", .trailing), TableColumn("DEVICES", .trailing),
            TableColumn("WEBSITE", maximumWidth: 20, isElastic: true),
            TableColumn("PAGE", minimumWidth: 20, isElastic: true),
        ])
        for row in reading.rows.prefix(Self.rowCount(height: height)) {
            let name = row.name.isEmpty ? row.id.hex : row.name
            table.append([
                .number(row.pageviews), .number(row.shownDevices), TableCell(row.website),
                TableCell(row.title ?? name),
            ])
        }
        return table.text(RenderingStyle(width: width, hasColour: hasColour))
            .split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }
}
