import CoordinatorCore
import CoordinatorService
import EventLoop
import Pictures
import Terminal

/// `coordinator series --dimension LETTER`: the series of many records at once.
@LoopActor enum SeriesGroupCommand {
    private static let blocks = Array("▁▂▃▄▅▆▇█")
    /// Columns of a table's small curve.
    private static let curveWidth = 24

    static func run(
        _ context: CommandContext, _ deployment: Deployment, _ letter: String,
        _ metric: Metric, _ interval: Interval
    ) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        guard let dimension = Dimension(rawValue: letter) else {
            throw CommandError(.usage, "there is no dimension \(letter)")
        }
        let (filter, place) = try await filter(context, deployment, dimension)
        let count = Int(arguments.requiredInteger("number"))
        let answer = try await context.service { () async throws(ServiceError) in
            try await SeriesGroup(deployment).lines(
                of: dimension, filter, metric, interval, count: count)
        }
        let views = dimension.isPlayed ? "plays" : "pageviews"
        let what = "\(metric == .pageviews ? views : "devices") of \(name(dimension))\(place)"
        if let format = SeriesPicture.format(context) {
            let lines = answer.value.lines.prefix(ChartLayout.mostLines).map {
                Chart.Line($0.record.name, $0.points)
            }
            try SeriesPicture.write(
                context, format, what, answer.interval, isFinal: answer.isFinal, Array(lines))
            return context.finish(missing: answer.missing)
        }
        Questions.heading(context, what, answer.interval, isFinal: answer.isFinal)
        context.show(document(answer, dimension, metric))
        if Questions.isForPeople(context) {
            let shown = answer.value.lines.count
            if shown == 0 {
                context.note("no samples in that time")
            } else if let found = answer.value.found, found > shown {
                context.note("\(shown) of \(found) series; -n shows more")
            }
        }
        return context.finish(missing: answer.missing)
    }

    private static func filter(
        _ context: CommandContext, _ deployment: Deployment, _ dimension: Dimension
    ) async throws(CommandError) -> (Figures.Filter, place: String) {
        let arguments = context.arguments
        let others = ["page"] + Dimension.played.compactMap(\.kind)
        if let other = others.first(where: { arguments.text($0) != nil }) {
            throw CommandError(
                .usage, "--\(other) names one record: leave --dimension out to see its series")
        }
        let website = arguments.text("website")
        let section = arguments.text("section")
        guard website == nil || [.section, .page].contains(dimension) else {
            throw CommandError(.usage, "--website narrows sections (S) and pages (P) only")
        }
        guard section == nil || dimension == .page else {
            throw CommandError(.usage, "--section narrows pages (P) only")
        }
        let finder = RecordFinder(deployment)
        return try await context.service { () async throws(ServiceError) in
            if let section {
                let found = try await finder.sectionFilter(section, website: website)
                return (Figures.Filter(section: found.section), " of \(found.name)")
            }
            if let website {
                let record = try await finder.website(website)
                return (Figures.Filter(website: record.id), " of \(record.name)")
            }
            return (Figures.Filter(), "")
        }
    }

    private static func name(_ dimension: Dimension) -> String {
        switch dimension {
        case .website: "websites"
        case .section: "sections"
        case .page: "pages"
        default: "\(dimension.kind ?? dimension.rawValue) items"
        }
    }

    private static func document(
        _ answer: Answer<SeriesGroup.Lines>, _ dimension: Dimension, _ metric: Metric
    ) -> Document {
        let isViews = metric == .pageviews
        let coverage = Questions.CoverageColumns(
            answer.interval, isFinal: answer.isFinal, hasDevices: !isViews)
        let columns = [
            TableColumn(isViews ? "SUM" : "HIGHEST", .trailing),
            TableColumn("CURVE", audience: .people),
            TableColumn("NAME", minimumWidth: 20, isElastic: true, isName: true),
            TableColumn("ID", isWideOnly: true),
        ]
        var table = Table(columns + coverage.columns)
        var values: [JSONValue] = []
        for line in answer.value.lines {
            let cells: [TableCell] = [
                .number(line.figure), TableCell(curve(line.points, answer.interval)),
                TableCell(line.record.name), TableCell(line.record.id.hex),
            ]
            table.append(cells + coverage.plain)
            values.append(
                .object([
                    .init("id", .string(line.record.id.hex)),
                    .init("name", .string(line.record.name)),
                    .init(isViews ? "sum" : "highest", .integer(line.figure)),
                    .init(
                        "points",
                        .array(
                            line.points.map {
                                .object([
                                    .init("window", .integer($0.window)),
                                    .init("value", .integer($0.value)),
                                ])
                            })),
                ]))
        }
        let members =
            Questions.members(answer.interval, isFinal: answer.isFinal) + [
                .init("metric", .string(metric.rawValue)),
                .init("dimension", .string(dimension.rawValue)),
                .init("found", .optional(answer.value.found.map { Int64($0) })),
                .init("series", .array(values)),
            ]
        return Document(.object(members), lines: coverage.lines(values), table: table)
    }

    /// The highest of each part of the interval, in eighths.
    private static func curve(_ points: [Series.Point], _ interval: Interval) -> String {
        var levels = [Int64](repeating: 0, count: curveWidth)
        let span = max(1, interval.to - interval.from)
        for point in points where point.window >= interval.from && point.window < interval.to {
            let share = Double(point.window - interval.from) / Double(span)
            let column = min(curveWidth - 1, Int(share * Double(curveWidth)))
            levels[column] = max(levels[column], point.value)
        }
        let most = levels.max() ?? 0
        guard most > 0 else { return "" }
        return String(
            levels.map { level in
                level == 0
                    ? " " : blocks[min(7, Int(Double(level) / Double(most) * 7.99))]
            })
    }
}
