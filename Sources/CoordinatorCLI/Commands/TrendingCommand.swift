import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator trending`: what is read much more than it usually is.
@LoopActor enum TrendingCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        let what = arguments.requiredOperand("what")
        let dimension = ListedDimension.of(what)
        let deployment = try await context.deployment()
        let asked = try await Questions.period(context, deployment)
        guard case .windows(let interval) = asked.period else {
            throw CommandError(
                .usage, "what rises is judged by intervals of equal length: write --last 30m or 1h")
        }
        let filter = try await ListedFilter.read(dimension, what, context, deployment)
        let rule = TrendingRule(
            floor: arguments.requiredInteger("floor"),
            factor: Double(arguments.requiredInteger("times")))
        let count = Int(arguments.requiredInteger("number"))
        let answer = try await context.service { () async throws(ServiceError) in
            try await Figures(deployment).trending(
                dimension, interval, filter: filter.filter, rule: rule, count: count)
        }
        Questions.heading(
            context, filter.names, answer.interval, isFinal: answer.isFinal, asked,
            hasDevices: true)
        Questions.line(context, basis(answer, rule, asked.clock))
        context.show(document(answer, dimension, rule, asked))
        if answer.value.rows.isEmpty, Questions.isForPeople(context) {
            context.note("nothing rises: --floor and --times say what is a rise")
        }
        return context.finish(missing: answer.missing)
    }

    private static func span(_ answer: Answer<Trending>) -> String {
        NumberText.span(.milliseconds(answer.interval.length))
    }

    private static func basis(
        _ answer: Answer<Trending>, _ rule: TrendingRule, _ clock: NamedZone
    ) -> String {
        let trending = answer.value
        let since = clock.stretch(
            trending.baselineFrom, answer.interval.from, answer.interval.edge)
        return
            "typical is the median of the \(trending.baselineCount) times \(span(answer)) in "
            + "\(since), and at least \(rule.floor); a rise is \(Int(rule.factor)) times that"
    }

    /// Why a row is in the list.
    static func reason(_ riser: Riser, _ trending: Trending, _ rule: TrendingRule, _ span: String)
        -> String
    {
        let times = NumberText.decimal(riser.rise) + " ×"
        let views = "\(NumberText.grouped(riser.row.pageviews)) in \(span)"
        if riser.seenIn == 0 { return "\(times) the floor of \(rule.floor): \(views), new" }
        if riser.typical < rule.floor {
            return "\(times) the floor of \(rule.floor): \(views), typically "
                + NumberText.grouped(riser.typical)
        }
        return "\(times) typical: \(views), typically \(NumberText.grouped(riser.typical))"
    }

    /// The same beside the columns that tell the figures.
    private static func brief(_ riser: Riser, _ rule: TrendingRule) -> String {
        if riser.seenIn == 0 { return "new" }
        return riser.typical < rule.floor ? "above the floor" : "above typical"
    }

    private static func columns(_ dimension: Dimension) -> [TableColumn] {
        [
            TableColumn("RISE", .trailing),
            TableColumn(dimension.isPlayed ? "PLAYS" : "PAGEVIEWS", .trailing),
            TableColumn("TYPICAL", .trailing), TableColumn("DEVICES", .trailing, isWideOnly: true),
            TableColumn(
                dimension == .page ? "PAGE" : "NAME", field: dimension == .page ? "url" : "name",
                minimumWidth: 16,
                isElastic: true, isName: true),
            TableColumn("REASON"),
            TableColumn("ID", isWideOnly: true),
        ]
    }

    private static func document(
        _ answer: Answer<Trending>, _ dimension: Dimension, _ rule: TrendingRule,
        _ asked: AskedPeriod
    ) -> Document {
        let isPage = dimension == .page
        let coverage = Questions.CoverageColumns(
            answer.interval, isFinal: answer.isFinal, hasDevices: true)
        var table = Table(columns(dimension) + coverage.withErrors)
        var values: [JSONValue] = []
        for (place, riser) in answer.value.rows.enumerated() {
            let row = riser.row
            let name = row.name.isEmpty ? row.id.hex : row.name
            let reason = reason(riser, answer.value, rule, span(answer))
            let cells: [TableCell] = [
                TableCell(NumberText.decimal(riser.rise) + " ×", raw: "\(riser.rise)", tone: .good),
                Questions.cell(row.pageviews, error: row.pageviewsError), .number(riser.typical),
                .number(row.shownDevices),
                TableCell(row.title ?? name, raw: name),
                TableCell(brief(riser, rule), raw: reason), TableCell(row.id.hex),
            ]
            table.append(cells + coverage.of(pageviewsError: row.pageviewsError))
            values.append(
                .object([
                    .init("rank", .integer(Int64(place + 1))), .init("id", .string(row.id.hex)),
                    .init(isPage ? "url" : "name", row.name.isEmpty ? .null : .string(row.name)),
                    .init("title", .optional(row.title)),
                    .init("website", row.website.isEmpty ? .null : .string(row.website)),
                    .init("pageviews", .integer(row.pageviews)),
                    .init("pageviewsError", .integer(row.pageviewsError)),
                    .init("devices", .optional(row.shownDevices)),
                    .init("typical", .integer(riser.typical)),
                    .init("rise", .number(riser.rise)), .init("reason", .string(reason)),
                ]))
        }
        let value = JSONValue.object(
            Questions.members(answer.interval, isFinal: answer.isFinal, asked) + [
                .init("partial", .bool(!answer.missing.isEmpty)),
                .init("deviceError", .number(Figures.deviceError)),
                .init(
                    "baseline",
                    .object([
                        .init("from", .string(ISO8601Text.text(answer.value.baselineFrom))),
                        .init("to", .string(ISO8601Text.text(answer.interval.from))),
                        .init("intervals", .integer(Int64(answer.value.baselineCount))),
                    ])),
                .init("floor", .integer(rule.floor)), .init("times", .number(rule.factor)),
                .init("rows", .array(values)),
            ])
        return Document(value, lines: coverage.lines(values), table: table)
    }
}
