import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator config show|validate`
@LoopActor enum ConfigCommand {
    static func show(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let settings = deployment.settings
        let rows: [(name: String, value: String)] =
            [
                ("shards", "\(settings.shards)"), ("tiers", settings.tiers),
                ("grace", TimeSpan.format(settings.graceMilliseconds)),
                ("outage-allowance", TimeSpan.format(settings.outageAllowanceMilliseconds)),
                ("start", "\(settings.start)"), ("pageviews", settings.pageviewsText),
                ("series-labels", settings.seriesLabelsText),
                ("initialised", ISO8601Text.text(deployment.initialisedAt)),
            ]
            + settings.sites.hosts.sorted { $0.key < $1.key }.map { ("site \($0.key)", $0.value) }
            + settings.sites.keepQuery.sorted { $0.key < $1.key }.map {
                ("keepQuery \($0.key)", $0.value.joined(separator: ","))
            }
        var table = Table([
            TableColumn("SETTING", isName: true), TableColumn("VALUE", isElastic: true),
        ])
        for row in rows { table.append([TableCell(row.name), TableCell(row.value)]) }
        let value = JSONValue.object(rows.map { .init($0.name, .string($0.value)) })
        context.show(Document(value, table: table))
        return .done
    }

    /// Says what is wrong with settings, without Redis.
    static func validate(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let settings = try SettingsArguments.read(context)
        _ = try SettingsArguments.sources(context)
        _ = try context.checkedConfiguration()
        context.note("these settings are fine: \(settings.shards) shards, tiers \(settings.tiers)")
        return .done
    }
}
