import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator config show|validate`
@LoopActor enum ConfigCommand {
    static func show(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let own = ownSettings(context.arguments)
        // Before Redis is asked: they may be why it cannot be.
        if context.style.format == .table { context.show(ownTable(own)) }
        let deployment = try await context.deployment()
        let settings = deployment.settings
        let rows: [(name: String, value: String)] =
            [
                ("shards", "\(settings.shards)"), ("tiers", settings.tiers),
                ("grace", TimeSpan.format(settings.graceMilliseconds)),
                ("outage-allowance", TimeSpan.format(settings.outageAllowanceMilliseconds)),
                ("start", "\(settings.start)"), ("pageviews", settings.pageviewsText),
                ("series-labels", settings.seriesLabelsText),
                ("device-key", settings.deviceKeyText),
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
        let value = JSONValue.object(
            rows.map { .init($0.name, .string($0.value)) } + [
                .init(
                    "node",
                    .array(
                        own.map { name, value, origin in
                            .object([
                                .init("name", .string(name)), .init("value", .string(value)),
                                .init("origin", .string(origin)),
                            ])
                        }))
            ])
        if context.style.format == .table { context.output.write("\n") }
        context.show(Document(value, table: table))
        return .done
    }

    private typealias OwnSetting = (name: String, value: String, origin: String)

    /// What flags, environment and file say, without the deployment's settings where nobody gave
    /// one, and without secrets.
    private static func ownSettings(_ arguments: ParsedArguments) -> [OwnSetting] {
        let ofDeployment = Set(ProgramModel.settings.map(\.name))
        return arguments.settings.compactMap { setting in
            guard let value = setting.value, let origin = setting.origin,
                origin != .defaultValue || !ofDeployment.contains(setting.name)
            else { return nil }
            let shown = setting.isSecret ? "(secret)" : withoutPassword(value, setting.name)
            return (setting.name, shown, origin.text)
        }
    }

    private static func ownTable(_ settings: [OwnSetting]) -> Document {
        var table = Table([
            TableColumn("SETTING", isName: true), TableColumn("VALUE", isElastic: true),
            TableColumn("ORIGIN"),
        ])
        for setting in settings {
            table.append([
                TableCell(setting.name), TableCell(setting.value), TableCell(setting.origin),
            ])
        }
        return Document(.null, table: table)
    }

    /// An address may hold a password, between the first colon after `//` and the last `@`.
    private static func withoutPassword(_ value: String, _ name: String) -> String {
        guard name == "redis-url" else { return value }
        return value.split(separator: ",", omittingEmptySubsequences: false).map { url in
            guard let at = url.lastIndex(of: "@") else { return String(url) }
            let start = url.firstIndex(of: "/").map { url.index($0, offsetBy: 2) } ?? url.startIndex
            let user = url[start..<max(start, at)].prefix { $0 != ":" }
            return url[..<start] + user + ":(secret)" + url[at...]
        }.joined(separator: ",")
    }

    /// Says what is wrong with settings, without Redis.
    static func validate(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let settings = try SettingsArguments.read(context)
        _ = try SettingsArguments.sources(context)
        _ = try context.checkedConfiguration()
        _ = try RunCommand.timing(context)
        _ = try RunCommand.sourceRetention(context.arguments)
        if let name = context.arguments.text("node-name") { _ = try RunCommand.nodeName(name) }
        context.note("these settings are fine: \(settings.shards) shards, tiers \(settings.tiers)")
        return .done
    }
}
