public import CoordinatorCore
import Hashing

/// Some entries of a file, and how it goes on.
public struct ImportBatch: Sendable {
    /// What follows.
    public enum Continuation: Equatable, Sendable {
        case more
        /// The source has nothing to read yet; ask again later.
        case pending
        case end
    }

    /// In the order of their ids.
    public var entries: [ImportEntry]
    /// What follows this batch.
    public var continuation: Continuation
}

/// Turns a file into entries for its stream, the same ones every time.
///
/// - Ids: `latest event time so far in the file` - `number of the line`. Every line counts and
///   every readable time moves on, whether the line is selected or not, so neither another
///   selection nor lines added at the end change the id of any line. Events before the first
///   readable time have the millisecond 1.
/// - Invariant: ids grow strictly.
/// - Not guaranteed: that a file shorter than 1,024 bytes keeps its source when it grows (give it a
///   name), and that a line that was half written when it was read is read again whole.
/// - Thread: one; not shared. A call is short: it ends after `maximumEntries`, `maximumLines` or
///   `maximumBytes`.
public final class ImportSequence {
    /// A log line is a few hundred bytes; servers cut requests at 8 KiB.
    static let maximumLogLineBytes = 65_536
    /// An event may hold a field of 1 MiB, each byte of it escaped, and still be refused by its
    /// name and not only by its line.
    static let maximumEventLineBytes = 8 << 20
    /// So many lines may precede the first that shows the format (comments, a header).
    private static let linesToFindFormat: UInt64 = 100
    /// What one chunk without a line's end counts towards a call's lines.
    private static let linesPerChunk = 200
    /// Bounds the memory of one batch.
    private static let maximumBatchBytes = 4 << 20

    /// What became of the lines so far.
    public private(set) var summary = ImportSummary()
    /// The format, once known.
    public private(set) var format: ImportFormat
    /// Entries up to this id are there already and are not handed out again; set it before the
    /// first batch.
    public var resumeAfter = StreamID.zero

    private let source: ByteSource
    private let lines: LineReader
    private let options: ImportOptions
    private let events: LogEvents
    private var parser = LogLineParser(isHostFirst: false)
    private var latestTime: Int64 = 1
    private var failure: ImportError?
    /// Reads `dt` as a node does, so that the two never disagree.
    private let rules = EventRules(
        resolver: PageResolver(sites: .empty, hasher: SHA1Hasher()), longestKeepMilliseconds: .max)

    /// A sequence over a source; nobody else may read from it.
    public init(_ source: ByteSource, options: ImportOptions) {
        self.source = source
        self.options = options
        format = options.format
        lines = LineReader(source, maximumLineBytes: Self.maximumEventLineBytes)
        events = LogEvents(device: options.device, host: options.host.map { Array($0.utf8) })
        use(options.format)
    }

    /// The id of the import's source: SHA-1 of the name given, else of the first 1,024 (inflated)
    /// bytes; nil while those have not arrived.
    public func sourceID() throws(ImportError) -> RecordID? {
        let hasher = SHA1Hasher()
        if let name = options.sourceName { return hasher.recordID(of: name) }
        return try source.head().map { hasher.recordID(of: $0) }
    }

    /// Stored bytes used so far, and their total where it is known; for progress.
    public var progress: (done: Int64, total: Int64?) { (source.consumedBytes, source.storedBytes) }

    /// The next entries. May be empty although the file goes on: lines that are left out make none.
    ///
    /// - Errors: those of the source, `.unknownFormat`, `.hostMissing`; always after all entries
    ///   before them were handed out, and the same again at every further call.
    public func nextBatch(
        maximumEntries: Int = 500, maximumLines: Int = 5_000
    ) throws(ImportError) -> ImportBatch {
        if let failure { throw failure }
        var batch = ImportBatch(entries: [], continuation: .more)
        do {
            try fill(&batch, maximumEntries: maximumEntries, maximumLines: maximumLines)
        } catch {
            failure = error
            if batch.entries.isEmpty { throw error }
        }
        return batch
    }

