public import CoordinatorCore
public import EventLoop
public import Hashing
import Metrics
public import RedisClient

/// One `coordinator run` process: the shell around `NodeCore`.
///
/// It turns replies, signals and time into events, and carries the core's directives out. What is
/// decided is decided in the core; what is true is in the shards' slots.
///
/// - Thread: loop only.
@LoopActor public final class Node {
    /// What a node is told when it starts.
    public struct Options: Sendable {
        public var name: String
        public var host: String
        public var timing: NodeTiming
        /// Its capacity, relative to that of others.
        public var weight = 1
        /// Settings to write when Redis holds none (`--init`).
        public var settings: DeploymentSettings?
        public var sources: [String] = []
        /// Under which device ids are stored; has to be the deployment's.
        public var deviceKey: DeviceKey?
        /// How long trackers' entries stay behind what every shard holds.
        public var sourceRetention: Duration = .seconds(3_600)
        /// How pages get their articles' metadata; nil: not at all.
        public var enrichment: EnrichmentSettings?

        /// Options of a node.
        public init(name: String, host: String, timing: NodeTiming) {
            self.name = name
            self.host = host
            self.timing = timing
        }
    }

    /// The clients of a node: bulk work never delays a renewal, and neither waits for the one that
    /// waits for news.
    public struct Clients {
        let work: RedisCluster
        let control: RedisCluster
        let watch: RedisCluster
        /// A node has some ten connections that are idle most of the time, and a dead one of them
        /// is found as soon as something is owed on it.
        private static let idlePing: Duration = .seconds(60)

        /// Three clients of one cluster; the caller closes them.
        @LoopActor public init(_ configuration: RedisConfiguration) {
            var quiet = configuration
            quiet.limits.idlePingInterval = Self.idlePing
            work = RedisCluster(quiet)
            control = RedisCluster(quiet)
            var waiting = configuration
            waiting.limits = HistoryWatch.limits
            waiting.limits.idlePingInterval = Self.idlePing
            watch = RedisCluster(waiting)
        }

        /// Calls this for each transition of the client that does the work.
        @LoopActor public func observe(_ body: @escaping @LoopActor (RedisClientEvent) -> Void) {
            work.onEvent = body
        }

        /// Lets all three connect anew: another password, certificate or address.
        @LoopActor public func reconnect(with configuration: RedisConfiguration) {
            for client in [work, control, watch] { client.reconnect(with: configuration) }
        }

        /// Closes all three.
        @LoopActor public func close() async {
            await watch.close()
            await control.close()
            await work.close()
        }
    }

    let clients: Clients
    let options: Options
    let log: NodeLog
    let control: ControlClient
    /// Name and incarnation: a node started twice with one name is two nodes.
    public let id: NodeID
    private let nonce: String
    private(set) var isStopping = false
    /// The last heartbeat that was answered.
    var lastBeat: LastBeat?
    /// What it counts.
    let metrics = NodeMetrics()
    /// When the map in force was learnt of.
    var mapLearntAt = loopNow()
    private var nap: LoopNap?

    private var core: NodeCore?
    private var waiting: [NodeEvent] = []
    private var isStepping = false
    private var timer: LoopTimer?
    private(set) var deployment: Deployment?
    private(set) var shards: [ShardClient] = []
    private(set) var workplace: Workplace?
    private(set) var indexKeeper: IndexKeeper?
    var runs = RunTracker()
    var states: [ShardID: ShardState] = [:]
    private let ended = LoopNap()
    private var outcome: FinishReason?
    private var failure: ServiceError?

    /// A node that has not begun; the clients stay the caller's.
    public init(_ clients: Clients, _ options: Options, log: NodeLog) {
        self.clients = clients
        self.options = options
        self.log = log
        nonce = Self.randomNonce()
        id = NodeID(name: options.name, nonce: nonce)
        control = ControlClient(clients.control, node: id, nonce: nonce, timing: options.timing)
    }

    /// Ends the work in an orderly way: leadership given back, shards handed over, name taken off.
    public func stop() {
        isStopping = true
        nap?.wake()
        tell(.stopRequested)
    }

    /// Works until stopped. Redis being away is no reason to exit.
    ///
    /// - Returns: why it ended; nil when it was stopped before it began.
    /// - Errors: only what no waiting mends: other settings, unreadable settings, wrong password.
    public func run() async throws(ServiceError) -> FinishReason? {
        log.event(.info, "started", [("id", id.text), ("version", Version.text)])
        guard let deployment = try await findDeployment() else {
            log.event(.info, "stopped", [("id", id.text)])
            return nil
        }
        begin(deployment)
        let watch = HistoryWatch(clients.watch)
        spawn { await self.watchLoop(watch) }
        while outcome == nil, failure == nil { await ended.sleep(.seconds(3_600)) }
        timer?.close()
        await workplace?.stop()
        if let failure { throw failure }
        log.event(.info, "stopped", [("id", id.text)])
        return outcome
    }

    // MARK: The core's events and directives

