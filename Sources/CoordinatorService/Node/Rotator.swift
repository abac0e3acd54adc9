import CoordinatorCore
import EventLoop
import RedisClient

/// Rotates the shards that this node has claimed, each from its own state, one step after the
/// other.
///
/// Which window, and whether it is due, is decided in the slot; here it is only asked often enough.
///
/// - Thread: loop only.
@LoopActor final class Rotator {
    /// How often shards that may have work are asked.
    static let tick: Duration = .seconds(1)
    /// Calls under way at once: enough to keep the masters busy, few enough to leave room for
    /// ingest.
    static let concurrency = 6
    /// A step keeps Redis busy for a few ms; records in it are adapted to the time it takes.
    private static let efforts = 16...256
    private static let aimed: Duration = .milliseconds(4)

    private let deployment: Deployment
    private let clients: [ShardClient]
    private let token: FencingToken
    private let log: NodeLog
    private let onFenced: @LoopActor (ShardID, String) -> Void
    private var nextDue: [Int64]
    private var efforts: [Int]
    private var isStopping = false

    /// Sources that rotation waits for; nil while none of them may be passed.
    var waitsFor: [String]?
    /// The server's clock less the monotonic one, ms.
    var clockOffset: Int64 = 0
    private(set) var stepsDone: Int64 = 0
    /// The end of the last window sealed of the first merged tier in any shard, ms.
    private(set) var sealedTo: Int64 = .min

    init(
        _ deployment: Deployment, clients: [ShardClient], token: FencingToken, log: NodeLog,
        onFenced: @escaping @LoopActor (ShardID, String) -> Void
    ) {
        self.deployment = deployment
        self.clients = clients
        self.token = token
        self.log = log
        self.onFenced = onFenced
        nextDue = [Int64](repeating: 0, count: clients.count)
        efforts = [Int](repeating: 64, count: clients.count)
    }

    func stop() {
        isStopping = true
    }

    func run() async {
        while !isStopping {
            await round()
            guard !isStopping else { return }
            do { try await loopSleep(Self.tick) } catch { return }
        }
    }

    private func round() async {
        guard let waitsFor else { return }
        let now = Int64(loopNow().nanoseconds / 1_000_000) + clockOffset
        let due = clients.indices.filter { nextDue[$0] <= now }
        guard !due.isEmpty else { return }
        var packed = MessagePackWriter()
        packed.array(waitsFor.count)
        for source in waitsFor { packed.text(source) }
        let sources = packed.bytes
        _ = await gather(due.count, limit: Self.concurrency) { [weak self] index in
            await self?.rotate(due[index], sources)
        }
    }

    /// Takes one shard as far as it goes.
    private func rotate(_ shard: Int, _ sources: [UInt8]) async {
        while !isStopping {
            let began = loopNow()
            do throws(ServiceError) {
                let reply = try await clients[shard].rotate(
                    token, waitsFor: sources, effort: efforts[shard])
                switch reply {
                case .idle(let due):
                    nextDue[shard] = due
                    let length = deployment.ladder.tiers[1].lengthMilliseconds
                    sealedTo = max(sealedTo, due - length - deployment.settings.graceMilliseconds)
                    return
                case .done(let step):
                    stepsDone += 1
                    note(step, shard)
                case .open(let step): note(step, shard)
                case .fenced(let other):
                    onFenced(clients[shard].shard, other)
                    return
                }
                adapt(shard, took: loopNow() - began)
            } catch {
                // What the lost reply did is in the slot; the next step goes on from there.
                log.change("rotation", "shard \(shard)", "\(error)")
                return
            }
        }
    }

    private func note(_ step: ShardClient.Step, _ shard: Int) {
        if step.faults > 0 { log.change("fault", "shard \(shard)", step.fault) }
    }

    private func adapt(_ shard: Int, took: Duration) {
        if took > Self.aimed * 2 {
            efforts[shard] = max(Self.efforts.lowerBound, efforts[shard] / 2)
        } else if took < Self.aimed / 2 {
            efforts[shard] = min(Self.efforts.upperBound, efforts[shard] * 2)
        }
    }
}
