import CoordinatorCore
import EventLoop
import RedisClient

/// The ledger of every source, and whether its watermarks can be true.
///
/// Shards hold a source up to different entries at any moment. What lies between the lowest and the
/// highest watermark is read from the stream once more, by the same rules as the readers', and
/// added for the shards that have not taken it: then the ledger balances exactly, whatever is under
/// way.
///
/// - Thread: loop only.
@LoopActor struct SourceAudit {
    /// Entries read again for all sources together: some seconds of a busy site, 100 MB at most.
    static let maximumEntries = 200_000
    private static let chunk = 1_000
    /// Entries turned into counts at once.
    private static let entriesAtOnce = 20_000

    private let deployment: Deployment

    init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// What shards have not taken of what others have.
    struct Pending {
        /// Pageviews or plays by base window, in the order of `Dimension.counted`.
        var views: [Int64: [Int64]] = [:]
        var read: Int64 = 0
        var refused: Int64 = 0
        var counted: Int64 = 0
        var entries: Int64 = 0
    }

    /// Judges all sources; what is wrong is wrong each time it is looked at.
    func run(_ findings: inout Audit.Findings) async throws(ServiceError) -> [SourceLedger] {
        var ledgers: [SourceLedger] = []
        var violations: [Violation] = []
        for round in 1...Audit.rounds {
            let sources = try await SourceRegistry(deployment.cluster).all()
            let survey = try await deployment.survey()
            for sentence in survey.missing { findings.miss(sentence) }
            guard !survey.started.isEmpty else { return [] }
            ledgers = []
            violations = []
            for source in sources {
                let (ledger, found) = try await judge(source, survey)
                ledgers.append(ledger)
                violations += found
            }
            guard !violations.isEmpty, round < Audit.rounds else { break }
            try await Audit(deployment).rest()
        }
        findings.violations += violations
        for ledger in ledgers where ledger.isBalanced == nil {
            findings.notes.append(
                "the ledger of \(ledger.name ?? ledger.key) was not judged: "
                    + "some shards are too far behind, or did not answer")
        }
        return ledgers
    }

    private func judge(
        _ source: SourceRecord, _ survey: Survey
    ) async throws(ServiceError) -> (SourceLedger, [Violation]) {
        var violations = try await marks(source, survey)
        let sums = survey.ledger(of: source.key)
        let refused = sums.refused.values.reduce(0, &+)
        var isBalanced: Bool?
        var pending: Pending?
        if !survey.isPartial {
            pending = try await pendingOf(source, survey, limit: Self.maximumEntries)
        }
        if let pending {
            let read = sums.read &+ pending.read
            let known = sums.counted &+ refused &+ pending.counted &+ pending.refused
            isBalanced = read == known
            if read != known {
                violations.append(
                    Violation(
                        .ledger,
                        "\(source.key): \(read) entries read, "
                            + "\(sums.counted &+ pending.counted) counted and "
                            + "\(refused &+ pending.refused) refused"
                            + (pending.entries > 0
                                ? " (\(pending.entries) of them on the way)" : "")))
            }
        }
        return (
            SourceLedger(
                key: source.key, name: source.name, read: sums.read, counted: sums.counted,
                refused: refused, pending: pending?.entries ?? 0, isBalanced: isBalanced),
            violations
        )
    }

    // MARK: Watermarks

    private func marks(_ source: SourceRecord, _ survey: Survey) async throws(ServiceError)
        -> [Violation]
    {
        let stream = SourceStream(deployment.cluster, source)
        let end = try await stream.end()
        var violations: [Violation] = []
        for state in survey.started {
            let mark = state.watermarks[source.key] ?? .zero
            if let last = end.last, mark > last {
                violations.append(
                    Violation(
                        .watermark,
                        "shard \(state.shard): the watermark of \(source.key) is \(mark), "
                            + "ahead of the stream's last id \(last)"))
            }
            if let trimmed = end.trimmed, mark.next() < trimmed {
                violations.append(
                    Violation(
                        .hole,
                        "shard \(state.shard) holds \(source.key) to \(mark), and entries before "
                            + "\(trimmed) were trimmed"))
            } else if source.confirmedAt != nil, let last = source.lastID.flatMap({ StreamID($0) }),
                mark < last
            {
                violations.append(
                    Violation(
                        .watermark,
                        "shard \(state.shard) holds \(source.key) to \(mark), though all shards "
                            + "had it to its end \(last)"))
            }
        }
        return violations
    }

