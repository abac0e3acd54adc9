import CoordinatorService
import EventLoop
import HTTPServer
import Terminal

/// Everything that can be read from a node: probes, metrics, status, figures, events, pages.
///
/// - Thread: loop only.
@LoopActor final class ReadingRoutes {
    private let node: Node
    private let desk: QuestionDesk
    private let feed: LiveFeed
    private let metrics: MetricsPage
    private let token: BearerToken?

    init(
        _ node: Node, _ desk: QuestionDesk, _ feed: LiveFeed, _ metrics: MetricsPage,
        token: BearerToken?
    ) {
        self.node = node
        self.desk = desk
        self.feed = feed
        self.metrics = metrics
        self.token = token
    }

    /// Answers one request.
    func handle(_ request: HTTPRequest, _ reply: HTTPReply) {
        guard request.method == "GET" || request.method == "HEAD" else {
            return reply.send(
                .problem(
                    405, "Method Not Allowed", "nothing is changed here: ask with GET",
                    headers: [("Allow", "GET, HEAD")]))
        }
        if let probe = probe(request) { return reply.send(probe) }
        if let token, !token.isShown(by: request.header("authorization")) {
            return reply.send(
                .problem(
                    401, "Unauthorized", "this needs the read token",
                    headers: [
                        ("WWW-Authenticate", "Basic realm=\"coordinator\", charset=\"UTF-8\""),
                        ("WWW-Authenticate", "Bearer realm=\"coordinator\""),
                    ]))
        }
        if let page = StaticFiles.all[request.target.path] {
            guard refuseParameters(request, reply, but: page.parameters) else { return }
            return reply.send(QuestionDesk.conditional(page.response, request))
        }
        switch request.target.path {
        case "/api/v1/live": listen(request, reply)
        case "/metrics":
            guard refuseParameters(request, reply) else { return }
            reply.send(metrics.response())
        default: ask(request, reply)
        }
    }

    // MARK: Probes

    /// Probes are answered from memory, without token and without Redis.
    private func probe(_ request: HTTPRequest) -> HTTPResponse? {
        switch request.target.path {
        case "/livez": return .text(200, "ok")
        case "/readyz":
            let presence = node.presence
            return .text(presence.isReady ? 200 : 503, presence.reason)
        case "/leader":
            return node.presence.isLeader ? .text(200, "leader") : .text(503, "not the leader")
        default: return nil
        }
    }

    // MARK: Questions

    private func refuseParameters(
        _ request: HTTPRequest, _ reply: HTTPReply, but known: [String] = []
    ) -> Bool {
        let unknown = request.target.parameters.first { !known.contains($0.name) }
        guard let first = unknown else { return true }
        let name = TerminalText.escaped(first.name)
        reply.send(.problem(400, "Bad Request", "there is no parameter '\(name)' here"))
        return false
    }

    private func listen(_ request: HTTPRequest, _ reply: HTTPReply) {
        guard refuseParameters(request, reply) else { return }
        guard request.method == "GET" else {
            return reply.send(HTTPResponse(status: 200, type: "text/event-stream", body: []))
        }
        let stream = HTTPEventStream()
        reply.send(.stream(stream))
        feed.add(stream)
    }

    private func ask(_ request: HTTPRequest, _ reply: HTTPReply) {
        guard let route = QuestionRoute.known[request.target.path] else {
            return reply.send(
                .problem(404, "Not Found", "there is nothing here: / lists what there is"))
        }
        let words: [String]
        do throws(CommandError) { words = try route.words(request.target.parameters) } catch {
            return reply.send(QuestionDesk.problem(error))
        }
        desk.answer(words, lifetime: route.lifetime, isUrgent: route.isUrgent) { response in
            reply.send(QuestionDesk.conditional(response, request))
        }
    }
}
