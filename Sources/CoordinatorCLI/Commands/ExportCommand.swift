import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator export`: every window there is, a line each, written as it is read.
@LoopActor enum ExportCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let now = try await context.service { () async throws(ServiceError) in
            try await deployment.serverTime()
        }
        let arguments = context.arguments
        let tier = try TierArgument.one(context, deployment.ladder)
        let dimension = arguments.text("dimension").flatMap { Dimension(rawValue: $0) }
        var selection = Export.Selection(
            tiers: tier.map { [$0] } ?? deployment.ladder.tiers,
            dimensions: dimension.map { [$0] } ?? Dimension.counted)
        if let from = arguments.time("from") { selection.from = from.milliseconds(now: now) }
        if let to = arguments.time("to") { selection.to = to.milliseconds(now: now) }
        let chosen = selection
        let lines = ExportLines(
            context.style, context.output, hasErrors: deployment.settings.heaviest != nil)
        lines.begin()
        let missing = try await context.service { () async throws(ServiceError) in
            try await Export(deployment).rows(chosen, while: { lines.isWanted }) { lines.write($0) }
        }
        lines.end()
        return context.finish(missing: missing)
    }
}

/// Writes exported rows in one of the formats, one by one.
@LoopActor final class ExportLines {
    /// Names in their written form, so that each is escaped once and not for each of its windows.
    private static let maximumNames = 100_000
    /// Columns of a table that is written before its last row is known, so that it fits 80 columns.
    private static let windowWidth = 20

    private let style: RenderingStyle
    private let output: OutputWriter
    /// Whether rows tell by how much their pageviews may be too many.
    private let hasErrors: Bool
    private var names: [RecordID: [UInt8]] = [:]
    private var line: [UInt8] = []
    private var isFirst = true

    init(_ style: RenderingStyle, _ output: OutputWriter, hasErrors: Bool) {
        self.hasErrors = hasErrors
        self.style = style
        self.output = output
    }

    /// Nobody reads on when this is false.
    var isWanted: Bool { output.isUsable }

    func begin() {
        switch style.format {
        case .csv where style.showsHeaders:
            output.write(
                "tier,dimension,id,name,window,pageviews,devices"
                    + (hasErrors ? ",pageviewsError" : "") + ",final\r\n")
        case .json: output.write("[")
        case .table, .wide:
            guard style.showsHeaders else { return }
            output.write(
                Tone.strong.applied(
                    to: text(
                        "TIER", "D", "WINDOW", "PAGEVIEWS", "DEVICES",
                        style.format == .wide ? Self.wideHead : "NAME"),
                    hasColour: style.hasColour) + "\n")
        case .csv, .ndjson, .name: break
        }
    }

    private static let wideHead =
        "ID" + String(repeating: " ", count: RecordID.hexLength) + "NAME"

    func end() {
        if style.format == .json { output.write(isFirst ? "]\n" : "\n]\n") }
    }

    func write(_ row: WindowRow) {
        line.removeAll(keepingCapacity: true)
        switch style.format {
        case .ndjson:
            object(row)
            line.append(0x0A)
        case .json:
            line += isFirst ? "\n  ".utf8 : ",\n  ".utf8
            object(row)
        case .csv: csv(row)
        case .name:
            line += (TerminalText.escaped(row.name.isEmpty ? row.id.hex : row.name) + "\n").utf8
        case .table, .wide: table(row)
        }
        isFirst = false
        output.write(line)
    }

    private func object(_ row: WindowRow) {
        line += "{\"tier\":\"".utf8
        line += row.tier.name.utf8
        line += "\",\"dimension\":\"".utf8
        line += row.dimension.rawValue.utf8
        line += "\",\"id\":\"".utf8
        row.id.appendHex(to: &line)
        line += "\",\"name\":".utf8
        line += name(row) { name in
            var writer = JSONWriter()
            if name.isEmpty { writer.null() } else { writer.string(name) }
            return writer.take()
        }
        let error = row.pageviewsError.map { ",\"pageviewsError\":\($0)" } ?? ""
        line +=
            (",\"window\":\(row.window),\"pageviews\":\(row.pageviews),\"devices\":\(row.devices)"
            + error + ",\"final\":\(row.isFinal)}").utf8
    }

    private func csv(_ row: WindowRow) {
        line += row.tier.name.utf8
        line.append(0x2C)
        line += row.dimension.rawValue.utf8
        line.append(0x2C)
        row.id.appendHex(to: &line)
        line.append(0x2C)
        line += name(row) { name in
            var writer = CSVWriter()
            writer.row([name])
            return Array(writer.take().dropLast(2))
        }
        let error = row.pageviewsError.map { ",\($0)" } ?? ""
        line += ",\(row.window),\(row.pageviews),\(row.devices)\(error),\(row.isFinal)\r\n".utf8
    }

    private func name(_ row: WindowRow, _ make: (String) -> [UInt8]) -> [UInt8] {
        if let known = names[row.id] { return known }
        if names.count >= Self.maximumNames { names.removeAll(keepingCapacity: true) }
        let written = make(row.name)
        names[row.id] = written
        return written
    }

    private func table(_ row: WindowRow) {
        var name = TerminalText.escaped(row.name.isEmpty ? row.id.hex : row.name)
        if style.format == .wide { name = row.id.hex + "  " + name }
        let text = text(
            row.tier.name, row.dimension.rawValue, ISO8601Text.text(row.window),
            Questions.views(row.pageviews, row.pageviewsError ?? 0),
            NumberText.grouped(row.devices), name)
        line += text.utf8
        line.append(0x0A)
    }

    private func text(
        _ tier: String, _ dimension: String, _ window: String, _ views: String, _ devices: String,
        _ name: String
    ) -> String {
        let head =
            Self.padded(tier, 9) + "  " + Self.padded(dimension, 2) + "  "
            + Self.padded(window, Self.windowWidth)
            + "  "
            + Self.padded(views, 9, atEnd: false) + "  " + Self.padded(devices, 7, atEnd: false)
            + "  "
        guard style.format == .table else { return head + name }
        return head + TerminalText.shortened(name, toWidth: max(8, style.width - head.utf8.count))
    }

    private nonisolated static func padded(_ text: String, _ width: Int, atEnd: Bool = true)
        -> String
    {
        let space = String(repeating: " ", count: max(0, width - text.utf8.count))
        return atEnd ? text + space : space + text
    }
}