    private func begin(_ deployment: Deployment) {
        self.deployment = deployment
        shards = deployment.layout.shards.map {
            ShardClient(deployment, $0, through: clients.control)
        }
        let workplace = Workplace(
            deployment, clients: deployment.layout.shards.map { ShardClient(deployment, $0) },
            enrichment: options.enrichment, retention: options.sourceRetention, nonce: nonce,
            log: log, metrics: metrics,
            reports: Workplace.Reports(
                fenced: { [weak self] shard, shown, by in
                    self?.tell(.shardFenced(shard, shown: shown, by: by))
                }, emptied: { [weak self] shard in self?.restore(shard) }))
        self.workplace = workplace
        workplace.start()
        indexKeeper = IndexKeeper(clients.work, log: log)
        core = NodeCore(
            id: id, timing: options.timing, shardCount: deployment.layout.count,
            seed: UInt64.random(in: .min ... .max), now: loopNow())
        timer = LoopTimer { [weak self] in self?.tell(.timePassed) }
        tell(isStopping ? .stopRequested : .timePassed)
    }

    /// Tells the core a fact, and carries out what it says. An event that comes up meanwhile waits.
    func tell(_ event: NodeEvent) {
        waiting.append(event)
        guard !isStepping, core != nil, outcome == nil, failure == nil else { return }
        isStepping = true
        defer { isStepping = false }
        while !waiting.isEmpty {
            let next = waiting.removeFirst()
            let version = map?.version
            defer { noteMap(since: version) }
            for directive in core?.step(next, now: loopNow()) ?? [] { carryOut(directive) }
        }
        guard outcome == nil, failure == nil, let core else { return }
        let now = loopNow()
        timer?.start(after: core.nextDeadline(after: now) - now)
    }

    /// Whether it leads, by its own clock.
    func isLeading(_ now: MonotonicInstant) -> Bool { core?.isLeading(now) ?? false }

    /// How long it may still trust its lease.
    func leaseRemaining(_ now: MonotonicInstant) -> Duration { core?.leaseRemaining(now) ?? .zero }

    /// The map as the core knows it.
    var map: ShardMap? { core?.map }

    /// Ends the node, because no waiting mends this.
    func fail(_ error: ServiceError) {
        guard failure == nil else { return }
        failure = error
        ended.wake()
    }

    func finish(_ reason: FinishReason) {
        outcome = reason
        if reason != .stopped {
            log.event(.error, "ended", [("reason", reason.sentence)])
        }
        ended.wake()
    }

    /// A shard without state is started again for whoever the map names.
    private func restore(_ shard: ShardID) {
        guard let entry = map?.entries[shard.rawValue], let owner = entry.owner else { return }
        guard owner != id else { return tell(.shardEmptied(shard)) }
        let client = shards[shard.rawValue]
        let log = log
        spawn {
            do throws(ServiceError) {
                _ = try await client.claim(entry.token, owner: owner.text)
            } catch {
                log.change("claim", "shard \(shard)", "\(error)")
            }
        }
    }

    private func watchLoop(_ watch: HistoryWatch) async {
        var pause = Backoff()
        while outcome == nil, failure == nil {
            do throws(ServiceError) {
                // An order is for whom it names; what else this node did it knows.
                let entries = try await watch.next().filter {
                    $0.kind == .order || $0.subject != id.text
                }
                pause.reset()
                if entries.contains(where: { $0.kind == .steppedDown }) {
                    tell(.leaseFreed)
                } else if entries.contains(where: { $0.kind.concernsNodes }) {
                    tell(.woken)
                }
            } catch {
                guard outcome == nil, failure == nil else { return }
                log.change("watch", "history", "\(error)")
                do { try await loopSleep(pause.next()) } catch { return }
            }
        }
    }

    // MARK: Before the first step

    private func findDeployment() async throws(ServiceError) -> Deployment? {
        var pause = Backoff()
        while !isStopping {
            do throws(ServiceError) {
                if let settings = options.settings {
                    let written = try await Deployment.initialise(
                        clients.work, settings, sources: options.sources)
                    if written { log.event(.info, "initialised") }
                }
                let deployment = try await Deployment(clients.work)
                try deployment.use(options.deviceKey)
                return deployment
            } catch {
                guard error.isPassing else { throw error }
                log.change("waiting", "deployment", "\(error)")
                await sleep(pause.next())
            }
        }
        return nil
    }

    private func sleep(_ duration: Duration) async {
        guard !isStopping else { return }
        let nap = LoopNap()
        self.nap = nap
        await nap.sleep(duration)
        self.nap = nil
    }

    private static func randomNonce() -> String {
        let text = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: FencingToken.nonceLength - text.count) + text
    }
}

extension HistoryEntry.Kind {
    /// Whether a node has to look when this happened.
    fileprivate var concernsNodes: Bool {
        switch self {
        case .joined, .left, .map, .order: true
        case .elected, .expired, .run, .steppedDown: false
        }
    }
}

extension FinishReason {
    /// For people: what happened, and what to do about it.
    public var sentence: String {
        switch self {
        case .stopped: "stopped in an orderly way"
        case .drainTimedOut:
            "others did not take all shards in time: they get them now that this node has left"
        case .superseded:
            "a newer start of the same name took its place: give each node a name of its own"
        }
    }
}

extension ServiceError {
    /// Whether waiting may mend it.
    var isPassing: Bool {
        switch self {
        case .notInitialised, .fenced, .timedOut: true
        case .redis(let error):
            switch error {
            case .authentication, .untrusted, .permission, .configuration: false
            default: true
            }
        case .settings, .settingsDiffer, .unreadable, .otherSettings, .deviceKey, .question: false
        }
    }
}
