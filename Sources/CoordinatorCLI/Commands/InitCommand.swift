import CoordinatorCore
import CoordinatorService
import EventLoop
import FoundationEssentials
import Hashing
import RedisClient
import Terminal

/// `coordinator init`: writes the deployment's settings once.
@LoopActor enum InitCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let settings = try SettingsArguments.read(context)
        let sources = try SettingsArguments.sources(context)
        let cluster = try await context.connect()
        try await refuseUnfit(cluster)
        let written = try await context.service { () async throws(ServiceError) in
            try await Deployment.initialise(cluster, settings, sources: sources)
        }
        context.note(
            written
                ? "the deployment is initialised with \(settings.shards) shards; "
                    + "start nodes with `coordinator run`"
                : "the deployment has these settings already: nothing was changed")
        return .done
    }

    /// A deployment begun where figures may be thrown away is not begun.
    private static func refuseUnfit(_ cluster: RedisCluster) async throws(CommandError) {
        let lines: [CheckLine]
        do throws(RedisError) { lines = try await ClusterCheck(cluster).run() } catch {
            throw CommandError(error)
        }
        let errors = lines.filter { $0.level == .error && $0.concernsFitness }
        guard errors.isEmpty else {
            throw CommandError(
                .unhealthy,
                "this Redis cannot carry a deployment: "
                    + errors.map { "\($0.name): \($0.detail)" }.joined(separator: "; ")
                    + ". `coordinator check` has all of it")
        }
    }
}

/// The settings of a deployment from flags, environment and files.
@LoopActor enum SettingsArguments {
    /// A site table of ten thousand hosts is well below this.
    private static let maximumSitesBytes = 4 << 20

    static func read(_ context: CommandContext) throws(CommandError) -> DeploymentSettings {
        let arguments = context.arguments
        let sites = try sites(arguments.text("sites"))
        let key = try deviceKey(arguments)
        do throws(SettingsError) {
            return try DeploymentSettings(
                shards: Int(arguments.requiredInteger("shards")),
                tiers: arguments.requiredText("tiers"),
                graceMilliseconds: arguments.requiredSpan("grace").wholeMilliseconds,
                outageAllowanceMilliseconds: arguments.requiredSpan("outage-allowance")
                    .wholeMilliseconds,
                sites: sites,
                start: StartPolicy.parse(arguments.requiredText("start")),
                heaviest: heaviest(arguments),
                seriesLabels: DeploymentSettings.SeriesLabels(
                    rawValue: arguments.requiredText("series-labels")),
                deviceKey: key?.name
            ).validated()
        } catch {
            throw CommandError(error)
        }
    }

    /// The key under which device ids are stored; nil where they are stored as they come.
    static func deviceKey(_ arguments: ParsedArguments) throws(CommandError) -> DeviceKey? {
        guard let path = arguments.text("device-key-file") else { return nil }
        let bytes = try TextFile.bytes(path, limit: DeviceKey.longestSecret + 2)
        do throws(DeviceKeyError) { return try DeviceKey(secret: bytes) } catch {
            throw CommandError(.configuration, "\(TerminalText.escaped(path)): \(error)")
        }
    }

    /// Nil for exact pageviews.
    private static func heaviest(_ arguments: ParsedArguments) -> Int? {
        guard arguments.requiredText("pageviews") == "sketch" else { return nil }
        return arguments.integer("heaviest").map { Int($0) }
            ?? DeploymentSettings.standardHeaviest
    }

    static func sources(_ context: CommandContext) throws(CommandError) -> [String] {
        let sources = context.arguments.texts("source")
        for source in sources { try check(source) }
        return sources
    }

    /// A key that can be a source: no control characters, not one of our own.
    static func check(_ key: String) throws(CommandError) {
        let isPlain = key.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
        guard isPlain, key.utf8.count <= 512 else {
            throw CommandError(
                .usage,
                "the source '\(TerminalText.escaped(key))' is no key of a stream: "
                    + "no spaces or control characters, at most 512 bytes")
        }
    }

    private static func sites(_ path: String?) throws(CommandError) -> SiteTable {
        guard let path else { return .empty }
        let text = try TextFile.read(path, limit: maximumSitesBytes)
        do {
            return try JSONDecoder().decode(SiteTable.self, from: Data(text.utf8))
        } catch {
            throw CommandError(
                .configuration,
                "\(path) is no table of sites (\(JSONFailure.sentence(error))): write "
                    + "{\"hosts\":{\"www.example.org\":\"EXAMPLE\"},\"keepQuery\":{}}")
        }
    }
}

/// What is wrong with a JSON file, in one line.
enum JSONFailure {
    static func sentence(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context),
            .keyNotFound(_, let context),
            .dataCorrupted(let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }
}
