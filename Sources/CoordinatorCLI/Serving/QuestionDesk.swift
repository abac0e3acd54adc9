import CoordinatorCore
import CoordinatorService
import EventLoop
import HTTPServer
import Hashing
import RedisClient
import Terminal

/// Answers questions from Redis, each once for all who ask it at about the same time.
///
/// - Not guaranteed: an answer to everybody. Questions that nobody asked just now are bounded in
///   number and in the time they take: what is served here must not keep the node from counting.
/// - Thread: loop only.
@LoopActor final class QuestionDesk {
    /// Questions that are being looked up, each with those who wait for it.
    private static let mostUnderWay = 4
    private static let mostWaiting = 64
    /// Answers that are kept: all routes and some figures.
    private static let mostKept = 128
    /// The part of the loop's time that looking up may take, and how much at once before it counts:
    /// a dashboard of 20,000 pages takes 0.01. Waiting for Redis takes nothing.
    private static let share = 0.02
    private static let burst: Duration = .seconds(1)
    /// A dashboard asks for its figures every 15 s: a rest is no longer than that.
    private static let longestRest: Duration = .seconds(15)

    private struct Question {
        let words: [String]
        let arguments: ParsedArguments
        let lifetime: Duration
    }

    private struct Kept {
        let response: HTTPResponse
        let until: MonotonicInstant
    }

    private var configuration: RedisConfiguration
    private var cluster: RedisCluster?
    private var kept: [[String]: Kept] = [:]
    private var waiting: [[String]: [@LoopActor (HTTPResponse) -> Void]] = [:]
    private var queue: [Question] = []
    private var underWay = 0
    private var allowance = HTTPAllowance(share: share, burst: burst, now: loopNow())
    private var charged = lowPriorityTime()
    /// Times that looking up had to rest because it had used its part of the time.
    private(set) var rests: UInt64 = 0
    /// Runs while the looking rests.
    private var rest: LoopTimer?
    private var isClosed = false

    /// - Parameter configuration: of a client of its own, which connects at the first question.
    init(_ configuration: RedisConfiguration) {
        var own = configuration
        own.clientName = "coordinator-http"
        self.configuration = own
    }

    func close() async {
        isClosed = true
        rest?.close()
        rest = nil
        await cluster?.close()
    }

    /// What the control slot says now.
    ///
    /// - Errors: as of any command.
    func control() async throws(CommandError) -> ControlReading {
        let cluster = try await connected()
        do throws(ServiceError) { return try await Deployment.control(cluster) } catch {
            throw CommandError(error)
        }
    }

    /// Answers a question, from what is kept where that is fresh.
    ///
    /// - Parameters:
    ///   - isNews: what is kept is of before, and looked up again.
    ///   - isUrgent: does not wait for others' questions and takes nothing of their time: how the
    ///     deployment is, and orders. Of the first there is one at a time; who gives the others has
    ///     shown a token.
    func answer(
        _ words: [String], lifetime: Duration, isNews: Bool = false, isUrgent: Bool = false,
        _ body: @escaping @LoopActor (HTTPResponse) -> Void
    ) {
        let now = loopNow()
        if !isNews, let answer = kept[words], now < answer.until { return body(answer.response) }
        if waiting[words] != nil {
            waiting[words]?.append(body)
            return
        }
        let arguments: ParsedArguments
        do throws(CommandError) { arguments = try Capture.parse(words) } catch {
            return body(Self.problem(error))
        }
        let question = Question(words: words, arguments: arguments, lifetime: lifetime)
        if isUrgent, !isClosed {
            waiting[words] = [body]
            spawn { await self.settle(question) }
            return
        }
        guard queue.count < Self.mostWaiting, !isClosed else {
            return body(
                .problem(
                    503, "Service Unavailable", "too many different questions at once: ask again",
                    headers: [("Retry-After", "1")]))
        }
        waiting[words] = [body]
        queue.append(question)
        work()
    }

    private func work() {
        while rest == nil, underWay < Self.mostUnderWay, !queue.isEmpty {
            let question = queue.removeFirst()
            underWay += 1
            spawn(priority: .utility) {
                await self.settle(question)
                self.underWay -= 1
                self.spend()
                self.work()
            }
        }
    }

