import CoordinatorCore
import EventLoop
import Metrics
import RedisClient

/// Rotates the shards that this node works on, each from its own state, one step after the other.
///
/// Which window, and whether it is due, is decided in the slot; here it is only asked often enough.
///
/// - Thread: loop only.
@LoopActor final class Rotator {
    /// How often shards that may have work are asked.
    static let tick: Duration = .seconds(1)
    /// Shards under way at once: enough to keep the masters busy, few enough to leave room for
    /// ingest.
    static let concurrency = 6
    /// Of these, shards that failed last time: a silent master must not keep the others waiting.
    static let failingConcurrency = 3
    /// A step keeps Redis busy for a few ms; records in it are adapted to the time it takes.
    private static let efforts = 16...256
    private static let aimed: Duration = .milliseconds(4)

    /// What this node knows of one shard that it works on.
    private struct Place {
        var token: FencingToken
        /// The clock at which the shard may have work again, ms.
        var nextDue: Int64 = 0
        var effort = 64
        /// Calls in a row that were not answered well.
        var failures = 0
        /// When the first step of the window that is open was taken.
        var openSince: MonotonicInstant?
        /// By merged tier; empty before the first answer.
        var progress: [NodeRecord.Progress] = []
    }

    private let deployment: Deployment
    private let clients: [ShardClient]
    private let log: NodeLog
    private let metrics: NodeMetrics
    private let onFenced: @LoopActor (ShardID, FencingToken, FencingToken?) -> Void
    private var places: [Int: Place] = [:]
    /// Shards under way, and whether each failed last time.
    private var underWay: [Int: Bool] = [:]
    private var isStopping = false
    private let nap = LoopNap()
    private var packedSources: [UInt8] = []
    private var packedPaused = Rotator.packed([])

    /// Sources that rotation waits for; nil while none of them may be passed.
    var waitsFor: [String]? {
        didSet { if waitsFor != oldValue { packedSources = Self.packed(waitsFor ?? []) } }
    }
    /// Tiers of which no window is sealed.
    var pausedTiers: [String] = [] {
        didSet { if pausedTiers != oldValue { packedPaused = Self.packed(pausedTiers) } }
    }
    /// The server's clock less the monotonic one, ms.
    var clockOffset: Int64 = 0
    /// The end of the last window sealed of the first merged tier in any shard, ms.
    private(set) var sealedTo: Int64 = .min

    init(
        _ deployment: Deployment, clients: [ShardClient], log: NodeLog, metrics: NodeMetrics,
        onFenced: @escaping @LoopActor (ShardID, FencingToken, FencingToken?) -> Void
    ) {
        self.deployment = deployment
        self.clients = clients
        self.log = log
        self.metrics = metrics
        self.onFenced = onFenced
    }

    /// Works on a shard with this token from now on.
    func begin(_ shard: ShardID, _ token: FencingToken) {
        var place = places[shard.rawValue] ?? Place(token: token)
        place.token = token
        place.nextDue = 0
        places[shard.rawValue] = place
        nap.wake()
    }

    /// Begins no other step on a shard.
    func end(_ shard: ShardID) {
        places[shard.rawValue] = nil
    }

    func stop() {
        isStopping = true
        nap.wake()
    }

    func run() async {
        while !isStopping {
            beginDue()
            await nap.sleep(Self.tick)
        }
        // What is in flight ends, and wakes this.
        while !underWay.isEmpty { await nap.sleep(Self.tick) }
    }

    /// How far the shards are in each merged tier; nil before every one of them has been asked.
    var progress: [NodeRecord.Progress]? {
        guard !places.isEmpty, places.values.allSatisfy({ !$0.progress.isEmpty }) else {
            return nil
        }
        return (0..<deployment.ladder.tiers.count - 1).map { tier in
            NodeRecord.Progress(
                sealedTo: places.values.map { $0.progress[tier].sealedTo }.max() ?? 0,
                doneTo: places.values.map { $0.progress[tier].doneTo }.min() ?? 0)
        }
    }

