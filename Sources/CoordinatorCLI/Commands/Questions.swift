import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// What the commands that answer questions share: selectors, times, and how answers say what they
/// cover.
@LoopActor enum Questions {
    /// The interval that `--last` and `--at` ask for.
    static func interval(
        _ context: CommandContext, _ deployment: Deployment
    ) async throws(CommandError) -> Interval {
        let at = try await moment(context, deployment)
        let span = context.arguments.requiredSpan("last")
        let milliseconds = span.wholeMilliseconds
        guard let interval = Interval(last: milliseconds, at: at, ladder: deployment.ladder) else {
            let longest = NumberText.span(.milliseconds(deployment.ladder.longestKeepMilliseconds))
            throw CommandError(
                .usage,
                "--last must be more than nothing and at most \(longest), which the coarsest "
                    + "tier keeps: `coordinator tiers` lists them")
        }
        return interval
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

    /// Pageviews with what they may be too many: `1,234 −5`; they are never too few.
    nonisolated static func views(_ views: Int64, _ error: Int64) -> String {
        error > 0
            ? NumberText.grouped(views) + " −" + NumberText.grouped(error)
            : NumberText.grouped(views)
    }

    /// A cell of pageviews; exact ones look as they always did.
    nonisolated static func cell(_ row: FigureRow) -> TableCell {
        row.pageviewsError > 0
            ? TableCell(views(row.pageviews, row.pageviewsError), raw: "\(row.pageviews)")
            : .number(row.pageviews)
    }

    /// Whether an answer is for people's eyes on a terminal or a page.
    static func isForPeople(_ context: CommandContext) -> Bool {
        context.style.format == .table || context.style.format == .wide
    }

    /// A line above a table that says what it covers.
    static func heading(
        _ context: CommandContext, _ what: String, _ interval: Interval, isFinal: Bool
    ) {
        guard isForPeople(context), context.style.showsHeaders else { return }
        let text =
            what.isEmpty ? coverage(interval, isFinal) : "\(what) · \(coverage(interval, isFinal))"
        for line in folded(TerminalText.escaped(text), to: context.style.width) {
            context.output.write(
                Tone.faint.applied(to: line, hasColour: context.style.hasColour) + "\n")
        }
    }

    /// `2024-07-24 21:30 – 22:00 UTC in 5MINUTES, final`.
    nonisolated static func coverage(_ interval: Interval, _ isFinal: Bool) -> String {
        let hasSeconds = interval.tier.lengthMilliseconds % 60_000 != 0
        let from = minute(interval.from, hasSeconds)
        let to = minute(interval.to, hasSeconds)
        let sameDay = from.prefix(10) == to.prefix(10)
        let end = sameDay ? String(to.dropFirst(11)) : to
        return "\(from) – \(end) UTC in \(interval.tier.name), \(isFinal ? "final" : "not final")"
    }

    /// ISO-8601 without what every such line shares; seconds only where a tier has them.
    private nonisolated static func minute(_ milliseconds: Int64, _ hasSeconds: Bool) -> String {
        let text = ISO8601Text.text(milliseconds)
        return String(text.prefix(10)) + " " + text.dropFirst(11).prefix(hasSeconds ? 8 : 5)
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
    nonisolated static func members(_ interval: Interval, isFinal: Bool) -> [JSONValue.Member] {
        [
            .init("from", .string(ISO8601Text.text(interval.from))),
            .init("to", .string(ISO8601Text.text(interval.to))), .init("final", .bool(isFinal)),
            .init("tier", .string(interval.tier.name)),
        ]
    }
}
