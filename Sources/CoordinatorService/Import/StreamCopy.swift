public import CoordinatorCore
public import EventLoop
import Hashing
import ImportFormats
public import RedisClient

/// Copies a tracker's stream of another deployment into a source of its own, entry by entry, with
/// the ids that the entries have there: an event without a time of its own counts when it arrived
/// there.
///
/// Its position is the last id of its own stream, and it is added to by compare-and-set on that. So
/// it is resumed where it stopped, whatever died, and nothing is copied twice or left out.
///
/// - Thread: loop only.
@LoopActor public final class StreamCopy {
    private static let batch = 500
    private static let pollEvery: Duration = .milliseconds(250)
    /// Rotation keeps behind a copy that says so this often.
    private static let markEvery: Duration = .seconds(5)
    private static let confirmWithin: Duration = .seconds(5)

    /// What is copied, and for how long.
    public struct Options: Sendable {
        public var stream: String
        /// Names the other deployment; its addresses unless given.
        public var name: String?
        /// Goes on until `stop`.
        public var follows: Bool

        /// A copy of a stream.
        public init(stream: String, name: String?, follows: Bool) {
            self.stream = stream
            self.name = name
            self.follows = follows
        }
    }

    /// What a copy did.
    public struct Report: Sendable {
        /// The stream that it is copied to.
        public let source: String
        public let name: String
        public internal(set) var added: Int64
        /// The last entry that is there.
        public internal(set) var last: StreamID?
    }

    /// What it tells while it works.
    public struct Telling {
        /// Entries copied, and how many there will be, where that is known.
        public let progress: @LoopActor (Int64, Int64?) -> Void
        /// A sentence for people; said when it changes.
        public let note: @LoopActor (String) -> Void

        /// Tells through these.
        public init(
            progress: @escaping @LoopActor (Int64, Int64?) -> Void,
            note: @escaping @LoopActor (String) -> Void
        ) {
            self.progress = progress
            self.note = note
        }
    }

    private let deployment: Deployment
    private let registry: SourceRegistry
    private let remote: RemoteStream
    private let options: Options
    private let addresses: String
    private let telling: Telling
    private let stream: ImportStream
    private var record: SourceRecord?
    private var report: Report
    private var position = StreamID.zero
    private var total: Int64?
    private var marked = loopNow()
    private var said = ""
    private var isStopping = false
    private let nap = LoopNap()

    /// A copy into a deployment from the Redis of `configuration`.
    public init(
        _ deployment: Deployment, from configuration: RedisConfiguration, _ options: Options,
        _ telling: Telling
    ) {
        self.deployment = deployment
        self.options = options
        self.telling = telling
        registry = SourceRegistry(deployment.cluster)
        remote = RemoteStream(configuration, key: options.stream)
        addresses = configuration.seeds.map(\.description).sorted().joined(separator: ",")
        let name =
            options.name.map { "\(options.stream) from \($0)" }
            ?? "\(options.stream) at \(addresses)"
        let id = SHA1Hasher().recordID(of: name)
        let tag = deployment.layout.tag(of: deployment.layout.shard(of: id))
        let key = RedisKeys.copySource(tag, id)
        stream = ImportStream(deployment.cluster, key, hasher: deployment.deviceHasher)
        report = Report(source: key, name: name, added: 0, last: nil)
    }

    /// Ends the copy soon, in an orderly way.
    public func stop() {
        isStopping = true
        nap.wake()
    }

