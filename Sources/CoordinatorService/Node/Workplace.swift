import CoordinatorCore
import EventLoop
import Metrics
import RedisClient

/// The work on the shards that this node owns: they are rotated, and the sources whose slots they
/// own are read.
///
/// - Not guaranteed: that nobody else works on them. Rotation shows the shard's token, and reading
///   is a compare-and-set.
/// - Thread: loop only.
@LoopActor final class Workplace {
    /// What the work tells its node.
    struct Reports {
        /// A shard refused work that showed the first token; it holds the second.
        let fenced: @LoopActor (ShardID, FencingToken, FencingToken?) -> Void
        /// A shard holds no state.
        let emptied: @LoopActor (ShardID) -> Void
    }

    /// Streams are trimmed this often at least.
    private static let longestTrimPause: Duration = .seconds(60)
    /// Imports that are read to their end are looked at this often.
    private static let housekeeping: Duration = .seconds(1)
    /// What is in flight ends within this once the work is to end.
    private static let stopPoll: Duration = .milliseconds(10)

    /// Trackers' streams are trimmed this far behind the lowest watermark, ms: what a failover
    /// takes back is read again from there.
    private let trimBehind: Int64
    private let trimEvery: Duration
    private let deployment: Deployment
    private let clients: [ShardClient]
    private let log: NodeLog
    private let reports: Reports
    private let rotator: Rotator
    /// Nil where enrichment is off.
    private let enricher: Enricher?
    private let metrics: NodeMetrics
    private var readers: [String: SourceReader] = [:]
    private var working = 0
    private var isStopping = false
    private let nap = LoopNap()
    private let ending = LoopNap()
    private var lastTrim = loopNow()

    private var shards: Set<ShardID> = []
    private var sources: [SourceRecord] = []
    /// Sources of a newer version: not read here, and not passed by rotation.
    private var unreadable: [String] = []
    private var serverTime: Int64 = 0
    private var hasEvents = false
    /// What all shards held of imports under way, and when: the ids of an import tell no time.
    private var heldThen: [String: [(at: Int64, mark: StreamID)]] = [:]

    init(
        _ deployment: Deployment, clients: [ShardClient], enrichment: EnrichmentSettings?,
        retention: Duration, nonce: String, log: NodeLog, metrics: NodeMetrics, reports: Reports
    ) {
        self.deployment = deployment
        trimBehind = retention.wholeMilliseconds
        trimEvery = min(Self.longestTrimPause, retention / 4)
        self.clients = clients
        self.log = log
        self.reports = reports
        self.metrics = metrics
        rotator = Rotator(
            deployment, clients: clients, log: log, metrics: metrics, onFenced: reports.fenced)
        enricher = enrichment.map {
            Enricher(
                deployment, $0, clients: clients, nonce: nonce, log: log,
                onFenced: { shard, shown, by in
                    metrics.fenced.add("enrich")
                    reports.fenced(shard, shown, by)
                })
        }
    }

    /// Begins to work; nothing is done before a shard is given.
    func start() {
        begin { await self.rotator.run() }
        if let enricher { begin { await enricher.run() } }
        begin { await self.houseLoop() }
    }

    /// Ends the work: no new step, what is in flight ends.
    func stop() async {
        isStopping = true
        rotator.stop()
        enricher?.stop()
        nap.wake()
        while working > 0 {
            // Each time: the housekeeping that was under way may have begun another reader.
            for reader in readers.values { reader.stop() }
            await ending.sleep(Self.stopPoll)
        }
    }

    /// How far the shards are in each merged tier; nil while that is unknown.
    var progress: [NodeRecord.Progress]? { rotator.progress }
    var shardCount: Int { shards.count }
    /// What was asked of the article API; nil where enrichment is off.
    var enrichment: EnrichmentReport? { enricher?.report }

    /// How many sources of a kind are read here.
    func readerCount(_ kind: SourceRecord.Kind) -> Int {
        readers.values.count { $0.record.kind == kind }
    }

    /// Up to where every live source that is read here is in all shards, ms; nil where none is.
    var lowestLiveWatermark: Int64? {
        readers.values.filter { $0.record.kind == .live && $0.lowestWatermark > .zero }
            .map { Int64(clamping: $0.lowestWatermark.milliseconds) }.min()
    }

    /// Works on a shard with this token.
    ///
    /// - Parameter state: what the slot said when it was claimed.
    func begin(_ shard: ShardID, _ token: FencingToken, _ state: ShardState?) {
        if let state, state.read.values.contains(where: { $0 > 0 }) { hasEvents = true }
        shards.insert(shard)
        rotator.begin(shard, token)
        enricher?.begin(shard, token)
        look()
    }

    /// Works on a shard no more.
    func end(_ shard: ShardID) {
        shards.remove(shard)
        rotator.end(shard)
        enricher?.end(shard)
        look()
    }

