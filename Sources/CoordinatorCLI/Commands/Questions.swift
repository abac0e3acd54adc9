import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// What the commands that answer questions share: selectors, times, and how answers say what they
/// cover.
@LoopActor enum Questions {
    /// The time that `--last`, `--at` and `--tz` ask for.
    static func period(
        _ context: CommandContext, _ deployment: Deployment
    ) async throws(CommandError) -> AskedPeriod {
        let clock = try NamedZone(context.arguments.requiredText("tz"))
        let at = try await moment(context, deployment)
        if let word = context.arguments.text("last") {
            let today = clock.zone.day(at: at)
            let day = word == "yesterday" ? today - 1 : today
            let from = clock.zone.start(ofDay: day)
            let finest = deployment.ladder.tiers[1]
            let to = min(clock.zone.start(ofDay: day + 1), finest.start(of: at))
            guard to > from else {
                throw CommandError(
                    .usage,
                    "\(word) began just now in \(clock.name): no window of \(finest.name) has ended"
                )
            }
            return AskedPeriod(
                period: .stretch(from: from, to: to), clock: clock, isDay: true)
        }
        let milliseconds = context.arguments.requiredSpan("last").wholeMilliseconds
        guard let interval = Interval(last: milliseconds, at: at, ladder: deployment.ladder) else {
            let longest = NumberText.span(.milliseconds(deployment.ladder.longestKeepMilliseconds))
            throw CommandError(
                .usage,
                "--last must be more than nothing and at most \(longest), which the coarsest "
                    + "tier keeps: `coordinator tiers` lists them")
        }
        return AskedPeriod(period: .windows(interval), clock: clock, isDay: false)
    }

    /// `--at`, which is never later than now: nothing is known of the future.
    static func moment(
        _ context: CommandContext, _ deployment: Deployment
    ) async throws(CommandError) -> Int64 {
        let now = try await context.service { () async throws(ServiceError) in
            try await deployment.serverTime()
        }
        return max(0, min(now, context.arguments.requiredTime("at").milliseconds(now: now)))
    }

    /// The one record that `--website`, `--section`, `--page` or `--audio` and the like name.
    static func record(
        _ context: CommandContext, _ deployment: Deployment
    ) async throws(CommandError) -> RecordReference {
        let arguments = context.arguments
        let website = arguments.text("website")
        let section = arguments.text("section")
        let page = arguments.text("page")
        guard page == nil || (website == nil && section == nil) else {
            throw CommandError(.usage, "--page names one page: leave --website and --section out")
        }
        let items = Dimension.played.filter { arguments.text($0.kind ?? "") != nil }
        let others = [website, section, page].contains { $0 != nil } ? 1 : 0
        guard items.isEmpty || items.count + others == 1 else {
            throw CommandError(
                .usage,
                "--\(items[0].kind ?? "") names one item: leave the other names out")
        }
        let finder = RecordFinder(deployment)
        return try await context.service { () async throws(ServiceError) in
            if let item = items.first, let id = arguments.text(item.kind ?? "") {
                return try await finder.item(item, id)
            }
            if let page { return try finder.page(page) }
            if let section { return try await finder.section(section, website: website) }
            if let website { return try await finder.website(website) }
            throw .question(
                "name what it is about: --website NAME, --section NAME, --page URL or --audio, "
                    + "--video, --podcast ID")
        }
    }

    /// Every record that `--website`, `--section`, `--page`, or `--audio` and the like name, in
    /// that order.
    ///
    /// One website beside sections says whose sections they are, as for one section; several
    /// websites are records themselves, and sections are then written as WEBSITE/SECTION.
    static func records(
        _ context: CommandContext, _ deployment: Deployment
    ) async throws(CommandError) -> [RecordReference] {
        let arguments = context.arguments
        let websites = arguments.texts("website")
        let sections = arguments.texts("section")
        let pages = arguments.texts("page")
        let items = Dimension.played.flatMap { dimension in
            arguments.texts(dimension.kind ?? "").map { (dimension, $0) }
        }
        let owner = !sections.isEmpty && websites.count == 1 ? websites[0] : nil
        guard pages.isEmpty || owner == nil else {
            throw CommandError(
                .usage,
                "with --page and --website, write sections as --section WEBSITE/SECTION")
        }
        guard items.isEmpty || (websites + sections + pages).isEmpty else {
            throw CommandError(
                .usage,
                "plays of --\(items[0].0.kind ?? "") are no pageviews: ask for them apart")
        }
        let finder = RecordFinder(deployment)
        return try await context.service { () async throws(ServiceError) in
            var records: [RecordReference] = []
            if owner == nil {
                for website in websites { records.append(try await finder.website(website)) }
            }
            for section in sections {
                records.append(try await finder.section(section, website: owner))
            }
            for page in pages { records.append(try finder.page(page)) }
            for (dimension, id) in items {
                records.append(try await finder.item(dimension, id))
            }
            guard !records.isEmpty else {
                throw .question(
                    "name what it is about: --website NAME, --section NAME, --page URL or --audio, "
                        + "--video, --podcast ID")
            }
            return records
        }
    }

