import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator report`: pageviews or plays, and unique devices, of any records, each and together.
@LoopActor enum ReportCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let records = try await Questions.records(context, deployment)
        let asked = try await Questions.period(context, deployment)
        let answer = try await context.service { () async throws(ServiceError) in
            let answer = try await Figures(deployment).report(records, asked.period)
            let unknown = answer.value.rows.enumerated().filter(\.element.isUnknown)
            guard unknown.count < answer.value.rows.count else {
                throw .question("nothing was counted for \(records[0].name)")
            }
            return answer
        }
        let names = Dictionary(records.map { ($0.key, $0.name) }) { first, _ in first }
        Questions.heading(context, "", answer.interval, isFinal: answer.isFinal, asked)
        let value = JSONValue.object(
            Questions.members(answer.interval, isFinal: answer.isFinal, asked)
                + members(answer.value, names))
        let coverage = Questions.CoverageColumns(
            answer.interval, isFinal: answer.isFinal, hasDevices: false)
        let lines = coverage.lines(answer.value.rows.map { line($0, names) })
        context.show(
            Document(
                value, lines: records.count == 1 ? nil : lines,
                table: table(answer.value, names, coverage)))
        for row in answer.value.rows where row.isUnknown {
            context.note(
                "nothing was counted for "
                    + TerminalText.escaped(name(row.figures, names)))
        }
        for row in answer.value.rows {
            guard let whole = row.partOf, Questions.isForPeople(context) else { continue }
            context.note(
                TerminalText.escaped(
                    "\(name(row.figures, names)) is part of \(whole.name): counted once"))
        }
        return context.finish(missing: answer.missing)
    }

    private static func name(_ row: FigureRow, _ names: [RecordKey: String]) -> String {
        row.name.isEmpty ? names[row.key] ?? row.id.hex : row.name
    }

    private static func table(
        _ set: SetReport, _ names: [RecordKey: String], _ coverage: Questions.CoverageColumns
    ) -> Table {
        let isPlayed = set.rows.contains { $0.figures.dimension.isPlayed }
        let columns = [
            TableColumn(isPlayed ? "PLAYS" : "PAGEVIEWS", .trailing),
            TableColumn("DEVICES", .trailing), TableColumn("ERROR", .trailing),
            TableColumn("WEBSITE", maximumWidth: 20, isElastic: true),
            TableColumn("NAME", minimumWidth: 20, isElastic: true, isName: true),
            TableColumn("ID", isWideOnly: true),
        ]
        var table = Table(columns + coverage.withErrors)
        let error = TableCell(
            "± " + NumberText.percent(Figures.deviceError), raw: "\(Figures.deviceError)")
        for row in set.rows {
            let figures = row.figures
            let cells: [TableCell] = [
                Questions.cell(figures.pageviews, error: figures.pageviewsError),
                .number(figures.shownDevices), error,
                TableCell(figures.website), TableCell(name(figures, names)),
                TableCell(figures.id.hex),
            ]
            table.append(cells + coverage.of(pageviewsError: figures.pageviewsError))
        }
        if set.rows.count > 1 {
            let cells: [TableCell] = [
                Questions.cell(set.pageviews, error: set.pageviewsError, tone: .strong),
                .number(set.devices, tone: .strong), error,
                "", TableCell("all \(set.rows.count) together", tone: .strong), "",
            ]
            table.append(cells + coverage.of(pageviewsError: set.pageviewsError))
        }
        return table
    }

    /// The fields of one record's report, and each record where there are several.
    private static func members(
        _ set: SetReport, _ names: [RecordKey: String]
    ) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        if set.rows.count == 1, let row = set.rows.first?.figures {
            members = [
                .init("id", .string(row.id.hex)), .init("name", .string(name(row, names))),
                .init("title", .optional(row.title)),
                .init("website", row.website.isEmpty ? .null : .string(row.website)),
            ]
        }
        members += [
            .init("pageviews", .integer(set.pageviews)),
            .init("pageviewsError", .integer(set.pageviewsError)),
            .init("devices", .integer(set.devices)),
            .init("deviceError", .number(Figures.deviceError)),
            .init("records", .array(set.rows.map { line($0, names) })),
        ]
        return members
    }

    private static func line(_ row: SetReport.Row, _ names: [RecordKey: String]) -> JSONValue {
        let figures = row.figures
        return .object([
            .init("dimension", .string(figures.dimension.rawValue)),
            .init("id", .string(figures.id.hex)), .init("name", .string(name(figures, names))),
            .init("title", .optional(figures.title)),
            .init("website", figures.website.isEmpty ? .null : .string(figures.website)),
            .init("pageviews", .integer(figures.pageviews)),
            .init("pageviewsError", .integer(figures.pageviewsError)),
            .init("devices", .optional(figures.shownDevices)),
            .init("partOf", .optional(row.partOf?.id.hex)),
        ])
    }
}
