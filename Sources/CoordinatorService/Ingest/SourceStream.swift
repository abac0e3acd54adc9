import CoordinatorCore
import EventLoop
import Hashing
import RedisClient

/// The stream of one source: entries in bulk, and the answer to "nothing more up to where?".
///
/// - Thread: loop only.
@LoopActor struct SourceStream {
    /// A read that its master cannot show a replica within this is discarded: the master may be
    /// paused, cut off or replaced, and its entries may never have existed.
    private static let confirmWithin: Duration = .milliseconds(500)
    /// What is kept of a field of entries too large to be read as they are: enough to refuse it.
    private static let keptBytes = EventRules.maximumFieldBytes + 1

    /// How many entries are still to be read with care.
    @LoopActor private final class Care {
        var entries = 0
    }

    let cluster: RedisCluster
    let key: String
    let stateKey: String
    let slot: HashSlot
    private let kind: SourceRecord.Kind
    private let care = Care()
    private var sourceKind: RedisArgument { kind == .live ? "live" : "import" }

    init(_ cluster: RedisCluster, _ record: SourceRecord) {
        self.cluster = cluster
        key = record.key
        kind = record.kind
        slot = HashSlot(key: record.key)
        stateKey = Self.stateKey(of: record.key)
    }

    /// The key beside a stream, in its slot, that holds where it was trimmed.
    static func stateKey(of key: String) -> String {
        RedisKeys.sourceState(
            ShardLayout.tag(inSlot: HashSlot(key: key)), SHA1Hasher().recordID(of: key))
    }

    struct Chunk: Sendable {
        var count = 0
        var last: StreamID?
        /// Nothing more was there, up to the last id wanted.
        var isEnd = false
    }

    /// Reads entries, lending each to `take` while its bytes lie in the connection's memory.
    ///
    /// A reply larger than the client takes is read again with care: some entries at a time, their
    /// fields cut on the server. Nobody can stop a source by large fields.
    ///
    /// - Parameter through: the last id wanted; nil for all there are.
    func chunk(
        after position: StreamID, through: StreamID?, count: Int,
        _ take: @escaping @LoopActor (StreamID, EntryFields) -> Void
    ) async throws(ServiceError) -> Chunk {
        if care.entries > 0 { return try await look(after: position, through, count, take) }
        let command = RedisCommand(
            "XRANGE", .init(key), .init("(\(position)"), .init(through?.description ?? "+"),
            "COUNT",
            .init(count), isRepeatable: true)
        let cluster = cluster
        let slot = slot
        let result: Result<Result<Chunk, RedisError>, RedisError> =
            await withCheckedContinuation { continuation in
                cluster.send(command, slot: slot, lane: .reading) { result in
                    continuation.resume(returning: result.map { Self.entries(of: $0, take) })
                }
            }
        switch result {
        case .success(.success(var chunk)):
            chunk.isEnd = chunk.count < count
            return chunk
        case .failure(.protocolViolation):
            // Nothing of it was taken: the reply never was whole.
            care.entries = count
            return try await look(after: position, through, count, take)
        case .success(.failure(let error)), .failure(let error): throw .redis(error)
        }
    }

    private func look(
        after position: StreamID, _ through: StreamID?, _ count: Int,
        _ take: @LoopActor (StreamID, EntryFields) -> Void
    ) async throws(ServiceError) -> Chunk {
        let reply: RedisValue
        do throws(RedisError) {
            reply = try await cluster.run(
                ScriptLibrary.look, keys: [key],
                arguments: [
                    .init(position.description), .init(through?.description ?? "+"), .init(count),
                    .init(Self.keptBytes),
                ], slot: slot, lane: .reading, isRepeatable: true)
        } catch {
            throw .redis(error)
        }
        guard let items = reply.items, items.count == 2, let entries = items[1].items else {
            throw .redis(.protocolViolation(endpoint: key, reason: "two values expected"))
        }
        let last = try lend(entries, take)
        care.entries = max(0, care.entries - entries.count)
        return Chunk(count: entries.count, last: last, isEnd: items[0].int == 1)
    }

