import CoordinatorCore
import EventLoop
import RedisClient

/// Reads one source and applies it to all shards, exactly once.
///
/// The source has no position of its own: it is the minimum of its watermarks over the shards. A
/// shard that does not answer, or that a failover set back, is left behind and read again for, from
/// its own watermark, while the others go on.
///
/// - Invariant: every event at or below `position` is in its shards, or its shard is in `behind`.
/// - Not guaranteed: that this is the only reader. Two may run; the compare-and-set counts once.
/// - Thread: loop only.
@LoopActor final class SourceReader {
    /// Entries asked for at a time: the reply stays below 256 KB. Fewer where each is costly: a
    /// batch ends between two chunks only.
    static let chunk = 1_000
    static let smallestChunk = 32
    /// Untouched shards follow this closely, so that rotation does not wait for them.
    static let advanceEvery: Duration = .seconds(1)
    /// How long a quiet source is left alone.
    static let pollEvery: Duration = .milliseconds(250)
    /// An import whose end is reached is only watched for failovers that take something back.
    static let watchEvery: Duration = .seconds(5)

    let record: SourceRecord
    private let deployment: Deployment
    private let clients: [ShardClient]
    private let stream: SourceStream
    private let intake: Intake
    private let log: NodeLog
    private let metrics: NodeMetrics
    /// The server's clock less the monotonic one, ms; nil before it is known.
    var clockOffset: Int64?
    private let onUnclaimed: @LoopActor (ShardID) -> Void
    private var encoder: BatchEncoder
    private var batches: (Batch, Batch)
    private var behind: [Int: Lagging] = [:]
    private var lastAdvance: MonotonicInstant
    private var isQuiet = false
    private var costPerEntry = BatchLimits.costliestEntry
    private var isStopping = false
    private var floor: Int64 { record.kind == .import ? record.startedAt : 0 }

    /// Everything up to here is applied, or noted as behind.
    private(set) var position = StreamID.zero
    /// Something was read since this reader began.
    private(set) var hasRead = false
    /// The last reading found nothing more.
    private(set) var isExhausted = false

    private struct Lagging {
        var retryAt: MonotonicInstant
        var failures: Int
        var reason: String
    }

    init(
        _ deployment: Deployment, _ record: SourceRecord, clients: [ShardClient], log: NodeLog,
        metrics: NodeMetrics = NodeMetrics(), onUnclaimed: @escaping @LoopActor (ShardID) -> Void
    ) {
        self.deployment = deployment
        self.record = record
        self.clients = clients
        self.log = log
        self.metrics = metrics
        self.onUnclaimed = onUnclaimed
        stream = SourceStream(deployment.cluster, record)
        intake = Intake(
            rules: deployment.rules, layout: deployment.layout,
            baseLength: deployment.ladder.base.lengthMilliseconds,
            ownShard: deployment.ownShard(of: record.key),
            hasher: deployment.deviceHasher(for: record.kind))
        encoder = BatchEncoder(
            shards: clients.count, isBounded: deployment.settings.heaviest != nil)
        batches = (Batch(shards: clients.count), Batch(shards: clients.count))
        lastAdvance = loopNow()
    }

    /// Windows before this are sealed in some shard: batches that fold are made smaller.
    func noteSealed(to time: Int64) {
        intake.lateBefore = max(intake.lateBefore, time)
    }

    /// The lowest watermark, as last seen.
    var lowestWatermark: StreamID { intake.watermarks.min() ?? .zero }

    /// All shards hold everything up to `position`.
    var isLevel: Bool { behind.isEmpty && lowestWatermark >= position }

    func stop() {
        isStopping = true
    }

    /// Reads until stopped. Failures are logged when their reason changes, and tried again.
    func run() async {
        var pause = Backoff()
        while !isStopping {
            do throws(ServiceError) {
                try await takeOver()
                pause.reset()
                try await readOn()
            } catch {
                log.change("source", record.key, "\(error)")
                await pauseUnlessStopped(pause.next())
            }
        }
    }

    // MARK: Taking over

    /// Reads every shard's watermark; those that do not answer are behind.
    private func takeOver() async throws(ServiceError) {
        let all = Array(0..<clients.count)
        try await readWatermarks(of: all)
        let known = all.filter { behind[$0] == nil }
        guard let lowest = known.map({ intake.watermarks[$0] }).min() else {
            throw .redis(.clusterDown(message: "no shard answered"))
        }
        position = lowest
        intake.release(batches.0)
        intake.release(batches.1)
        intake.book.removeAll()
    }