    /// Pageviews with what they may be too many: `1,234 −5`; they are never too few.
    nonisolated static func views(_ views: Int64, _ error: Int64) -> String {
        error > 0
            ? NumberText.grouped(views) + " −" + NumberText.grouped(error)
            : NumberText.grouped(views)
    }

    /// A cell of pageviews; exact ones look as they always did.
    nonisolated static func cell(
        _ pageviews: Int64, error: Int64, tone: Tone = .plain
    ) -> TableCell {
        error > 0
            ? TableCell(views(pageviews, error), raw: "\(pageviews)", tone: tone)
            : .number(pageviews, tone: tone)
    }

    /// Whether an answer is for people's eyes on a terminal or a page.
    static func isForPeople(_ context: CommandContext) -> Bool {
        context.style.format == .table || context.style.format == .wide
    }

    /// A line above a table that says what it covers.
    static func heading(
        _ context: CommandContext, _ what: String, _ interval: Interval, isFinal: Bool,
        _ asked: AskedPeriod? = nil, hasDevices: Bool = false
    ) {
        var coverage = coverage(interval, isFinal, asked)
        if hasDevices { coverage += "; devices ± \(NumberText.percent(Figures.deviceError))" }
        line(context, what.isEmpty ? coverage : "\(what) · \(coverage)")
    }

    /// A faint line above a table, folded to the terminal.
    static func line(_ context: CommandContext, _ text: String) {
        guard isForPeople(context), context.style.showsHeaders else { return }
        for line in folded(TerminalText.escaped(text), to: context.style.width) {
            context.output.write(
                Tone.faint.applied(to: line, hasColour: context.style.hasColour) + "\n")
        }
    }

    /// `2024-07-24 21:30 – 22:00 UTC in 5MINUTES, final`.
    nonisolated static func coverage(
        _ interval: Interval, _ isFinal: Bool, _ asked: AskedPeriod? = nil
    ) -> String {
        let clock = asked?.clock ?? .utc
        let tiers =
            interval.edge == interval.tier
            ? interval.tier.name : "\(interval.tier.name) to \(interval.edge.name)"
        var text =
            clock.stretch(interval.from, interval.to, interval.edge)
            + " in \(tiers), \(isFinal ? "final" : "not final")"
        if let asked = asked?.missed(by: interval) {
            text +=
                "; asked for " + clock.stretch(asked.lowerBound, asked.upperBound, interval.edge)
        }
        return text
    }

    /// What a heading tells people, for each row of csv and ndjson: such rows are read without it.
    struct CoverageColumns {
        let columns: [TableColumn]
        private let cells: [TableCell]
        private let members: [JSONValue.Member]

        /// - Parameter hasDevices: whether the rows have estimates.
        init(_ interval: Interval, isFinal: Bool, hasDevices: Bool) {
            let error =
                hasDevices ? [("device_error", TableCell("", raw: "\(Figures.deviceError)"))] : []
            let all =
                [
                    ("from", TableCell.instant(interval.from)),
                    ("to", .instant(interval.to)), ("final", TableCell("\(isFinal)")),
                ] + error
            columns = all.map { TableColumn("", field: $0.0, audience: .programs) }
            cells = all.map(\.1)
            members =
                Questions.members(interval, isFinal: isFinal)
                + (hasDevices ? [.init("deviceError", .number(Figures.deviceError))] : [])
        }

        /// Rows as lines of ndjson.
        func lines(_ rows: [JSONValue]) -> [JSONValue] {
            rows.map { row in
                guard case .object(let own) = row else { return row }
                return .object(own + members)
            }
        }

        /// The columns of rows that have pageviews, which may be too many by some.
        var withErrors: [TableColumn] {
            [TableColumn("", field: "pageviews_error", audience: .programs)] + columns
        }

        /// The cells of one row.
        func of(pageviewsError error: Int64) -> [TableCell] { [.number(error)] + cells }

        /// The cells of one row whose figures are no pageviews, or have no bounds.
        var plain: [TableCell] { cells }
    }

    /// At spaces, so that no line is wider than the terminal.
    nonisolated static func folded(_ text: String, to width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty,
                TerminalText.width(of: line) + 1 + TerminalText.width(of: String(word)) > width
            {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [line]
    }

    /// `from`, `to`, `final` and the tier, as every answer has them.
    nonisolated static func members(
        _ interval: Interval, isFinal: Bool, _ asked: AskedPeriod? = nil
    ) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("from", .string(ISO8601Text.text(interval.from))),
            .init("to", .string(ISO8601Text.text(interval.to))), .init("final", .bool(isFinal)),
            .init("tier", .string(interval.tier.name)),
        ]
        if interval.edge != interval.tier {
            members.append(.init("edgeTier", .string(interval.edge.name)))
        }
        guard let asked else { return members }
        members.append(.init("timeZone", .string(asked.clock.name)))
        if asked.isDay, case .stretch(let from, let to) = asked.period {
            members.append(.init("askedFrom", .string(ISO8601Text.text(from))))
            members.append(.init("askedTo", .string(ISO8601Text.text(to))))
        }
        return members
    }
}
