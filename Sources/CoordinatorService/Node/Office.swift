import CoordinatorCore
import EventLoop
import FoundationEssentials
import RedisClient

/// The work of one term: shards claimed with its token, sources read, windows rotated, the lease
/// renewed.
///
/// - Invariant: past the lease, counted on the monotonic clock from before the request was sent, no
///   new work is begun. That saves work; the token in each shard's slot is what keeps the figures
///   right.
/// - Thread: loop only.
@LoopActor final class Office {
    struct Outcome {
        var reason: String
        var error: ServiceError?
        var greaterToken: FencingToken?
    }

    /// Sources and heartbeats are looked after this often.
    private static let housekeeping: Duration = .seconds(1)
    /// Trackers' streams are trimmed this far behind the lowest watermark: what a failover takes
    /// back is read again from there.
    private static let trimBehindMilliseconds: Int64 = 3_600_000
    private static let trimEvery: Duration = .seconds(60)

    private let deployment: Deployment
    private let lease: Lease
    private let token: FencingToken
    private let log: NodeLog
    private let clients: [ShardClient]
    private let rotator: Rotator
    private var readers: [String: SourceReader] = [:]
    private var working = 0
    private var validUntil: MonotonicInstant
    private var outcome: Outcome?
    private var record: NodeRecord
    private let nap = LoopNap()
    private var naps: [LoopNap] = []
    private var lastTrim = loopNow()
    private var claimed: Set<Int> = []
    private var hasEvents = false

    init(
        _ deployment: Deployment, _ lease: Lease, _ token: FencingToken, node: String, host: String,
        log: NodeLog, grantedAt: MonotonicInstant
    ) {
        self.deployment = deployment
        self.lease = lease
        self.token = token
        self.log = log
        clients = deployment.layout.shards.map { ShardClient(deployment, $0) }
        validUntil = grantedAt + lease.duration
        record = NodeRecord(
            node: node, host: host, version: Version.text, role: "leader", shards: 0, heartbeatAt: 0
        )
        weak var office: Office?
        rotator = Rotator(deployment, clients: clients, token: token, log: log) { shard, other in
            office?.wasFenced(shard, other)
        }
        office = self
    }

    /// Ends the term in an orderly way.
    func stop(_ reason: String = "asked to stop") {
        end(Outcome(reason: reason))
    }

    /// Works until the term ends.
    func run() async -> Outcome {
        begin { await self.renewLoop() }
        await claimAll()
        begin { await self.houseLoop() }
        begin { await self.rotator.run() }
        while outcome == nil { await nap.sleep(.seconds(3_600)) }
        rotator.stop()
        while working > 0 {
            // Each time: the housekeeping that was under way may have begun another reader.
            for reader in readers.values { reader.stop() }
            await nap.sleep(.milliseconds(20))
        }
        await leave()
        return outcome ?? Outcome(reason: "ended")
    }

    private func begin(_ body: @escaping @LoopActor () async -> Void) {
        working += 1
        spawn {
            await body()
            self.working -= 1
            self.nap.wake()
        }
    }

    private func end(_ outcome: Outcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        rotator.stop()
        for reader in readers.values { reader.stop() }
        for nap in naps { nap.wake() }
        nap.wake()
    }

    private func wasFenced(_ shard: ShardID, _ other: String) {
        end(
            Outcome(
                reason: "shard \(shard) was claimed with \(other)",
                error: .fenced(shard: shard, by: other),
                greaterToken: FencingToken(other)))
    }

    private func leave() async {
        do throws(ServiceError) {
            _ = try await deployment.cluster.ask(
                ["HDEL", .init(RedisKeys.nodes), .init(record.node)], slot: Deployment.controlSlot)
            try await lease.release()
        } catch {
            log.change("lease", "release", "\(error)")
        }
    }

    // MARK: Lease

    private func renewLoop() async {
        while outcome == nil {
            await pause(lease.duration / 4)
            guard outcome == nil else { return }
            let sentAt = loopNow()
            do throws(ServiceError) {
                switch try await lease.renew() {
                case .mine: validUntil = sentAt + lease.duration
                case .others(let other):
                    return end(Outcome(reason: "the lease is held by \(other?.node ?? "nobody")"))
                }
            } catch {
                log.change("lease", "renewal", "\(error)")
            }
            if loopNow() >= validUntil {
                return end(Outcome(reason: "the lease could not be renewed in time"))
            }
        }
    }

    // MARK: Shards