    /// Copies what is there, and with `follows` what comes, until it is stopped.
    ///
    /// - Errors: `.question` for what cannot be meant; `.redis` for the first failure of either
    ///   side, which with `follows` is only one before the first entry.
    public func run() async throws(ServiceError) -> Report {
        let result: Result<Void, ServiceError>
        do throws(ServiceError) {
            try await begin()
            try await copy()
            try await close()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await remote.close()
        try result.get()
        return report
    }

    // MARK: Beginning

    private func begin() async throws(ServiceError) {
        try await refuseTwin()
        try await remote.connect()
        let own = try await deployment.cluster.runIDs(deployment.cluster.masters.map(\.endpoint))
        guard own.isDisjoint(with: try await remote.runIDs()) else {
            throw .question(
                "\(addresses) is this deployment's own Redis: its sources are counted by its nodes")
        }
        position = try await stream.lastID() ?? .zero
        guard let summary = try await remote.summary() else {
            if options.follows { return say("\(options.stream) is not there yet") }
            throw .question(
                "there is no stream \(options.stream) at \(addresses): --stream names another")
        }
        if summary.trimmedTo > position {
            say(
                "entries up to \(summary.trimmedTo) were deleted there"
                    + (position == .zero ? "" : ", some of them before they were copied"))
        }
        if summary.last < position {
            say("the other side ends at \(summary.last), before what was copied: it went back")
        }
        if position == .zero { total = summary.length }
        // One that was killed before its end is closed by this one, also when nothing is new.
        record = try await registry.all().first { $0.key == report.source && !$0.isFinished }
    }

    /// The same stream under two names would be counted twice.
    private func refuseTwin() async throws(ServiceError) {
        guard options.name == nil else { return }
        let heads = ["\(options.stream) at ", "\(options.stream) from "]
        let twins = try await registry.all().filter { record in
            RedisKeys.isCopySource(record.key) && record.key != report.source
                && heads.contains { record.name?.hasPrefix($0) ?? false }
        }
        guard let twin = twins.first, let name = twin.name else { return }
        throw .question(
            "\(options.stream) was copied under another address before (\(name)): give that "
                + "address again to go on with it, or --source-name NAME for a deployment that is "
                + "another one. The same entries under two names would be counted twice")
    }

    // MARK: Copying

    private func copy() async throws(ServiceError) {
        var pause = Backoff()
        var goal: StreamID?
        if !options.follows { goal = try await remote.summary()?.last }
        while !isStopping {
            do throws(ServiceError) {
                let isEnd = try await step(through: goal ?? .maximum)
                pause.reset()
                guard isEnd else { continue }
                if !options.follows { return }
                await nap.sleep(Self.pollEvery)
            } catch {
                guard options.follows, case .redis(let failure) = error, failure.mayPass else {
                    throw error
                }
                say("\(error); trying again")
                await nap.sleep(pause.next())
                guard !isStopping else { return }
                await reconnect()
            }
        }
    }

    /// Another server may be the one to ask now.
    private func reconnect() async {
        do throws(ServiceError) { try await remote.connect() } catch {
            say("\(error); trying again")
        }
    }

    /// Copies some entries.
    ///
    /// - Returns: whether there are no more for now.
    private func step(through goal: StreamID) async throws(ServiceError) -> Bool {
        let (entries, mayHaveMore) = try await remote.entries(
            after: position, through: goal, count: Self.batch)
        if !entries.isEmpty {
            if record == nil { try await open() }
            let before = position
            switch try await stream.add(entries, after: position) {
            case .through(let last):
                position = last
                report.added += Int64(entries.filter { $0.id > before }.count)
            case .wentBack(let last):
                say("a failover here took entries back: going on behind \(last)")
                position = last
                return false
            }
            telling.progress(report.added, total)
        }
        // One that has caught up holds no rotation back: its entries come as a tracker's do.
        if mayHaveMore, loopNow() - marked >= Self.markEvery { try await mark() }
        return !mayHaveMore
    }

    private func open() async throws(ServiceError) {
        let now = try await deployment.serverTime()
        let record = SourceRecord(
            key: report.source, kind: .import, name: report.name, startedAt: now, markedAt: now,
            isFinished: false, lastID: nil, confirmedAt: nil, isSettled: false)
        try await registry.put(record)
        self.record = record
        marked = loopNow()
    }

    private func mark() async throws(ServiceError) {
        guard var record else { return }
        marked = loopNow()
        record.markedAt = try await deployment.serverTime()
        try await registry.put(record)
        self.record = record
    }

    /// Says that the copy is whole up to here, once replicas hold it.
    private func close() async throws(ServiceError) {
        report.last = position == .zero ? nil : position
        guard var record else { return }
        guard try await stream.confirm(position, within: Self.confirmWithin) else {
            throw .timedOut(
                "no replica confirmed the copy within \(Self.confirmWithin): start it again, "
                    + "nothing is counted twice")
        }
        record.lastID = position.description
        record.isFinished = true
        record.markedAt = try await deployment.serverTime()
        try await registry.put(record)
    }

    private func say(_ sentence: String) {
        guard sentence != said else { return }
        said = sentence
        telling.note(sentence)
    }
}

extension RedisError {
    /// Whether the same may succeed later by itself.
    fileprivate var mayPass: Bool {
        switch self {
        case .unreachable, .timedOut, .outcomeUnknown, .clusterDown, .overloaded: true
        case .server(let code, _, _):
            // Starting, failing over, moving slots.
            ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "TRYAGAIN", "MOVED", "ASK", "OOM"]
                .contains(code)
        case .protocolViolation, .untrusted, .authentication, .permission, .closed, .configuration:
            false
        }
    }
}
