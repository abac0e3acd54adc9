import CoordinatorCore
public import EventLoop
public import ImportFormats
import RedisClient

/// What an import did.
public struct ImportReport: Sendable {
    public let source: String
    public let summary: ImportSummary
    /// Entries that this import added to the stream.
    public let added: UInt64
    /// The latest event time in the file, ms since 1970; nil when no line had one.
    public let lastEventAt: Int64?
}

/// Writes a file into a source of its own. Entry ids follow the event times in the file, so the
/// same file again, or grown, goes on behind the stream's last id and adds nothing twice.
///
/// While it makes progress it renews a mark, and rotation keeps behind it.
///
/// - Thread: loop only.
@LoopActor public struct Importer {
    /// Entries sent in one go: some 100 KB.
    private static let batch = 500
    /// The mark is renewed this often: a third of what counts as silence would do, too.
    private static let markEvery: Duration = .seconds(5)
    /// How long a pipe that has nothing to read is left alone.
    private static let pipePause: Duration = .milliseconds(20)
    /// Replicas confirm a finished import within this, or it is not finished.
    private static let confirmWithin: Duration = .seconds(5)
    /// Times further ahead do not move the ids; logs of any time zone still pass.
    private static let plausibleAheadMilliseconds: Int64 = 86_400_000

    private let deployment: Deployment
    private let registry: SourceRegistry

    /// An importer into a deployment.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
        registry = SourceRegistry(deployment.cluster)
    }

    /// What times of a file move the ids on, ms since 1970.
    public func latestPlausibleTime() async throws(ServiceError) -> Int64 {
        try await deployment.serverTime() + Self.plausibleAheadMilliseconds
    }

    /// Imports everything that is not there yet.
    ///
    /// - Parameters:
    ///   - file: its bytes, plain or gzip.
    ///   - options: how to read its lines.
    ///   - tell: called now and then with stored bytes used, and their total where it is known.
    public func run(
        _ file: ByteSource, _ options: ImportOptions, tell: @LoopActor (Int64, Int64?) -> Void
    ) async throws(ServiceError) -> ImportReport {
        let sequence = ImportSequence(file, options: options)
        let id = try await sourceID(sequence)
        let tag = deployment.layout.tag(of: deployment.layout.shard(of: id))
        let key = RedisKeys.importSource(tag, id)
        let stream = ImportStream(deployment.cluster, key, hasher: deployment.deviceHasher)
        var last = try await stream.lastID()
        sequence.resumeAfter = last ?? .zero
        var record: SourceRecord?
        var added: UInt64 = 0
        var marked = loopNow()
        var failure: ServiceError?
        reading: while true {
            let batch: ImportBatch
            do throws(ImportError) {
                batch = try sequence.nextBatch(maximumEntries: Self.batch)
            } catch {
                // What was read before the damage is complete and stays.
                failure = .question("\(error)")
                break reading
            }
            if !batch.entries.isEmpty {
                if record == nil { record = try await open(key, file.name) }
                last = try await add(batch.entries, to: stream, after: last)
                added += UInt64(batch.entries.count)
            }
            if var open = record, loopNow() - marked >= Self.markEvery {
                marked = loopNow()
                open.markedAt = try await deployment.serverTime()
                try await registry.put(open)
            }
            tell(sequence.progress.done, sequence.progress.total)
            switch batch.continuation {
            case .end: break reading
            case .pending: await pause()
            case .more: break
            }
        }
        if let record { try await close(record, stream, last) }
        if let failure { throw failure }
        return ImportReport(
            source: key, summary: sequence.summary, added: added,
            lastEventAt: last.map { Int64(clamping: $0.milliseconds) }.flatMap { $0 > 1 ? $0 : nil }
        )
    }

    private func add(
        _ entries: [ImportEntry], to stream: ImportStream, after last: StreamID?
    ) async throws(ServiceError) -> StreamID {
        switch try await stream.add(entries, after: last ?? .zero) {
        case .through(let last): return last
        case .wentBack:
            throw .timedOut(
                "a failover took back part of what was written: import the file again, nothing is "
                    + "counted twice")
        }
    }

    private func sourceID(_ sequence: ImportSequence) async throws(ServiceError) -> RecordID {
        while true {
            do throws(ImportError) {
                if let id = try sequence.sourceID() { return id }
            } catch {
                throw .question("\(error)")
            }
            await pause()
        }
    }

    private func open(_ key: String, _ name: String) async throws(ServiceError) -> SourceRecord {
        let now = try await deployment.serverTime()
        let record = SourceRecord(
            key: key, kind: .import, name: name, startedAt: now, markedAt: now, isFinished: false,
            lastID: nil, confirmedAt: nil, isSettled: false)
        try await registry.put(record)
        return record
    }

    /// Says that the import is whole, once replicas hold it.
    private func close(
        _ record: SourceRecord, _ stream: ImportStream, _ last: StreamID?
    ) async throws(ServiceError) {
        var record = record
        if let last {
            guard try await stream.confirm(last, within: Self.confirmWithin) else {
                throw .timedOut(
                    "no replica confirmed the import within \(Self.confirmWithin): import the file "
                        + "again, nothing is counted twice")
            }
            record.lastID = last.description
        }
        record.isFinished = true
        record.markedAt = try await deployment.serverTime()
        try await registry.put(record)
    }

    private func pause() async {
        do { try await loopSleep(Self.pipePause) } catch { return }
    }
}
