import CoordinatorCore
import CoordinatorService
import EventLoop
import Glibc
import RedisClient
import SecureStream
import Terminal

/// `coordinator run`: one node.
@LoopActor enum RunCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        var options = Node.Options(
            name: try nodeName(arguments.text("node-name") ?? hostName()), host: hostName(),
            timing: try timing(context))
        options.enrichment = try EnrichmentArguments.read(context)
        options.deviceKey = try SettingsArguments.deviceKey(arguments)
        options.sourceRetention = try sourceRetention(arguments)
        options.weight = Int(arguments.requiredInteger("weight"))
        if arguments.flag("init") {
            options.settings = try SettingsArguments.read(context)
            options.sources = try SettingsArguments.sources(context)
        }
        let errors = OutputWriter.standardError()
        let level = NodeLog.Level(name: arguments.requiredText("log-level"))
        let format = NodeLog.Format(rawValue: arguments.requiredText("log-format")) ?? .logfmt
        let log = NodeLog(node: options.name, lowest: level, format: format) { line in
            errors.write(line)
            errors.flush()
        }
        let configuration = try context.checkedConfiguration()
        let clients = Node.Clients(configuration)
        if configuration.tls?.options.verifiesPeer == false {
            log.event(.warning, "insecure", [("reason", "certificates are not verified")])
        }
        clients.observe { log.event(.info, "redis", [("what", "\($0)")]) }
        let node = Node(clients, options, log: log)
        let serving: NodeServing
        do throws(CommandError) {
            serving = try NodeServing(
                context, node, configuration, host: options.host, log: log)
        } catch {
            await clients.close()
            throw error
        }
        let manager = ServiceManager { getenv($0).map { String(cString: $0) } }
        defer { manager?.end() }
        let reload = Reload(context, clients, serving, log, manager)
        let signals = watch(node, log, manager) + [SignalWatcher(.hangUp) { reload.begin() }]
        defer { for signal in signals { signal.close() } }
        // Ready is who does its work or waits for Redis: a service manager must not wait for Redis.
        manager?.ready()
        let reason: FinishReason?
        do throws(ServiceError) { reason = try await node.run() } catch {
            await serving.close()
            await clients.close()
            throw CommandError(error)
        }
        await serving.close()
        await clients.close()
        switch reason {
        case .stopped, nil: return .done
        case .superseded:
            throw CommandError(.unexpected, "this node ended: \(FinishReason.superseded.sentence)")
        case .drainTimedOut: return .done
        }
    }

    /// Shorter, and a failover of any kind would take back what can no longer be read again.
    private static let shortestRetention: Duration = .seconds(10)

    /// How long trackers' entries stay.
    static func sourceRetention(_ arguments: ParsedArguments) throws(CommandError) -> Duration {
        let span = arguments.requiredSpan("source-retention")
        guard span >= shortestRetention else {
            throw CommandError(
                .configuration,
                "--source-retention \(SpanText.text(span)) is too short: after a failover entries "
                    + "are read again; give 10s or more, an hour is the default")
        }
        return span
    }

    /// The node's spans.
    static func timing(_ context: CommandContext) throws(CommandError) -> NodeTiming {
        let arguments = context.arguments
        do throws(NodeTimingError) {
            return try NodeTiming(
                lease: arguments.requiredSpan("lease"), renew: arguments.span("renew-interval"),
                heartbeat: arguments.span("heartbeat-interval"),
                nodeTTL: arguments.span("node-ttl"),
                holdDown: arguments.requiredSpan("hold-down"),
                joinDelay: arguments.requiredSpan("join-delay"),
                drainTimeout: arguments.requiredSpan("drain-timeout"))
        } catch {
            throw CommandError(.configuration, "\(error)")
        }
    }

    /// The first signal ends the node in an orderly way, a second one at once.
    private static func watch(
        _ node: Node, _ log: NodeLog, _ manager: ServiceManager?
    ) -> [SignalWatcher] {
        let state = SignalState()
        return [SignalWatcher.Signal.terminate, .interrupt].map { signal in
            SignalWatcher(signal) {
                if state.isEnding { _exit(0) }
                state.isEnding = true
                log.event(.info, "stopping", [("reason", "signal")])
                manager?.stopping()
                node.stop()
            }
        }
    }

    @LoopActor private final class SignalState {
        var isEnding = false
    }

    /// A name that may stand in a node's id.
    static func nodeName(_ name: String) throws(CommandError) -> String {
        let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") }
        guard isPlain, (1...128).contains(name.utf8.count) else {
            throw CommandError(
                .configuration,
                "--node-name must be 1 to 128 bytes without spaces, slashes or control "
                    + "characters, not '\(TerminalText.escaped(name))'")
        }
        return name
    }

    private static func hostName() -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return "node" }
        let name = String(
            decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.isEmpty ? "node" : name
    }
}