    /// Takes in what a heartbeat brought.
    func update(sources: SourceList?, serverTime: Int64, pausedTiers: [String]) {
        if let sources {
            self.sources = sources.records
            unreadable = sources.unreadable
        }
        self.serverTime = serverTime
        rotator.clockOffset = serverTime - Int64(loopNow().nanoseconds / 1_000_000)
        rotator.pausedTiers = pausedTiers
        look()
    }

    // MARK: Sources

    /// Begins and ends readers as shards and sources ask for it.
    private func look() {
        guard !isStopping else { return }
        let mine = sources.filter {
            !$0.isSettled && shards.contains(deployment.ownShard(of: $0.key))
        }
        for source in mine where readers[source.key] == nil {
            let reader = SourceReader(
                deployment, source, clients: clients, log: log, metrics: metrics,
                onUnclaimed: reports.emptied)
            readers[source.key] = reader
            begin { await reader.run() }
        }
        let listed = Set(mine.map(\.key))
        for (key, reader) in readers where !listed.contains(key) {
            reader.stop()
            readers[key] = nil
        }
        if readers.values.contains(where: \.hasRead)
            || sources.contains(where: { $0.kind == .import })
        {
            hasEvents = true
        }
        // `--start oldest` begins with the first event there is: until one is known nothing is
        // passed over.
        let mayRotate = deployment.settings.start != .oldest || hasEvents
        rotator.waitsFor =
            mayRotate && !sources.isEmpty
            ? sources.filter { $0.holdsRotation(now: serverTime) }.map(\.key) + unreadable : nil
        for reader in readers.values {
            reader.noteSealed(to: rotator.sealedTo)
            reader.clockOffset = rotator.clockOffset
        }
    }

    private func houseLoop() async {
        while !isStopping {
            do throws(ServiceError) {
                for source in sources where source.kind == .import { try await settle(source) }
                if loopNow() - lastTrim >= trimEvery {
                    lastTrim = loopNow()
                    try await trimLive()
                    try await trimOpenImports()
                }
            } catch {
                log.change("housekeeping", "sources", "\(error)")
            }
            guard !isStopping else { return }
            await nap.sleep(Self.housekeeping)
        }
    }

    /// Notes that all shards hold an import, and lets go of its stream.
    private func settle(_ source: SourceRecord) async throws(ServiceError) {
        guard let reader = readers[source.key], source.isFinished, reader.isLevel,
            let last = source.lastID.flatMap({ StreamID($0) }), reader.lowestWatermark >= last
        else { return }
        var confirmed = source
        let now = serverTime
        if confirmed.confirmedAt == nil { confirmed.confirmedAt = now }
        // With replicas a failover may still take back what the shards hold, and the entries are
        // needed again: they are kept on, like a tracker's.
        let hasReplicas = deployment.cluster.masters.contains { $0.replicaCount > 0 }
        if !hasReplicas || now - (confirmed.confirmedAt ?? now) >= trimBehind {
            _ = try await SourceStream(deployment.cluster, source).trim(
                before: last.next(), exactly: true)
            confirmed.isSettled = true
        }
        guard confirmed != source else { return }
        guard try await SourceRegistry(deployment.cluster).settle(source, as: confirmed) else {
            return
        }
        if let index = sources.firstIndex(where: { $0.key == source.key }) {
            sources[index] = confirmed
        }
        look()
    }

    /// Where device ids are keyed nobody wants the trackers' own to stay for the rest of a node of
    /// the stream, which is a hundred entries: for days, in a quiet one.
    private var isExact: Bool { deployment.settings.deviceKey != nil }

    private func trimLive() async throws(ServiceError) {
        for source in sources where source.kind == .live {
            guard let reader = readers[source.key] else { continue }
            let read = Int64(clamping: reader.lowestWatermark.milliseconds)
            let behind = min(read, serverTime) - trimBehind
            guard behind > 0 else { continue }
            let removed = try await SourceStream(deployment.cluster, source).trim(
                before: StreamID(milliseconds: UInt64(behind), sequence: 0),
                exactly: isExact)
            if removed > 0 {
                log.event(.debug, "trimmed", [("source", source.key), ("entries", "\(removed)")])
            }
        }
    }

    /// A copy that goes on for days lets go of what all shards have held for long.
    private func trimOpenImports() async throws(ServiceError) {
        let open = sources.filter { $0.kind == .import && !$0.isFinished && !$0.isSettled }
        let keys = Set(open.map(\.key))
        heldThen = heldThen.filter { keys.contains($0.key) && readers[$0.key] != nil }
        for source in open {
            guard let reader = readers[source.key] else { continue }
            heldThen[source.key, default: []].append((serverTime, reader.lowestWatermark))
            let past = heldThen[source.key] ?? []
            guard
                let place = past.lastIndex(where: {
                    $0.at <= serverTime - trimBehind
                })
            else { continue }
            heldThen[source.key] = Array(past[place...])
            _ = try await SourceStream(deployment.cluster, source).trim(
                before: past[place].mark.next(), exactly: false)
        }
    }

    private func begin(_ body: @escaping @LoopActor () async -> Void) {
        working += 1
        spawn {
            await body()
            self.working -= 1
            self.ending.wake()
        }
    }
}