    private func fill(
        _ batch: inout ImportBatch, maximumEntries: Int, maximumLines: Int
    ) throws(ImportError) {
        var budget = maximumLines
        var bytes = 0
        while batch.entries.count < maximumEntries, budget > 0, bytes < Self.maximumBatchBytes {
            var made: ImportEntry?
            let step = try lines.next { line throws(ImportError) in made = try take(line) }
            switch step {
            case .line: budget -= 1
            case .more: budget -= Self.linesPerChunk
            case .tooLong:
                budget -= Self.linesPerChunk
                summary.lines += 1
                leaveOut(.tooLong)
            case .pending:
                batch.continuation = .pending
                return
            case .end:
                if format == .auto, summary.leftOut[.unparsable] != nil {
                    throw .unknownFormat(name: source.name)
                }
                batch.continuation = .end
                return
            }
            if let made {
                bytes += made.byteCount
                batch.entries.append(made)
            }
        }
    }

    /// Counts a line and makes its entry, if it is one that is not there yet.
    private func take(_ line: UnsafeRawBufferPointer) throws(ImportError) -> ImportEntry? {
        summary.lines += 1
        let text = summary.lines == 1 ? Self.withoutByteOrderMark(line) : line
        guard text.contains(where: { $0 != 0x20 && $0 != 0x09 }) else { return leaveOut(.empty) }
        if format == .auto {
            guard let found = ImportFormat.detect(text) else {
                leaveOut(.unparsable)
                guard summary.lines < Self.linesToFindFormat else {
                    throw .unknownFormat(name: source.name)
                }
                return nil
            }
            use(found)
        }
        return format == .ndjson ? takeEvent(text) : try takeLogLine(text)
    }

    private func takeEvent(_ line: UnsafeRawBufferPointer) -> ImportEntry? {
        guard let event = JSONEventParser.parse(line) else { return leaveOut(.unparsable) }
        let time = event.value(ImportField.time).flatMap(readableTime)
        if time == nil { summary.untimed += 1 }
        return entry(event.fields, at: time)
    }

    private func takeLogLine(_ line: UnsafeRawBufferPointer) throws(ImportError) -> ImportEntry? {
        guard let logLine = parser.parse(line) else { return leaveOut(.unparsable) }
        guard let reason = options.count.reasonToLeaveOut(logLine) else {
            guard let fields = events.fields(of: logLine) else {
                // The line is not dealt with: it is to be read again, with a host.
                summary.lines -= 1
                throw .hostMissing(name: source.name, line: summary.lines + 1)
            }
            return entry(fields, at: logLine.time)
        }
        advance(to: logLine.time)
        return leaveOut(reason)
    }

    private func entry(_ fields: [ImportField], at time: Int64?) -> ImportEntry? {
        advance(to: time)
        // A resumed file whose early times were not plausible then may be now: ids go on from the
        // last one there.
        let milliseconds = max(UInt64(latestTime), isResumedByLine ? resumeAfter.milliseconds : 0)
        let id = StreamID(milliseconds: milliseconds, sequence: summary.lines)
        if id <= resumeAfter || (isResumedByLine && summary.lines <= resumeAfter.sequence) {
            summary.alreadyThere += 1
            return nil
        }
        summary.entries += 1
        return ImportEntry(id: id, fields: fields)
    }

    /// A source named by its content holds this very file, so a line's number alone tells whether
    /// it is there. A name may stand for one file after another, whose line numbers begin again.
    private var isResumedByLine: Bool { options.sourceName == nil && resumeAfter != .zero }

    private func advance(to time: Int64?) {
        guard let time, time > latestTime, time <= options.latestPlausibleTime ?? .max else {
            return
        }
        latestTime = time
    }

    private func readableTime(_ text: [UInt8]) -> Int64? {
        guard !text.isEmpty else { return nil }
        return text.withUnsafeBytes { bytes in
            do throws(RefusalError) {
                let time = try rules.time(of: bytes, arrival: .maximum)
                return time >= 0 ? time : nil
            } catch {
                // The node says so, with the reason: here it only means that the ids do not move.
                return nil
            }
        }
    }

    private func use(_ found: ImportFormat) {
        format = found
        parser = LogLineParser(isHostFirst: found == .vhost)
        let isLog = found != .auto && found != .ndjson
        lines.maximumLineBytes = isLog ? Self.maximumLogLineBytes : Self.maximumEventLineBytes
    }

    @discardableResult
    private func leaveOut(_ reason: LeftOutReason) -> ImportEntry? {
        summary.leftOut[reason, default: 0] += 1
        return nil
    }

    private static func withoutByteOrderMark(_ line: UnsafeRawBufferPointer)
        -> UnsafeRawBufferPointer
    {
        guard line.starts(with: [0xEF, 0xBB, 0xBF]) else { return line }
        return UnsafeRawBufferPointer(rebasing: line.dropFirst(3))
    }
}
