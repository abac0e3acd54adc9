import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// What a running node takes over at SIGHUP: log level and form, and how it is let into Redis.
///
/// All or nothing: what is wrong, or what Redis does not accept, leaves everything as it was.
///
/// - Thread: loop only.
@LoopActor final class Reload {
    /// Options that a reload takes over; what else differs is named in the log.
    static let reloadable: Set<String> = [
        "log-level", "log-format", "redis-url", "user", "password", "password-file", "tls",
        "cacert", "cert", "key", "sni", "insecure", "timeout",
    ]

    private let context: CommandContext
    private let clients: Node.Clients
    private let serving: NodeServing
    private let log: NodeLog
    private let manager: ServiceManager?
    private let started: [ArgumentSetting]
    private var isUnderWay = false
    private var isWanted = false

    init(
        _ context: CommandContext, _ clients: Node.Clients, _ serving: NodeServing, _ log: NodeLog,
        _ manager: ServiceManager?
    ) {
        self.context = context
        self.clients = clients
        self.serving = serving
        self.log = log
        self.manager = manager
        started = context.arguments.settings
    }

    /// Begins to reload; while one is under way, another one follows it.
    func begin() {
        isWanted = true
        guard !isUnderWay else { return }
        isUnderWay = true
        spawn { await self.run() }
    }

    private func run() async {
        manager?.reloading()
        // Also when it was refused: the node is as ready as before.
        defer { manager?.reloaded() }
        while isWanted {
            isWanted = false
            do throws(CommandError) { try await takeOver() } catch {
                log.event(
                    .error, "reload-refused", [("reason", error.message), ("kept", "all settings")])
            }
        }
        isUnderWay = false
    }

    private func takeOver() async throws(CommandError) {
        let arguments = try context.argumentsReadAgain()
        // A password that was typed cannot be read again.
        if !arguments.flag("askpass") {
            let configuration: RedisConfiguration
            do throws(RedisError) {
                configuration = try RedisArguments.configuration(arguments)
                let trial = RedisCluster(configuration)
                defer { spawn { await trial.close() } }
                try await trial.start()
            } catch {
                throw CommandError(error)
            }
            clients.reconnect(with: configuration)
            serving.reconnect(with: configuration)
        }
        log.lowest = NodeLog.Level(name: arguments.requiredText("log-level"))
        log.format = NodeLog.Format(rawValue: arguments.requiredText("log-format")) ?? .logfmt
        let now = arguments.settings
        let stale = zip(started, now).filter { old, new in
            old.value != new.value && !Self.reloadable.contains(new.name)
        }.map { "--" + $1.name }
        log.event(
            .info, "reloaded",
            [("log-level", arguments.requiredText("log-level"))]
                + (stale.isEmpty ? [] : [("needs-restart", stale.joined(separator: " "))]))
    }
}