    private func readWatermarks(of shards: [Int]) async throws(ServiceError) {
        let key = record.key
        let clients = clients
        let states = await gather(shards.count) { index -> Result<StreamID, ServiceError> in
            do throws(ServiceError) {
                return .success(try await clients[shards[index]].watermark(of: key))
            } catch {
                return .failure(error)
            }
        }
        for (shard, state) in zip(shards, states) {
            switch state {
            case .success(let watermark):
                intake.watermarks[shard] = watermark
                behind[shard] = nil
            case .failure(let error): fallBehind(shard, "\(error)")
            }
        }
    }

    // MARK: Reading

    private func readOn() async throws(ServiceError) {
        var round: ApplyRound?
        while !isStopping {
            if behind.contains(where: { $0.value.retryAt <= loopNow() }) {
                await settle(&round)
                try await recover()
            }
            let batch = batches.0
            batches = (batches.1, batch)
            intake.wants = (0..<clients.count).map { behind[$0] == nil }
            batch.begin(from: position, intake.watermarks)
            do throws(ServiceError) {
                try await fill(batch)
            } catch {
                await settle(&round)
                throw error
            }
            await settle(&round)
            position = batch.through
            round = begin(batch, advancing: isAdvanceDue)
            if isExhausted {
                await settle(&round)
                await pauseUnlessStopped(pauseAtEnd)
            }
        }
        await settle(&round)
    }

    private var pauseAtEnd: Duration {
        record.kind == .import && record.isFinished && isLevel ? Self.watchEvery : Self.pollEvery
    }

    private var isAdvanceDue: Bool {
        // The end of a file is nobody's next event: all shards are told at once.
        if isExhausted, record.kind == .import { return true }
        return loopNow() - lastAdvance >= Self.advanceEvery
    }

    private func nextChunk(of batch: Batch) -> Int {
        min(Self.chunk, max(Self.smallestChunk, batch.room(costPerEntry: costPerEntry)))
    }

    /// Reads until the batch is full or nothing is left, and makes sure of what was read.
    private func fill(_ batch: Batch) async throws(ServiceError) {
        var more = !isQuiet
        let server = stream.server
        while more, !batch.isFull, !isStopping {
            let read = try await stream.chunk(
                after: batch.through, through: nil, count: nextChunk(of: batch)
            ) {
                self.intake.take($0, $1, into: batch)
            }
            batch.through = read.last ?? batch.through
            more = !read.isEnd
        }
        let isEnd = !more
        let end = try await stream.confirm(
            after: batch.through, count: isEnd ? Self.chunk / 2 : 0,
            step: (batch.from, batch.entries)
        ) {
            self.intake.take($0, $1, into: batch)
        }
        try stream.checkOneServer(since: server)
        batch.through = max(batch.through, end.position)
        if !batch.isEmpty { costPerEntry = batch.highestCost / batch.entries }
        isExhausted = isEnd && end.isEnd
        isQuiet = isExhausted && batch.isEmpty
        if !batch.isEmpty { hasRead = true }
        if let trimmed = end.trimmed, let hole = intake.watermarks.min(), hole.next() < trimmed {
            log.change(
                "hole", record.key,
                "entries after \(hole) were trimmed before every shard held them (up to \(trimmed))"
            )
        }
    }

    // MARK: Applying

    private final class ApplyRound {
        let through: StreamID
        let shards: [Int]
        let tally: BatchTally
        var outcomes: [ShardApply.Outcome]?
        var waiter: CheckedContinuation<Void, Never>?

        init(_ through: StreamID, _ shards: [Int], _ tally: BatchTally) {
            self.through = through
            self.shards = shards
            self.tally = tally
        }
    }

    /// Sends a batch to the shards it touches, or to all when their watermarks are to follow.
    private func begin(_ batch: Batch, advancing: Bool) -> ApplyRound? {
        let own = deployment.ownShard(of: record.key)
        let length = deployment.ladder.base.lengthMilliseconds
        let wants = takers(of: batch)
        // What a batch noted in the book is the next one's no more.
        defer { intake.release(batch) }
        encoder.begin(
            batch, intake.book, baseLength: length, ownShard: own.rawValue, wants: wants)
        if advancing { lastAdvance = loopNow() }
        var calls: [ShardApply] = []
        for shard in clients.indices where wants[shard] && (advancing || encoder.touched[shard]) {
            encoder.arguments(
                of: shard, batch, intake.book, isOwn: shard == own.rawValue, baseLength: length
            ) { packed in
                calls.append(
                    ShardApply(
                        client: clients[shard], source: record.key,
                        expected: intake.watermarks[shard], through: batch.through, floor: floor,
                        packed: packed))
            }
        }
        guard !calls.isEmpty else { return nil }
        let round = ApplyRound(
            batch.through, calls.map(\.client.shard.rawValue), BatchTally(batch))
        let sent = calls
        spawn {
            round.outcomes = await gather(sent.count) { await sent[$0].run() }
            round.waiter?.resume()
            round.waiter = nil
        }
        return round
    }

