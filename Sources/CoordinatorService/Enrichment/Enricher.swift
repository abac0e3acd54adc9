import CoordinatorCore
import EventLoop
import HTTPClient

/// The shell around ``EnrichmentCore``: asks the shards, the control slot and the API.
///
/// Counting never waits for it: it shares the loop and the connections with ingest, and nothing
/// else; what it keeps in memory is bounded by the core.
///
/// - Thread: loop only.
@LoopActor final class Enricher {
    /// What is in flight ends within this once the work is to end.
    private static let stopPoll: Duration = .milliseconds(10)

    private let settings: EnrichmentSettings
    private let clients: [ShardClient]
    private let permits: PermitClient
    private let http: HTTPClient
    private let log: NodeLog
    private let onFenced: @LoopActor (ShardID, FencingToken, FencingToken?) -> Void

    private var core: EnrichmentCore
    private var waiting: [EnrichmentEvent] = []
    private var isStepping = false
    private var isStopping = false
    private var timer: LoopTimer?
    private var calls = 0
    private let nap = LoopNap()

    init(
        _ deployment: Deployment, _ settings: EnrichmentSettings, clients: [ShardClient],
        nonce: String, log: NodeLog,
        onFenced: @escaping @LoopActor (ShardID, FencingToken, FencingToken?) -> Void
    ) {
        self.settings = settings
        self.clients = clients
        self.log = log
        self.onFenced = onFenced
        permits = PermitClient(deployment.cluster, settings, nonce: nonce)
        var limits = HTTPClient.Limits()
        limits.total = settings.timeout
        limits.connect = min(limits.connect, settings.timeout / 2)
        limits.connections = settings.concurrency
        http = HTTPClient(
            hosts: settings.allowedHosts, rules: settings.addresses, limits: limits,
            agent: "coordinator/\(Version.text)")
        core = EnrichmentCore(
            settings, seed: UInt64.random(in: .min ... .max), now: loopNow())
    }

    /// What has been done so far.
    var report: EnrichmentReport { EnrichmentReport(settings, core.counters) }

    /// Works until it is stopped and what was in flight has ended.
    func run() async {
        timer = LoopTimer { [weak self] in self?.tell(.timePassed) }
        tell(.timePassed)
        while !isStopping { await nap.sleep(.seconds(3_600)) }
        timer?.close()
        timer = nil
        while calls > 0 { await nap.sleep(Self.stopPoll) }
    }

    /// Asks the API no more; requests under way are given up, and their pages wait in their shards.
    func stop() {
        guard !isStopping else { return }
        isStopping = true
        http.close()
        // Others need not wait until they end by themselves.
        let released = core.outstandingPermits
        if !released.isEmpty {
            call {
                do throws(ServiceError) {
                    _ = try await self.permits.ask(0, released: released)
                } catch {
                    self.log.change("enrichment", "permits", "\(error)")
                }
            }
        }
        nap.wake()
    }

    /// Works on a shard with this token from now on.
    func begin(_ shard: ShardID, _ token: FencingToken) {
        tell(.shardBegun(shard, token))
    }

    /// Works on a shard no more.
    func end(_ shard: ShardID) {
        tell(.shardEnded(shard))
    }

    // MARK: The core's events and directives

    private func tell(_ event: EnrichmentEvent) {
        waiting.append(event)
        guard !isStepping, !isStopping else { return }
        isStepping = true
        defer { isStepping = false }
        while !waiting.isEmpty {
            let next = waiting.removeFirst()
            for directive in core.step(next, now: loopNow()) { carryOut(directive) }
        }
        let now = loopNow()
        timer?.start(after: core.nextDeadline(after: now) - now)
    }

    private func carryOut(_ directive: EnrichmentDirective) {
        switch directive {
        case .take(let request, let shard, let token, let count):
            call { await self.take(request, shard, token, count) }
        case .note(let request, let shard, let token, let results):
            call { await self.note(request, shard, token, results) }
        case .requestPermits(let request, let wanted, let released):
            call { await self.requestPermits(request, wanted, released) }
        case .ask(let request, let article):
            call { self.tell(.requestEnded(request, await self.ask(article))) }
        case .hostChanged(let isAsked, let reason):
            log.event(
                isAsked ? .info : .warning, isAsked ? "enrichment-resumed" : "enrichment-held",
                [("host", settings.template.host), ("reason", reason)])
        }
    }

    private func call(_ body: @escaping @LoopActor () async -> Void) {
        calls += 1
        spawn {
            await body()
            self.calls -= 1
        }
    }

    private func take(
        _ request: RequestID, _ shard: ShardID, _ token: FencingToken, _ count: Int
    ) async {
        do throws(ServiceError) {
            let answer = try await clients[shard.rawValue].takePages(
                token, count: count, refresh: settings.refresh)
            switch answer {
            case .done(let pages): tell(.pagesTaken(request, pages))
            case .fenced(let other): fence(request, shard, token, other)
            }
        } catch {
            log.change("enrichment", "shard \(shard)", "\(error)")
            tell(.takeFailed(request))
        }
    }

    private func note(
        _ request: RequestID, _ shard: ShardID, _ token: FencingToken, _ results: [PageResult]
    ) async {
        do throws(ServiceError) {
            switch try await clients[shard.rawValue].note(token, results) {
            case .done(let noted):
                if noted.faults > 0 { log.change("fault", "shard \(shard)", noted.fault) }
                tell(.resultsNoted(request))
            case .fenced(let other): fence(request, shard, token, other)
            }
        } catch {
            log.change("enrichment", "shard \(shard)", "\(error)")
            tell(.noteFailed(request))
        }
    }

    private func fence(
        _ request: RequestID, _ shard: ShardID, _ token: FencingToken, _ other: FencingToken?
    ) {
        tell(.shardFenced(request))
        onFenced(shard, token, other)
    }

    private func requestPermits(
        _ request: RequestID, _ wanted: Int, _ released: [RequestPermit.ID]
    ) async {
        // Looked up before a permit is used: it ends soon.
        if wanted > 0 {
            do throws(HTTPError) { try await http.prepare(target("")) } catch {
                log.change("enrichment", settings.template.host, "\(error)")
                return tell(.hostFailed(request, reason: "\(error)"))
            }
        }
        do throws(ServiceError) {
            tell(.permitsAnswered(request, try await permits.ask(wanted, released: released)))
        } catch {
            log.change("enrichment", "permits", "\(error)")
            tell(.permitsFailed(request))
        }
    }

    private func target(_ url: String) -> HTTPRequest {
        HTTPRequest(host: settings.template.host, port: settings.template.port, url: url)
    }

    private func ask(_ article: UInt64) async -> ArticleOutcome {
        do throws(HTTPError) {
            let response = try await http.get(target(settings.template.url(of: article)))
            return ArticleOutcome(
                status: response.status, body: response.body, retryAfter: response.retryAfter,
                fields: settings.fields)
        } catch {
            switch error {
            case .closed: return .abandoned
            case .tooLarge: return .refused(reason: "\(error)", isHostAtFault: false)
            case .hostNotAllowed, .addressRefused, .unresolved, .unreachable, .interrupted,
                .timedOut:
                return .failed(reason: "\(error)", retryAfter: nil)
            }
        }
    }
}
