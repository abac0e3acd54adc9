import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator report`: pageviews and unique devices of one website, section, page or item.
@LoopActor enum ReportCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let record = try await Questions.record(context, deployment)
        let interval = try await Questions.interval(context, deployment)
        let answer = try await context.service { () async throws(ServiceError) in
            guard
                let answer = try await Figures(deployment).report(
                    record.dimension, record.id, interval)
            else { throw .question("nothing was counted for \(record.name)") }
            return answer
        }
        let row = answer.value
        let name = row.name.isEmpty ? record.name : row.name
        Questions.heading(context, "", answer.interval, isFinal: answer.isFinal)
        var table = Table([
            TableColumn(record.dimension.isPlayed ? "PLAYS" : "PAGEVIEWS", .trailing),
            TableColumn("DEVICES", .trailing),
            TableColumn("ERROR", .trailing),
            TableColumn("WEBSITE", maximumWidth: 20, isElastic: true),
            TableColumn("NAME", minimumWidth: 20, isElastic: true, isName: true),
            TableColumn("ID", isWideOnly: true),
        ])
        table.append([
            Questions.cell(row), .number(row.shownDevices),
            TableCell(
                "± " + NumberText.percent(Figures.deviceError), raw: "\(Figures.deviceError)"),
            TableCell(row.website), TableCell(name), TableCell(row.id.hex),
        ])
        let value = JSONValue.object(
            Questions.members(answer.interval, isFinal: answer.isFinal) + [
                .init("id", .string(row.id.hex)), .init("name", .string(name)),
                .init("website", row.website.isEmpty ? .null : .string(row.website)),
                .init("pageviews", .integer(row.pageviews)),
                .init("pageviewsError", .integer(row.pageviewsError)),
                .init("devices", .optional(row.shownDevices)),
                .init("deviceError", .number(Figures.deviceError)),
            ])
        context.show(Document(value, table: table))
        return context.finish(missing: answer.missing)
    }
}