    /// The shards that a batch can be sent to. Known before anything is encoded: the book notes
    /// what is, and would keep it from a shard that gets nothing of this batch.
    private func takers(of batch: Batch) -> [Bool] {
        clients.indices.map { shard in
            let held = intake.watermarks[shard]
            guard intake.wants[shard], behind[shard] == nil, held <= batch.through else {
                return false
            }
            if held <= batch.from || held == batch.watermarks[shard] { return true }
            // Another reader moved the shard while the batch was read: what it holds is not left
            // out.
            behind[shard] = Lagging(retryAt: loopNow(), failures: 0, reason: "moved")
            return false
        }
    }

    /// Waits for a round's replies and takes them in.
    private func settle(_ pending: inout ApplyRound?) async {
        guard let round = pending else { return }
        pending = nil
        if round.outcomes == nil {
            await withCheckedContinuation { round.waiter = $0 }
        }
        for (shard, outcome) in zip(round.shards, round.outcomes ?? []) {
            take(outcome, of: shard, through: round.through)
            // The ledger of a source is its own shard's: what that one took, counts.
            if case .applied = outcome,
                shard == deployment.ownShard(of: record.key).rawValue
            {
                round.tally.count(in: metrics, record.kind, serverTime: serverTime)
            }
        }
    }

    private var serverTime: Int64? {
        clockOffset.map { Int64(loopNow().nanoseconds / 1_000_000) + $0 }
    }

    private func take(_ outcome: ShardApply.Outcome, of shard: Int, through: StreamID) {
        switch outcome {
        case .applied(let faults, let fault):
            intake.watermarks[shard] = through
            if faults > 0 { log.change("fault", "shard \(shard)", fault) }
        case .elsewhere(let stored):
            // Ahead: another reader was here, or a reply was lost. Back: a failover lost a suffix.
            intake.watermarks[shard] = stored
            intake.book.forgetSent(to: Int32(shard))
            if stored < through {
                behind[shard] = Lagging(retryAt: loopNow(), failures: 0, reason: "")
            }
        case .unclaimed:
            intake.watermarks[shard] = .zero
            fallBehind(shard, "the shard has no state; it is claimed again")
            onUnclaimed(clients[shard].shard)
        case .failed(let error): fallBehind(shard, "\(error)")
        }
    }

    private func fallBehind(_ shard: Int, _ reason: String) {
        let failures = (behind[shard]?.failures ?? 0) + 1
        intake.book.forgetSent(to: Int32(shard))
        behind[shard] = Lagging(
            retryAt: loopNow() + Backoff.pause(after: failures), failures: failures, reason: reason)
        log.change("shard", "\(shard)", reason)
    }

    // MARK: Recovering

    /// Reads again for the shards that are behind, from the lowest of their own watermarks.
    private func recover() async throws(ServiceError) {
        let now = loopNow()
        let due = behind.filter { $0.value.retryAt <= now }.map(\.key).sorted()
        let lagging = behind
        try await readWatermarks(of: due)
        let answering = due.filter { behind[$0] == nil }
        guard !answering.isEmpty, let lowest = answering.map({ intake.watermarks[$0] }).min() else {
            return
        }
        // Until they have caught up they stay out of the main batches.
        for shard in answering { behind[shard] = lagging[shard] }
        intake.wants = (0..<clients.count).map { answering.contains($0) }
        let batch = batches.0
        batch.begin(from: lowest, intake.watermarks)
        var more = lowest < position
        let server = stream.server
        while more, !batch.isFull {
            let read = try await stream.chunk(
                after: batch.through, through: position, count: nextChunk(of: batch)
            ) {
                self.intake.take($0, $1, into: batch)
            }
            batch.through = read.last ?? batch.through
            more = !read.isEnd
        }
        _ = try await stream.confirm(after: batch.through, count: 0) { _, _ in }
        try stream.checkOneServer(since: server)
        if !more { batch.through = max(batch.through, position) }
        for shard in answering { behind[shard] = nil }
        var round = begin(batch, advancing: true)
        await settle(&round)
        for shard in answering where behind[shard] == nil && intake.watermarks[shard] < position {
            behind[shard] = Lagging(retryAt: loopNow(), failures: 0, reason: "catching up")
        }
    }

    private func pauseUnlessStopped(_ pause: Duration) async {
        guard !isStopping else { return }
        do { try await loopSleep(pause) } catch { isStopping = true }
    }
}