    /// Claims every shard; those that do not answer are tried again each second.
    private func claimAll() async {
        let missing = clients.indices.filter { !claimed.contains($0) }
        guard !missing.isEmpty else { return }
        let token = token
        let node = record.node
        let clients = clients
        let replies = await gather(missing.count, limit: 16) {
            index -> Result<ShardClient.Claim, ServiceError> in
            do throws(ServiceError) {
                return .success(try await clients[missing[index]].claim(token, owner: node))
            } catch {
                return .failure(error)
            }
        }
        for (shard, reply) in zip(missing, replies) {
            switch reply {
            case .success(.held(let state)):
                claimed.insert(shard)
                if state.read.values.contains(where: { $0 > 0 }) { hasEvents = true }
            case .success(.refused(let other)): wasFenced(clients[shard].shard, other)
            case .failure(let error):
                if case .otherSettings = error {
                    return end(Outcome(reason: "other settings", error: error))
                }
                log.change("claim", "shard \(shard)", "\(error)")
            }
        }
        record.shards = claimed.count
    }

    // MARK: Sources

    private func houseLoop() async {
        while outcome == nil {
            do throws(ServiceError) {
                await claimAll()
                try await keepHouse()
            } catch {
                log.change("housekeeping", "sources", "\(error)")
            }
            await pause(Self.housekeeping)
        }
    }

    private func keepHouse() async throws(ServiceError) {
        let sources = try await SourceRegistry(deployment.cluster).all()
        let now = try await deployment.serverTime()
        rotator.clockOffset = now - Int64(loopNow().nanoseconds / 1_000_000)
        for source in sources where !source.isSettled {
            try await look(after: source, now)
        }
        let listed = Set(sources.filter { !$0.isSettled }.map(\.key))
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
            mayRotate ? sources.filter { $0.holdsRotation(now: now) }.map(\.key) : nil
        for reader in readers.values { reader.noteSealed(to: rotator.sealedTo) }
        try await heartbeat(now)
        if loopNow() - lastTrim >= Self.trimEvery {
            lastTrim = loopNow()
            try await trimLive(sources, now)
            try await forgetLostNodes(now)
        }
    }

    private func look(after source: SourceRecord, _ now: Int64) async throws(ServiceError) {
        guard outcome == nil else { return }
        guard let reader = readers[source.key] else {
            let reader = SourceReader(deployment, source, clients: clients, log: log) {
                [weak self] shard in self?.claimed.remove(shard.rawValue)
            }
            readers[source.key] = reader
            begin { await reader.run() }
            return
        }
        guard source.kind == .import, source.isFinished, reader.isLevel,
            let last = source.lastID.flatMap({ StreamID($0) }), reader.lowestWatermark >= last
        else { return }
        var confirmed = source
        if confirmed.confirmedAt == nil { confirmed.confirmedAt = now }
        // With replicas a failover may still take back what the shards hold, and the entries are
        // needed again: they are kept for an hour, like a tracker's.
        let hasReplicas = deployment.cluster.masters.contains { $0.replicaCount > 0 }
        if !hasReplicas || now - (confirmed.confirmedAt ?? now) >= Self.trimBehindMilliseconds {
            _ = try await SourceStream(deployment.cluster, source).trim(
                before: last.next(), exactly: true)
            confirmed.isSettled = true
        }
        if confirmed != source { try await SourceRegistry(deployment.cluster).put(confirmed) }
    }

    private func trimLive(_ sources: [SourceRecord], _ now: Int64) async throws(ServiceError) {
        for source in sources where source.kind == .live {
            guard let reader = readers[source.key] else { continue }
            let behind =
                min(
                    Int64(clamping: reader.lowestWatermark.milliseconds), now)
                - Self.trimBehindMilliseconds
            guard behind > 0 else { continue }
            let removed = try await SourceStream(deployment.cluster, source).trim(
                before: StreamID(milliseconds: UInt64(behind), sequence: 0), exactly: false)
            if removed > 0 {
                log.event(.debug, "trimmed", [("source", source.key), ("entries", "\(removed)")])
            }
        }
    }

    /// Takes nodes off the list that have been silent for so long that nobody looks for them.
    private func forgetLostNodes(_ now: Int64) async throws(ServiceError) {
        for node in try await deployment.nodes()
        where now - node.heartbeatAt > NodeRecord.forgottenAfterMilliseconds {
            _ = try await deployment.cluster.ask(
                ["HDEL", .init(RedisKeys.nodes), .init(node.node)], slot: Deployment.controlSlot)
            log.event(.info, "forgotten", [("lost", node.node)])
        }
    }

    private func heartbeat(_ now: Int64) async throws(ServiceError) {
        record.heartbeatAt = now
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text: [UInt8]
        do { text = Array(try encoder.encode(record)) } catch {
            preconditionFailure("a node's record could not be encoded: \(error)")
        }
        _ = try await deployment.cluster.ask(
            ["HSET", .init(RedisKeys.nodes), .init(record.node), .init(text)],
            slot: Deployment.controlSlot)
    }

    /// Sleeps, unless the term ends meanwhile.
    private func pause(_ duration: Duration) async {
        guard outcome == nil else { return }
        let nap = LoopNap()
        naps.append(nap)
        await nap.sleep(duration)
        naps.removeAll { $0 === nap }
    }
}
