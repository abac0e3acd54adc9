import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator top`: the records of one dimension with most pageviews or devices.
@LoopActor enum TopCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        let what = arguments.requiredOperand("what")
        let dimension = ListedDimension.of(what)
        let deployment = try await context.deployment()
        let asked = try await Questions.period(context, deployment)
        let filter = try await ListedFilter.read(dimension, what, context, deployment)
        let order: Figures.Order = arguments.requiredText("by") == "devices" ? .devices : .pageviews
        let count = Int(arguments.requiredInteger("number"))
        let kind = arguments.text("compare").flatMap { Comparison.Kind(rawValue: $0) }
        let answer = try await context.service { () async throws(ServiceError) in
            let answer = try await Figures(deployment).top(
                dimension, asked.period, filter: filter.filter, by: order, count: count,
                comparing: kind.map { asked.comparison($0) })
            if answer.value.rows.isEmpty, let unknown = filter.unknown { throw .question(unknown) }
            return answer
        }
        let list = answer.value
        Questions.heading(
            context, filter.names, answer.interval, isFinal: answer.isFinal, asked,
            hasDevices: true)
        if let compared = list.comparison {
            Questions.line(context, sentence(compared, asked.clock, answer.interval))
        }
        let members =
            Questions.members(answer.interval, isFinal: answer.isFinal, asked) + [
                .init("partial", .bool(!answer.missing.isEmpty)),
                .init("deviceError", .number(Figures.deviceError)),
            ] + (list.comparison.map(member) ?? [])
        let coverage = Questions.CoverageColumns(
            answer.interval, isFinal: answer.isFinal, hasDevices: true)
        context.show(document(list, dimension, members, coverage))
        if list.rows.isEmpty, Questions.isForPeople(context) {
            context.note("no pageviews in that time")
        }
        return context.finish(missing: answer.missing)
    }

    // MARK: Comparison

    private static func sentence(
        _ compared: Compared, _ clock: NamedZone, _ interval: Interval
    ) -> String {
        let stretch = clock.stretch(compared.from, compared.to, interval.edge)
        return switch compared.source {
        case .windows: "against \(stretch)\(compared.isFinal ? "" : ", not final")"
        case .series:
            "against \(stretch): of then the series are kept, which tell pageviews only"
        case .nothing: "nothing to compare with: figures of \(stretch) are no longer kept"
        }
    }

    private static func member(_ compared: Compared) -> [JSONValue.Member] {
        [
            .init(
                "compared",
                .object([
                    .init("with", .string(compared.kind.rawValue)),
                    .init("from", .string(ISO8601Text.text(compared.from))),
                    .init("to", .string(ISO8601Text.text(compared.to))),
                    .init("final", .bool(compared.isFinal)),
                    .init("source", .string(compared.source.rawValue)),
                ]))
        ]
    }

    /// `+12 %`, `new` or `=`.
    static func change(_ now: Int64, _ before: Int64) -> TableCell {
        guard before > 0 else { return TableCell("new", raw: "", tone: .good) }
        let share = Double(now - before) / Double(before)
        let sign = now > before ? "+" : ""
        let percent = NumberText.grouped(Int64((share * 100).rounded())) + " %"
        return TableCell(
            now == before ? "=" : sign + percent, raw: "\(share)",
            tone: now > before ? .good : now < before ? .bad : .plain)
    }

    private static func comparisonCells(
        _ row: FigureRow, _ rank: Int, by source: Compared.Source
    ) -> [TableCell] {
        guard let before = row.before else { return [.optional(nil), .optional(nil)] }
        let was: TableCell
        if let place = before.rank {
            was = .number(Int64(place), tone: place > rank ? .good : place < rank ? .bad : .plain)
        } else {
            was = .optional(nil)
        }
        return [was, change(row.pageviews, before.pageviews)]
    }

    // MARK: Rows

    private static func document(
        _ list: Figures.List, _ dimension: Dimension, _ members: [JSONValue.Member],
        _ coverage: Questions.CoverageColumns
    ) -> Document {
        let isPage = dimension == .page
        let source = list.comparison?.source
        var table = Table(columns(list, dimension) + coverage.withErrors)
        let hasWebsite = dimension != .website && !dimension.isPlayed
        var values: [JSONValue] = []
        for (place, row) in list.rows.enumerated() {
            let rank = place + 1
            let compared = source.map { comparisonCells(row, rank, by: $0) }
            var cells: [TableCell] = [.number(Int64(rank))]
            if let compared { cells.append(compared[0]) }
            cells.append(Questions.cell(row.pageviews, error: row.pageviewsError))
            if let compared { cells.append(compared[1]) }
            cells.append(.number(row.shownDevices))
            if hasWebsite { cells.append(TableCell(row.website)) }
            cells.append(TableCell(row.name.isEmpty ? row.id.hex : row.name))
            cells.append(TableCell(row.id.hex))
            if isPage { cells.append(TableCell(row.title ?? "")) }
            table.append(cells + coverage.of(pageviewsError: row.pageviewsError))
            values.append(.object(Self.members(row, rank, isPage: isPage)))
        }
        let value = JSONValue.object(members + [.init("rows", .array(values))])
        return Document(value, lines: coverage.lines(values), table: table)
    }

    private static func columns(_ list: Figures.List, _ dimension: Dimension) -> [TableColumn] {
        let isPage = dimension == .page
        let source = list.comparison?.source
        let hasTitles = list.rows.contains { $0.title != nil }
        var columns = [TableColumn("RANK", .trailing)]
        if source != nil { columns.append(TableColumn("WAS", field: "previous_rank", .trailing)) }
        columns.append(
            TableColumn(dimension.isPlayed ? "PLAYS" : "PAGEVIEWS", .trailing))
        if source != nil { columns.append(TableColumn("CHANGE", .trailing)) }
        columns.append(TableColumn("DEVICES", .trailing))
        let hasWebsite = dimension != .website && !dimension.isPlayed
        if hasWebsite {
            columns.append(TableColumn("WEBSITE", maximumWidth: 20, isElastic: true))
        }
        columns.append(
            TableColumn(
                isPage ? "URL" : "NAME", minimumWidth: hasTitles ? 12 : 20, isElastic: true,
                isName: true))
        columns.append(TableColumn("ID", isWideOnly: true))
        if isPage {
            columns.append(
                TableColumn("TITLE", minimumWidth: 12, isElastic: true, isWideOnly: !hasTitles))
        }
        return columns
    }

    private static func members(
        _ row: FigureRow, _ rank: Int, isPage: Bool
    ) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("rank", .integer(Int64(rank))), .init("id", .string(row.id.hex)),
            .init(isPage ? "url" : "name", row.name.isEmpty ? .null : .string(row.name)),
            .init("website", row.website.isEmpty ? .null : .string(row.website)),
            .init("pageviews", .integer(row.pageviews)),
            .init("pageviewsError", .integer(row.pageviewsError)),
            .init("devices", .optional(row.shownDevices)),
        ]
        if isPage { members.append(.init("title", .optional(row.title))) }
        guard let before = row.before else { return members }
        members += [
            .init("previousRank", .optional(before.rank.map { Int64($0) })),
            .init("rankChange", .optional(before.rank.map { Int64($0 - rank) })),
            .init("previousPageviews", .integer(before.pageviews)),
            .init("pageviewsChange", .integer(row.pageviews - before.pageviews)),
            .init("previousDevices", .optional(before.devices)),
        ]
        return members
    }
}

/// The dimension that a list's operand names.
enum ListedDimension {
    static func of(_ what: String) -> Dimension {
        switch what {
        case "websites": .website
        case "sections": .section
        default: Dimension.played.first { $0.kind == what } ?? .page
        }
    }
}

/// What `--website` and `--section` restrict a list to.
struct ListedFilter {
    var filter = Figures.Filter()
    /// The list as it is called above its table.
    var names: String
    /// A sentence for a list that is empty because there is no such section at all.
    var unknown: String?

    @LoopActor static func read(
        _ dimension: Dimension, _ what: String, _ context: CommandContext,
        _ deployment: Deployment
    ) async throws(CommandError) -> ListedFilter {
        let website = context.arguments.text("website")
        let section = context.arguments.text("section")
        let finder = RecordFinder(deployment)
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
                let found = try await finder.sectionFilter(section, website: website)
                return ListedFilter(
                    filter: Figures.Filter(section: found.section),
                    names: "\(what) of \(found.name) and below",
                    unknown: found.isKnown
                        ? nil
                        : "nothing was counted for a section \(found.name) or below it: "
                            + "`coordinator top sections --last 7d` lists some")
            }
            guard let website else { return ListedFilter(names: what) }
            let found = try await finder.website(website)
            return ListedFilter(
                filter: Figures.Filter(website: found.id), names: "\(what) of \(found.name)")
        }
    }
}