    private static func entries(
        of reply: RedisReplyView, _ take: @LoopActor (StreamID, EntryFields) -> Void
    ) -> Result<Chunk, RedisError> {
        if reply.kind == .error, case .error(let error) = reply.decoded() {
            return .failure(
                .server(code: error.code, message: error.message, endpoint: "the source"))
        }
        var chunk = Chunk()
        for entry in reply.elements {
            var parts = entry.elements
            guard let id = parts.next().flatMap({ StreamID(bytes: $0.bytes) }),
                let list = parts.next()
            else {
                return .failure(
                    .protocolViolation(endpoint: "XRANGE", reason: "an entry without an id"))
            }
            var fields = EntryFields()
            var values = list.elements
            while let name = values.next(), let value = values.next() {
                fields.add(name: name.bytes, value: value.bytes)
            }
            take(id, fields)
            chunk.count += 1
            chunk.last = id
        }
        return .success(chunk)
    }

    /// The server that is asked about the stream at this moment.
    var server: RedisEndpoint? { cluster.owner(of: slot) }

    /// Whether one server answered everything since `first` was the one to ask.
    ///
    /// Entries that one server showed are not made sure of by another one: a master that was paused
    /// while its replica took over may show entries that vanish, and none of those that came since.
    ///
    /// - Errors: `.clusterDown` inside `.redis`: what was read is to be read again.
    func checkOneServer(since first: RedisEndpoint?) throws(ServiceError) {
        guard let first, server == first else {
            throw .redis(
                .clusterDown(
                    message: "another master serves \(key) than when reading began: "
                        + "it is read again"))
        }
    }

    struct End: Sendable {
        var position: StreamID
        var count: Int
        /// Nothing more was there.
        var isEnd: Bool
        var trimmed: StreamID?
        /// The clock of the source's master, ms.
        var clock: Int64
    }

    /// Reads what is left, and makes sure that what was read will last.
    ///
    /// - Parameters:
    ///   - count: 0 when more is known to follow; then nothing is read, only made sure of.
    ///   - step: where the reading began and how many entries it took, for who reads on; it is
    ///     noted how many there were so far.
    /// - Errors: `.clusterDown` inside `.redis` when no replica showed that it holds what was read.
    func confirm(
        after position: StreamID, count: Int, step: (from: StreamID, entries: Int)? = nil,
        _ take: @escaping @LoopActor (StreamID, EntryFields) -> Void
    ) async throws(ServiceError) -> End {
        var mustWait = false
        while true {
            // Known before it is asked: when the answer comes another master may be in its place.
            let asked = cluster.master(of: slot)
            let waits = mustWait || (asked?.replicaCount ?? 0) > 0
            let items = try await read(after: position, count: count, step: step, waits: waits)
            let online = items.reply[2].int ?? 0
            if online > 0, !waits {
                // A replica came meanwhile: what was read has to be shown to it.
                mustWait = true
                continue
            }
            if waits, items.acknowledged < 1 {
                do throws(RedisError) { try await cluster.refreshTopology() } catch {
                    throw .redis(error)
                }
                throw .redis(
                    .clusterDown(
                        message:
                            "no replica of the master of \(key) confirmed what was read within "
                            + "\(Self.confirmWithin); it is read again"))
            }
            if !waits {
                // A master that thinks itself without replicas may have been replaced by one while
                // it slept.
                do throws(RedisError) { try await cluster.refreshTopology() } catch {
                    throw .redis(error)
                }
                let master = cluster.master(of: slot)
                guard let master, master.endpoint == asked?.endpoint, master.replicaCount == 0
                else { continue }
            }
            return try end(items.reply, position, take)
        }
    }

