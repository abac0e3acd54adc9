import CoordinatorCore
import CoordinatorService
import EventLoop
import Hashing
import RedisClient
import Terminal

/// `coordinator explain`: what a URL counts for, step by step, with Redis or without.
@LoopActor enum ExplainCommand {
    /// An explanation that needs no Redis does not wait long for one.
    private static let patience: Duration = .milliseconds(500)

    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let url = context.arguments.requiredOperand("url")
        let (sites, layout, cluster) = try await basis(context)
        let resolver = PageResolver(sites: sites, hasher: SHA1Hasher())
        var table = Table([TableColumn("STEP"), TableColumn("RESULT", isName: true)])
        var steps: [JSONValue] = []
        for step in resolver.explain(url) {
            table.append([TableCell(step.step), TableCell(step.value)])
            steps.append(
                .object([.init("step", .string(step.step)), .init("value", .string(step.value))]))
        }
        var members: [JSONValue.Member] = [
            .init("url", .string(url)), .init("steps", .array(steps)),
        ]
        do throws(RefusalError) {
            let address = try resolver.resolve(url)
            let records: [(String, String, RecordID)] = [
                ("website", address.website, address.websiteID),
                ("section", address.section, address.sectionID),
                ("page", address.url, address.pageID),
            ]
            for (what, name, id) in records {
                let place = RecordPlace(id, layout, cluster)
                table.append([TableCell("\(what) place"), TableCell(text(place))])
                members.append(.init(what, value(name, id, place)))
            }
        } catch {
            members.append(
                .init(
                    "refused",
                    .object([
                        .init("reason", .string(error.reason.rawValue)),
                        .init("detail", .string(error.detail)),
                    ])))
        }
        let value = JSONValue.object(members)
        context.show(Document(value, table: table))
        return .done
    }

    private static func text(_ place: RecordPlace) -> String {
        "shard \(place.shard), tag \(place.tag), slot \(place.slot), "
            + (place.master.map { "master \($0)" } ?? "master unknown")
    }

    private static func value(_ name: String, _ id: RecordID, _ place: RecordPlace) -> JSONValue {
        .object([
            .init("name", .string(name)), .init("id", .string(id.hex)),
            .init("shard", .integer(Int64(place.shard.rawValue))), .init("tag", .string(place.tag)),
            .init("slot", .integer(Int64(place.slot.rawValue))),
            .init("master", .optional(place.master?.description)),
        ])
    }

    /// The deployment's settings; the defaults, and a note, where there is none in reach.
    private static func basis(
        _ context: CommandContext
    ) async throws(CommandError) -> (SiteTable, ShardLayout, RedisCluster?) {
        var configuration = try context.checkedConfiguration()
        if !context.arguments.isGiven("timeout") {
            configuration.commandTimeout = patience
            configuration.connectTimeout = patience
        }
        let cluster = context.cluster(configuration)
        do throws(RedisError) { try await cluster.start() } catch {
            context.note("\(error); explained with default settings")
            return try standard(nil)
        }
        do throws(ServiceError) {
            let deployment = try await Deployment(cluster)
            return (deployment.settings.sites, deployment.layout, cluster)
        } catch {
            context.note("\(error); explained with default settings")
            return try standard(cluster)
        }
    }

    private static func standard(
        _ cluster: RedisCluster?
    ) throws(CommandError) -> (SiteTable, ShardLayout, RedisCluster?) {
        let settings = DeploymentSettings()
        do throws(SettingsError) { return (settings.sites, try settings.layout(), cluster) } catch {
            throw CommandError(error)
        }
    }
}
