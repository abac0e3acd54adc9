import CoordinatorCore
import CoordinatorService
import EventLoop
import Pictures
import Terminal

/// `coordinator series`: one figure over time.
@LoopActor enum SeriesCommand {
    private static let standardSpanMilliseconds: Int64 = 86_400_000

    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let tier = try TierArgument.one(context, deployment.ladder) ?? deployment.ladder.tiers[1]
        let at = try await Questions.moment(context, deployment)
        let to = context.arguments.time("to")?.milliseconds(now: at) ?? at
        let from =
            context.arguments.time("from")?.milliseconds(now: at) ?? to - standardSpanMilliseconds
        let interval = Interval(tier: tier, from: max(0, from), to: max(0, to))
        let metric: Metric =
            context.arguments.requiredText("metric") == "UD" ? .uniqueDevices : .pageviews
        if let letter = context.arguments.text("dimension") {
            return try await SeriesGroupCommand.run(
                context, deployment, letter, metric, interval)
        }
        let record = try await Questions.record(context, deployment)
        let answer = try await context.service { () async throws(ServiceError) in
            try await Series(deployment).points(record, metric, interval)
        }
        let views = record.dimension.isPlayed ? "plays" : "pageviews"
        let what = metric == .pageviews ? views : "devices"
        if let format = SeriesPicture.format(context) {
            try SeriesPicture.write(
                context, format, "\(what) of \(record.name)", answer.interval,
                isFinal: answer.isFinal, [Chart.Line(record.name, answer.value)])
            return context.finish(missing: answer.missing)
        }
        Questions.heading(
            context, "\(what) of \(record.name)", answer.interval, isFinal: answer.isFinal)
        context.show(document(answer, record, metric, deviceColumn: what))
        if answer.value.isEmpty, Questions.isForPeople(context) {
            context.note("no samples in that time")
        }
        return context.finish(missing: answer.missing)
    }

    private static func document(
        _ answer: Answer<[Series.Point]>, _ record: RecordReference, _ metric: Metric,
        deviceColumn: String
    ) -> Document {
        let coverage = Questions.CoverageColumns(
            answer.interval, isFinal: answer.isFinal, hasDevices: metric == .uniqueDevices)
        let columns = [
            TableColumn("WINDOW", isName: true), TableColumn(deviceColumn.uppercased(), .trailing),
            TableColumn("", audience: .people),
        ]
        var table = Table(columns + coverage.columns)
        let most = answer.value.map(\.value).max() ?? 0
        var values: [JSONValue] = []
        for point in answer.value {
            let cells: [TableCell] = [
                .instant(point.window), .number(point.value),
                TableCell(bar(point.value, of: most), tone: .faint),
            ]
            table.append(cells + coverage.plain)
            values.append(
                .object([
                    .init("window", .integer(point.window)),
                    .init("at", .string(ISO8601Text.text(point.window))),
                    .init("value", .integer(point.value)),
                ]))
        }
        var members = Questions.members(answer.interval, isFinal: answer.isFinal)
        members += [
            .init("metric", .string(metric.rawValue)), .init("id", .string(record.id.hex)),
            .init("name", .string(record.name)), .init("points", .array(values)),
        ]
        return Document(.object(members), lines: coverage.lines(values), table: table)
    }

    /// Columns of the longest bar: with time and figure it fits 80.
    private static let barWidth: Int64 = 40

    private static func bar(_ value: Int64, of most: Int64) -> String {
        guard most > 0, value > 0 else { return "" }
        let share = Double(value) / Double(most)
        return String(repeating: "▇", count: max(1, Int((share * Double(barWidth)).rounded())))
    }
}

/// `--tier`, checked against the deployment's ladder.
enum TierArgument {
    @LoopActor static func one(
        _ context: CommandContext, _ ladder: Ladder
    ) throws(CommandError) -> Tier? {
        guard let name = context.arguments.text("tier") else { return nil }
        guard let tier = ladder.tier(named: name.uppercased()) else {
            throw CommandError(
                .usage,
                "there is no tier \(name): this deployment has "
                    + ladder.tiers.map(\.name).joined(separator: ", "))
        }
        return tier
    }
}