    private func read(
        after position: StreamID, count: Int, step: (from: StreamID, entries: Int)?, waits: Bool
    ) async throws(ServiceError) -> (reply: [RedisValue], acknowledged: Int64) {
        let script = ScriptLibrary.read.command(
            keys: [key, stateKey],
            arguments: [
                .init(position.description), .init(count), sourceKind, .init(Self.keptBytes),
                .init(step?.from.description ?? ""), .init(step?.entries ?? 0),
            ], isRepeatable: true)
        let wait = RedisCommand.wait(replicas: 1, timeout: Self.confirmWithin)
        do throws(RedisError) {
            let replies = try await cluster.pipeline(
                waits ? [script, wait] : [script], slot: slot, lane: .reading)
            if let error = replies.first?.serverError {
                throw RedisError.server(code: error.code, message: error.message, endpoint: key)
            }
            guard let items = replies.first?.items, items.count == 6 else {
                throw RedisError.protocolViolation(endpoint: key, reason: "six values expected")
            }
            return (items, waits ? replies.last?.int ?? 0 : 0)
        } catch {
            throw .redis(error)
        }
    }

    private func end(
        _ reply: [RedisValue], _ position: StreamID,
        _ take: @LoopActor (StreamID, EntryFields) -> Void
    ) throws(ServiceError) -> End {
        guard let clock = reply[0].int, let reached = reply[1].text.flatMap({ StreamID($0) }),
            let entries = reply[4].items
        else {
            throw .redis(.protocolViolation(endpoint: key, reason: "a position expected"))
        }
        _ = try lend(entries, take)
        return End(
            position: max(reached, position), count: entries.count, isEnd: reply[5].int == 1,
            trimmed: reply[3].text.flatMap { StreamID($0) }, clock: clock)
    }

    /// Lends decoded entries one by one.
    ///
    /// - Returns: the last one's id.
    private func lend(
        _ entries: [RedisValue], _ take: @LoopActor (StreamID, EntryFields) -> Void
    ) throws(ServiceError) -> StreamID? {
        var last: StreamID?
        for entry in entries {
            guard let parts = entry.items, parts.count == 2,
                let id = parts[0].text.flatMap({ StreamID($0) }), let values = parts[1].items
            else {
                throw .redis(.protocolViolation(endpoint: key, reason: "an entry expected"))
            }
            Self.lend(values.compactMap(\.bytes)) { take(id, $0) }
            last = id
        }
        return last
    }

    /// Lends decoded values as if they still lay in the connection's memory.
    private static func lend(_ values: [[UInt8]], _ body: (EntryFields) -> Void) {
        var lengths: [Int] = []
        var joined: [UInt8] = []
        for value in values {
            lengths.append(value.count)
            joined += value
        }
        joined.withUnsafeBytes { bytes in
            var fields = EntryFields()
            var offset = 0
            for index in stride(from: 0, to: lengths.count - 1, by: 2) {
                let middle = offset + lengths[index]
                let end = middle + lengths[index + 1]
                fields.add(
                    name: UnsafeRawBufferPointer(rebasing: bytes[offset..<middle]),
                    value: UnsafeRawBufferPointer(rebasing: bytes[middle..<end]))
                offset = end
            }
            body(fields)
        }
    }

    /// Removes entries before `first`, all of them exactly when the source is finished.
    ///
    /// A call of the script removes some thousands, so that it keeps Redis busy for a few ms.
    ///
    /// - Returns: how many.
    func trim(before first: StreamID, exactly: Bool) async throws(ServiceError) -> Int64 {
        var all: Int64 = 0
        do throws(RedisError) {
            while true {
                let reply = try await cluster.run(
                    ScriptLibrary.trim, keys: [key, stateKey],
                    arguments: [.init(first.description), exactly ? "1" : "0"], slot: slot)
                guard let removed = reply.int, removed > 0 else { return all }
                all += removed
            }
        } catch {
            throw .redis(error)
        }
    }
}
