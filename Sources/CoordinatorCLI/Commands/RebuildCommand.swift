import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator rebuild`: windows made again from the tier below.
@LoopActor enum RebuildCommand {
    /// Rows for people; programs get all that are named.
    private static let shownRows = 20

    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        try Consent.refuseWatch(context)
        let deployment = try await context.deployment()
        guard let tier = try TierArgument.one(context, deployment.ladder) else {
            throw CommandError(.usage, "--tier names the tier to rebuild")
        }
        let now = try await context.service { () async throws(ServiceError) in
            try await deployment.serverTime()
        }
        let from = max(0, context.arguments.requiredTime("from").milliseconds(now: now))
        let to = min(now, context.arguments.requiredTime("to").milliseconds(now: now))
        func rebuild(writes: Bool) async throws(CommandError) -> Rebuild.Report {
            let began = loopNow()
            let shards = Int64(deployment.layout.count)
            var bar = context.progressBar(
                writes ? "rebuilding" : "comparing", total: shards, unit: .items("shards"))
            let report = try await context.service { () async throws(ServiceError) in
                try await Rebuild(deployment).run(tier, from: from, to: to, writes: writes) {
                    context.progress(bar.update(done: Int64($0), at: loopNow() - began))
                }
            }
            context.progress(bar.finish(done: shards, at: loopNow() - began))
            return report
        }
        // With a yes given the figures that it changed are those that were there when it did.
        if !context.arguments.flag("yes") || context.arguments.flag("dry-run") {
            let report = try await rebuild(writes: false)
            guard report.changedTotal > 0 || context.arguments.flag("dry-run") else {
                return finish(context, report, isRehearsal: true)
            }
            let wish = "rebuild \(NumberText.grouped(Int64(report.changedTotal))) records"
            guard
                try Consent.ask(context, wish, { show(context, report, isRehearsal: true) })
            else {
                tell(context, report)
                return context.finish(missing: report.missing)
            }
        }
        return finish(context, try await rebuild(writes: true), isRehearsal: false)
    }

    private static func finish(
        _ context: CommandContext, _ report: Rebuild.Report, isRehearsal: Bool
    ) -> ExitCode {
        show(context, report, isRehearsal: isRehearsal)
        let total = NumberText.grouped(Int64(report.recordsTotal))
        if report.changedTotal == 0 {
            context.note("no change: \(total) records are what their parts say")
        } else {
            let changed = NumberText.grouped(Int64(report.changedTotal))
            context.note("\(changed) of \(total) records changed")
        }
        tell(context, report)
        return context.finish(missing: report.missing)
    }

    private static func tell(_ context: CommandContext, _ report: Rebuild.Report) {
        if report.expired > 0 {
            context.note(
                "\(report.expired) windows of shards were left alone: parts of them are not kept "
                    + "any more")
        }
        if report.unmerged > 0 {
            context.note(
                "\(report.unmerged) windows of shards were left alone: they are not merged yet")
        }
    }

    private static func show(
        _ context: CommandContext, _ report: Rebuild.Report, isRehearsal: Bool
    ) {
        var table = Table([
            TableColumn("TIER"), TableColumn("WINDOW", isName: true),
            TableColumn("RECORDS", .trailing), TableColumn("CHANGED", .trailing),
            TableColumn("PAGEVIEWS", field: "pageviews_added", .trailing),
        ])
        let windows = report.changed.keys.sorted {
            ($0.tier.index, $0.start) < ($1.tier.index, $1.start)
        }
        let isShort = Questions.isForPeople(context)
        for window in isShort ? Array(windows.prefix(shownRows)) : windows {
            let added = report.added[window] ?? 0
            table.append([
                TableCell(window.tier.name), .instant(window.start),
                .number(Int64(report.records[window] ?? 0)),
                .number(Int64(report.changed[window] ?? 0)),
                TableCell(
                    (added > 0 ? "+" : "") + NumberText.grouped(added), raw: String(added)),
            ])
        }
        let changes = report.changes.map(value)
        let whole = JSONValue.object([
            .init("action", .string("rebuild")), .init("dryRun", .bool(isRehearsal)),
            .init("windows", .integer(Int64(report.records.count))),
            .init("records", .integer(Int64(report.recordsTotal))),
            .init("changed", .integer(Int64(report.changedTotal))),
            .init("expired", .integer(Int64(report.expired))),
            .init("unmerged", .integer(Int64(report.unmerged))),
            .init("changes", .array(changes)),
        ])
        if !isShort || !windows.isEmpty {
            context.show(Document(whole, lines: changes, table: table))
        }
        if isShort, windows.count > shownRows {
            context.note("… and \(windows.count - shownRows) more windows")
        }
    }

    private static func value(_ change: Rebuild.Change) -> JSONValue {
        .object([
            .init("tier", .string(change.tier.name)), .init("window", .integer(change.window)),
            .init("shard", .integer(Int64(change.shard.rawValue))),
            .init("dimension", .string(change.dimension.rawValue)),
            .init("id", .string(change.id.hex)),
            .init("pageviewsBefore", .integer(change.pageviewsBefore)),
            .init("pageviewsAfter", .integer(change.pageviewsAfter)),
            .init("devicesBefore", .optional(change.devicesBefore)),
            .init("devicesAfter", .integer(change.devicesAfter)),
            .init("seriesDiffered", .bool(change.seriesDiffered)),
        ])
    }
}