    private func settle(_ question: Question) async {
        let response = await look(question.arguments)
        keep(response, of: question.words, for: question.lifetime)
        for body in waiting.removeValue(forKey: question.words) ?? [] { body(response) }
    }

    private func spend() {
        let (taken, now) = (lowPriorityTime(), loopNow())
        defer { charged = taken }
        guard let pause = allowance.spend(taken - charged, now: now), rest == nil, !isClosed else {
            return
        }
        let timer = LoopTimer { [weak self] in
            self?.rest?.close()
            self?.rest = nil
            self?.work()
        }
        rest = timer
        rests += 1
        timer.start(after: min(Self.longestRest, pause))
    }

    private func keep(_ response: HTTPResponse, of words: [String], for lifetime: Duration) {
        let now = loopNow()
        if kept.count >= Self.mostKept { kept = kept.filter { now < $0.value.until } }
        if kept.count >= Self.mostKept { kept.removeAll() }
        kept[words] = Kept(response: response, until: now + lifetime)
    }

    private func look(_ arguments: ParsedArguments) async -> HTTPResponse {
        do throws(CommandError) {
            let answer = try await Capture.run(arguments, on: try await connected())
            return Self.json(answer.value)
        } catch {
            return Self.problem(error)
        }
    }

    /// Connects anew with another password, certificate or address.
    func reconnect(with changed: RedisConfiguration) {
        let named = configuration
        configuration = changed
        configuration.clientName = named.clientName
        configuration.commandTimeout = named.commandTimeout
        configuration.connectTimeout = named.connectTimeout
        configuration.limits = named.limits
        cluster?.reconnect(with: configuration)
    }

    private func connected() async throws(CommandError) -> RedisCluster {
        if let cluster { return cluster }
        let cluster = RedisCluster(configuration)
        do throws(RedisError) { try await cluster.start() } catch {
            await cluster.close()
            throw CommandError(error)
        }
        if isClosed {
            await cluster.close()
            throw CommandError(.unreachable, "the node stops")
        }
        // Two first questions at once: one client is enough.
        if let other = self.cluster {
            await cluster.close()
            return other
        }
        self.cluster = cluster
        return cluster
    }

    // MARK: Responses

    /// JSON on one line, with its digest as tag.
    static func json(_ value: JSONValue) -> HTTPResponse {
        let body = Array(value.text().utf8)
        return HTTPResponse(
            status: 200, type: "application/json", body: body,
            headers: [("Cache-Control", "no-cache"), ("ETag", tag(of: body))])
    }

    nonisolated static func tag(of body: [UInt8]) -> String {
        "\"" + body.withUnsafeBytes { SHA1Hasher().recordID(of: $0).hex } + "\""
    }

    /// A command's failure as a status and problem details.
    static func problem(_ error: CommandError) -> HTTPResponse {
        let (status, title): (Int, String)
        switch error.code {
        case .usage: (status, title) = (400, "Bad Request")
        case .unreachable: (status, title) = (503, "Redis Unreachable")
        case .refused, .redisError: (status, title) = (502, "Redis Refused")
        case .configuration: (status, title) = (503, "Not Initialised")
        case .unhealthy: (status, title) = (503, "Not Healthy")
        case .done, .partial, .unexpected: (status, title) = (500, "Internal Server Error")
        }
        return .problem(status, title, error.message)
    }
}

extension QuestionDesk {
    /// The answer, or "not modified" where the peer has it.
    static func conditional(_ response: HTTPResponse, _ request: HTTPRequest) -> HTTPResponse {
        guard response.status == 200,
            let tag = response.headers.first(where: { $0.name == "ETag" })?.value,
            let known = request.header("if-none-match")
        else { return response }
        let tags = known.split(separator: ",").map { tag in
            let bare = tag.drop { $0 == " " }
            return bare.hasPrefix("W/") ? String(bare.dropFirst(2)) : String(bare)
        }
        guard tags.contains(tag) || tags.contains("*") else { return response }
        var unchanged = response
        unchanged.status = 304
        unchanged.body = []
        unchanged.headers.removeAll { $0.name == "Content-Type" }
        return unchanged
    }
}
