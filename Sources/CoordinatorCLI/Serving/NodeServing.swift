import CoordinatorService
import EventLoop
import HTTPServer
import RedisClient
import Terminal

/// The HTTP of one node: where people, probes and Prometheus ask, and apart from it where orders
/// are taken.
///
/// - Thread: loop only.
@LoopActor final class NodeServing {
    private let desk: QuestionDesk
    private let feed: LiveFeed
    private let metrics: MetricsPage
    private var servers: [HTTPServer] = []

    /// Listens as the arguments say.
    ///
    /// - Errors: configuration, when an address is taken or none, or a token is missing.
    init(
        _ context: CommandContext, _ node: Node, _ configuration: RedisConfiguration, host: String,
        log: NodeLog
    ) throws(CommandError) {
        desk = QuestionDesk(configuration)
        feed = LiveFeed(desk)
        metrics = MetricsPage(node, desk)
        do throws(CommandError) { try open(context, node, host, log) } catch {
            metrics.close()
            for server in servers { server.close() }
            throw error
        }
        metrics.servers = servers
    }

    /// Lets questions connect anew, too: another password, certificate or address.
    func reconnect(with configuration: RedisConfiguration) {
        desk.reconnect(with: configuration)
    }

    private func open(
        _ context: CommandContext, _ node: Node, _ host: String, _ log: NodeLog
    ) throws(CommandError) {
        let arguments = context.arguments
        let names = arguments.texts("http-host") + [host]
        if let address = try Self.address("http", context) {
            let token = try Self.token("read-token", context)
            let routes = ReadingRoutes(node, desk, feed, metrics, token: token)
            try open(address, "http", names, log) { routes.handle($0, $1) }
            if !address.isLoopback, token == nil {
                log.event(
                    .info, "http-open",
                    [("reason", "everybody who reaches \(address) reads: see --read-token-file")])
            }
        }
        if let address = try Self.address("admin", context) {
            guard let token = try Self.token("admin-token", context) else {
                throw CommandError(
                    .configuration,
                    "--admin needs a token: name a file with --admin-token-file, or set "
                        + "COORDINATOR_ADMIN_TOKEN")
            }
            let routes = AdminRoutes(desk, token: token, log: log)
            try open(address, "admin", names, log) { routes.handle($0, $1) }
        }
    }

    func close() async {
        feed.close()
        metrics.close()
        for server in servers { server.close() }
        servers = []
        await desk.close()
    }

    private func open(
        _ address: HTTPAddress, _ option: String, _ names: [String], _ log: NodeLog,
        _ handler: @escaping HTTPServer.Handler
    ) throws(CommandError) {
        do throws(HTTPServerError) {
            let server = try HTTPServer(address, names: names, handler: handler)
            server.onAnswer = { [metrics] in metrics.note($0, $1, $2) }
            servers.append(server)
            log.event(.info, "listening", [("for", option), ("address", "\(server.address)")])
        } catch {
            throw CommandError(.configuration, "--\(option): \(error)")
        }
    }

    /// The address that an option names; nil for `off`.
    static func address(
        _ option: String, _ context: CommandContext
    ) throws(CommandError) -> HTTPAddress? {
        let text = context.arguments.requiredText(option)
        if text == "off" { return nil }
        do throws(HTTPServerError) { return try HTTPAddress(text) } catch {
            throw CommandError(.configuration, "--\(option): \(error)")
        }
    }

    private static func token(
        _ option: String, _ context: CommandContext
    ) throws(CommandError) -> BearerToken? {
        var text = context.arguments.text(option)
        if let path = context.arguments.text(option + "-file") {
            text = try TextFile.read(path, limit: 4_096)
        }
        guard let text else { return nil }
        guard let token = BearerToken(text) else {
            throw CommandError(
                .configuration,
                "the \(option) is shorter than \(BearerToken.shortest) characters: it could be "
                    + "guessed")
        }
        return token
    }
}
