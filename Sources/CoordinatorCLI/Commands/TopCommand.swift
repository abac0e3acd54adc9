import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator top`: the records of one dimension with most pageviews or devices.
@LoopActor enum TopCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        let dimension = Self.dimension(arguments.requiredOperand("what"))
        let deployment = try await context.deployment()
        let interval = try await Questions.interval(context, deployment)
        let (filter, names) = try await filter(dimension, context, deployment)
        let order: Figures.Order = arguments.requiredText("by") == "devices" ? .devices : .pageviews
        let count = Int(arguments.requiredInteger("number"))
        let answer = try await context.service { () async throws(ServiceError) in
            try await Figures(deployment).top(
                dimension, interval, filter: filter, by: order, count: count)
        }
        Questions.heading(context, names, answer.interval, isFinal: answer.isFinal)
        context.show(document(answer, dimension, isPartial: !answer.missing.isEmpty))
        if answer.value.isEmpty, Questions.isForPeople(context) {
            context.note("no pageviews in that time")
        }
        return context.finish(missing: answer.missing)
    }

    private static func dimension(_ what: String) -> Dimension {
        switch what {
        case "websites": .website
        case "sections": .section
        default: Dimension.played.first { $0.kind == what } ?? .page
        }
    }

    private static func filter(
        _ dimension: Dimension, _ context: CommandContext, _ deployment: Deployment
    ) async throws(CommandError) -> (filter: Figures.Filter, names: String) {
        let website = context.arguments.text("website")
        let section = context.arguments.text("section")
        let finder = RecordFinder(deployment)
        let what = context.arguments.requiredOperand("what")
        guard section == nil || dimension != .website else {
            throw CommandError(.usage, "a website is in no section: leave --section out")
        }
        guard !dimension.isPlayed || (section == nil && website == nil) else {
            throw CommandError(
                .usage,
                "\(what) is of no website, it is played on any: leave --website and --section out")
        }
        return try await context.service { () async throws(ServiceError) in
            if let section {
                let found = try await finder.section(section, website: website)
                return (Figures.Filter(section: found.id), "\(what) of \(found.name)")
            }
            guard let website else { return (Figures.Filter(), what) }
            let found = try await finder.website(website)
            return (Figures.Filter(website: found.id), "\(what) of \(found.name)")
        }
    }

    private static func document(
        _ answer: Answer<[FigureRow]>, _ dimension: Dimension, isPartial: Bool
    ) -> Document {
        let isPage = dimension == .page
        var columns = [
            TableColumn("RANK", .trailing),
            TableColumn(dimension.isPlayed ? "PLAYS" : "PAGEVIEWS", .trailing),
            TableColumn("DEVICES", .trailing),
        ]
        let hasWebsite = dimension != .website && !dimension.isPlayed
        if hasWebsite {
            columns.append(TableColumn("WEBSITE", maximumWidth: 20, isElastic: true))
        }
        columns.append(
            TableColumn(isPage ? "URL" : "NAME", minimumWidth: 20, isElastic: true, isName: true))
        columns.append(TableColumn("ID", isWideOnly: true))
        var table = Table(columns)
        var values: [JSONValue] = []
        for (place, row) in answer.value.enumerated() {
            var cells: [TableCell] = [
                .number(Int64(place + 1)), Questions.cell(row), .number(row.shownDevices),
            ]
            if hasWebsite { cells.append(TableCell(row.website)) }
            cells.append(TableCell(row.name.isEmpty ? row.id.hex : row.name))
            cells.append(TableCell(row.id.hex))
            table.append(cells)
            values.append(
                .object([
                    .init("rank", .integer(Int64(place + 1))), .init("id", .string(row.id.hex)),
                    .init(isPage ? "url" : "name", row.name.isEmpty ? .null : .string(row.name)),
                    .init("website", row.website.isEmpty ? .null : .string(row.website)),
                    .init("pageviews", .integer(row.pageviews)),
                    .init("pageviewsError", .integer(row.pageviewsError)),
                    .init("devices", .optional(row.shownDevices)),
                ]))
        }
        let value = JSONValue.object(
            Questions.members(answer.interval, isFinal: answer.isFinal) + [
                .init("partial", .bool(isPartial)),
                .init("deviceError", .number(Figures.deviceError)),
                .init("rows", .array(values)),
            ])
        return Document(value, lines: values, table: table)
    }
}
