import CoordinatorCore
import EventLoop
import Hashing
import ImportFormats
import RedisClient

/// A stream whose entries have ids made by who writes them: an import's, or a copy's.
///
/// - Thread: loop only.
@LoopActor struct ImportStream {
    /// A lost reply is settled by the same call again, this often at most.
    private static let attempts = 5
    /// Entries and bytes of one call: a few ms of its master.
    private static let entriesAtOnce = 500
    private static let bytesAtOnce = 512 * 1_024
    /// Fields of one entry beyond these are left out: no event has as many, and a script's call
    /// takes no more than some thousand arguments.
    private static let fieldsKept = 1_000

    private let cluster: RedisCluster
    private let key: String
    private let guardKey: String
    private let slot: HashSlot
    /// Replaces device ids on their way into the stream; nil where they stay as they are.
    private let hasher: DeviceHasher?
    private static let deviceName = Array("uui".utf8)

    init(_ cluster: RedisCluster, _ key: String, hasher: DeviceHasher? = nil) {
        self.cluster = cluster
        self.hasher = hasher
        self.key = key
        slot = HashSlot(key: key)
        guardKey = RedisKeys.guardKey(ShardLayout.tag(inSlot: slot))
    }

    /// The last id that the stream ever had, also when its entries were trimmed; nil when there is
    /// no stream.
    func lastID() async throws(ServiceError) -> StreamID? {
        do throws(RedisError) {
            let reply = try await cluster.call("XINFO", "STREAM", .init(key), slot: slot)
            return reply["last-generated-id"]?.text.flatMap { StreamID($0) }
        } catch {
            if case .server(_, let message, _) = error, message.contains("no such key") {
                return nil
            }
            throw .redis(error)
        }
    }

    /// What became of entries.
    enum Added {
        /// All of them are there, by us or by somebody who writes the same. The stream's last id.
        case through(StreamID)
        /// The stream ends before what it held: a failover took entries back. Its last id, from
        /// which to go on.
        case wentBack(to: StreamID)
    }

    /// Adds entries in order behind what is there.
    ///
    /// - Parameter position: the stream's last id, as far as is known.
    func add(
        _ entries: [ImportEntry], after position: StreamID
    ) async throws(ServiceError) -> Added {
        var held = position
        var rest = entries[...]
        while true {
            rest = rest.drop { $0.id <= held }
            guard !rest.isEmpty else { return .through(held) }
            let (last, hasAdded) = try await append(Self.part(of: rest), after: held)
            // Ahead: another importer of the same file, or our own lost reply.
            guard hasAdded || last > held else { return .wentBack(to: last) }
            held = last
        }
    }

    /// As many entries as one call takes, at least one.
    private static func part(of entries: ArraySlice<ImportEntry>) -> ArraySlice<ImportEntry> {
        var bytes = 0
        var end = entries.startIndex
        while end < entries.endIndex, end - entries.startIndex < entriesAtOnce {
            bytes += entries[end].byteCount
            if end > entries.startIndex, bytes > bytesAtOnce { break }
            end += 1
        }
        return entries[..<end]
    }

    private func append(
        _ entries: ArraySlice<ImportEntry>, after held: StreamID
    ) async throws(ServiceError) -> (last: StreamID, hasAdded: Bool) {
        var packed = MessagePackWriter()
        packed.array(entries.count * 2)
        for entry in entries {
            packed.text(entry.id.description)
            packed.array(min(entry.fields.count, Self.fieldsKept) * 2)
            for field in entry.fields.prefix(Self.fieldsKept) {
                packed.string(field.name)
                packed.string(stored(field))
            }
        }
        var failure = RedisError.closed
        for _ in 0..<Self.attempts {
            do throws(RedisError) {
                let reply = try await cluster.run(
                    ScriptLibrary.append, keys: [key, guardKey],
                    arguments: [.init(held.description), .init(packed.bytes)], slot: slot,
                    lane: .bulk)
                guard let items = reply.items, items.count == 2, let added = items[0].int,
                    let last = items[1].text.flatMap({ StreamID($0) })
                else {
                    throw .protocolViolation(endpoint: key, reason: "a last id expected")
                }
                return (last, added == 1)
            } catch {
                guard error.mayHaveRun else { throw .redis(error) }
                failure = error
            }
        }
        throw .redis(failure)
    }

    /// A field's value as it may stand in Redis.
    private func stored(_ field: ImportField) -> [UInt8] {
        guard let hasher, field.name == Self.deviceName else { return field.value }
        return field.value.withUnsafeBytes { hasher.stored($0) }
    }

    /// Whether a replica holds everything up to `last`; true where the master has no replica to
    /// ask.
    func confirm(_ last: StreamID, within timeout: Duration) async throws(ServiceError) -> Bool {
        guard cluster.master(of: slot)?.replicaCount ?? 0 > 0 else { return true }
        do throws(RedisError) {
            // Setting the id it has writes nothing new, and gives WAIT something to wait for.
            let replies = try await cluster.pipeline(
                [
                    RedisCommand("XSETID", .init(key), .init(last.description), isRepeatable: true),
                    .wait(replicas: 1, timeout: timeout),
                ], slot: slot)
            return replies.first?.serverError == nil && (replies.last?.int ?? 0) >= 1
        } catch {
            throw .redis(error)
        }
    }
}