    /// Begins with the shards that are due, as many as may be under way at once.
    private func beginDue() {
        guard !isStopping, waitsFor != nil else { return }
        let now = clock
        let due = places.filter { $0.value.nextDue <= now && underWay[$0.key] == nil }
        for (shard, place) in due.sorted(by: {
            ($0.value.failures, $0.key) < ($1.value.failures, $1.key)
        }) {
            let isFailing = place.failures > 0
            guard underWay.count < Self.concurrency,
                !isFailing || underWay.values.count(where: { $0 }) < Self.failingConcurrency
            else { return }
            underWay[shard] = isFailing
            spawn {
                await self.rotate(shard)
                self.underWay[shard] = nil
                if self.isStopping { self.nap.wake() } else { self.beginDue() }
            }
        }
    }

    /// The server's clock, ms, as far as it is known.
    private var clock: Int64 { Int64(loopNow().nanoseconds / 1_000_000) + clockOffset }

    private static func packed(_ texts: [String]) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.array(texts.count)
        for text in texts { writer.text(text) }
        return writer.bytes
    }

    /// Takes one shard as far as it goes.
    private func rotate(_ shard: Int) async {
        while !isStopping, waitsFor != nil, let place = places[shard] {
            let began = loopNow()
            do throws(ServiceError) {
                // Read at each step: a tier that is paused in the middle of a catch-up rests.
                let reply = try await clients[shard].rotate(
                    place.token, waitsFor: packedSources, effort: place.effort,
                    paused: packedPaused)
                places[shard]?.failures = 0
                log.settle("rotation", "shard \(shard)")
                switch reply {
                case .idle(let due, let progress):
                    note(progress, shard)
                    places[shard]?.nextDue = due
                    return
                case .done(let step):
                    count(step, shard, began)
                    note(step.progress, shard)
                    if step.faults > 0 { log.change("fault", "shard \(shard)", step.fault) }
                case .open(let step):
                    places[shard]?.openSince = place.openSince ?? began
                    note(step.progress, shard)
                    if step.faults > 0 { log.change("fault", "shard \(shard)", step.fault) }
                case .fenced(let other):
                    metrics.fenced.add("rotate")
                    onFenced(clients[shard].shard, place.token, other)
                    return
                }
                adapt(shard, took: loopNow() - began)
            } catch {
                metrics.rotationFailures.add()
                // What the lost reply did is in the slot; the next step goes on from there.
                log.change("rotation", "shard \(shard)", error)
                let failures = place.failures + 1
                places[shard]?.failures = failures
                places[shard]?.nextDue =
                    clock + Backoff.pause(after: failures).wholeMilliseconds
                return
            }
        }
    }

    private func count(_ step: ShardClient.Step, _ shard: Int, _ began: MonotonicInstant) {
        let tiers = deployment.ladder.tiers
        guard tiers.indices.contains(step.tier) else { return }
        let name = tiers[step.tier].name
        metrics.runs.add(name, step.faults > 0 ? "faulty" : "done")
        metrics.runDurations.observe(
            name, span: loopNow() - (places[shard]?.openSince ?? began))
        places[shard]?.openSince = nil
    }

    private func note(_ progress: [NodeRecord.Progress], _ shard: Int) {
        places[shard]?.progress = progress
        if let first = progress.first { sealedTo = max(sealedTo, first.sealedTo) }
    }

    private func adapt(_ shard: Int, took: Duration) {
        guard let effort = places[shard]?.effort else { return }
        if took > Self.aimed * 2 {
            places[shard]?.effort = max(Self.efforts.lowerBound, effort / 2)
        } else if took < Self.aimed / 2 {
            places[shard]?.effort = min(Self.efforts.upperBound, effort * 2)
        }
    }
}