    // MARK: What is on the way

    /// What shards have not taken of all sources; nil where that is too much to read again.
    func pending(_ survey: Survey) async throws(ServiceError) -> Pending? {
        guard !survey.isPartial else { return nil }
        var total = Pending()
        for source in try await SourceRegistry(deployment.cluster).all() where !source.isSettled {
            let left = Self.maximumEntries - Int(clamping: total.entries)
            guard let own = try await pendingOf(source, survey, limit: left) else { return nil }
            total.views.merge(own.views) { zip($0, $1).map { $0 &+ $1 } }
            total.entries &+= own.entries
        }
        return total
    }

    private func pendingOf(
        _ source: SourceRecord, _ survey: Survey, limit: Int
    ) async throws(ServiceError) -> Pending? {
        var pending = Pending()
        let marks = survey.states.map { $0?.watermarks[source.key] ?? .zero }
        guard !source.isSettled, let lowest = marks.min(), let highest = marks.max(),
            lowest < highest
        else {
            return pending
        }
        let length = deployment.ladder.base.lengthMilliseconds
        let intake = Intake(
            rules: deployment.rules, layout: deployment.layout, baseLength: length,
            ownShard: deployment.ownShard(of: source.key))
        intake.watermarks = marks
        let stream = SourceStream(deployment.cluster, source)
        let batch = Batch(shards: deployment.layout.count)
        batch.begin(from: lowest, marks)
        var position = lowest
        while true {
            let chunk = try await stream.chunk(after: position, through: highest, count: Self.chunk)
            {
                intake.take($0, $1, into: batch)
            }
            pending.entries &+= Int64(chunk.count)
            position = chunk.last ?? position
            let isEnd = chunk.isEnd
            if isEnd || batch.entries >= Self.entriesAtOnce {
                Self.take(batch, intake.book, length, into: &pending)
                intake.release(batch)
                batch.begin(from: position, marks)
            }
            if isEnd { return pending }
            guard pending.entries < Int64(limit) else { return nil }
        }
    }

    private static func take(
        _ batch: Batch, _ book: RecordBook, _ length: Int64, into pending: inout Pending
    ) {
        pending.read &+= Int64(batch.read)
        pending.refused &+= batch.refused.values.reduce(0) { $0 &+ Int64($1) }
        for accumulator in batch.accumulators {
            let dimension = book.records[Int(accumulator.record)].dimension
            if dimension.isTallied { pending.counted &+= accumulator.views }
            pending.views[accumulator.window * length, default: ConservationAudit.none][
                dimension.row] &+=
                accumulator.views
        }
    }
}

extension SourceStream {
    /// The last id that was ever given, and up to where entries were trimmed; nil where there is
    /// none.
    func end() async throws(ServiceError) -> (last: StreamID?, trimmed: StreamID?) {
        let replies: [RedisValue]
        do throws(RedisError) {
            replies = try await cluster.pipeline(
                [
                    RedisCommand("XINFO", "STREAM", .init(key), isRepeatable: true),
                    RedisCommand(
                        "HGET", .init(Self.stateKey(of: key)), "trimmed", isRepeatable: true),
                ], slot: slot)
        } catch {
            throw .redis(error)
        }
        return (
            replies[0]["last-generated-id"]?.text.flatMap { StreamID($0) },
            replies[1].text.flatMap { StreamID($0) }
        )
    }
}
