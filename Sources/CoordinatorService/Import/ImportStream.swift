import CoordinatorCore
import EventLoop
import ImportFormats
import RedisClient

/// The stream of an import, written by one importer.
///
/// - Thread: loop only.
@LoopActor struct ImportStream {
    /// A lost reply is settled by looking at the stream's end, this often at most.
    private static let attempts = 5

    private let cluster: RedisCluster
    private let key: String
    private let slot: HashSlot

    init(_ cluster: RedisCluster, _ key: String) {
        self.cluster = cluster
        self.key = key
        slot = HashSlot(key: key)
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

    /// Adds entries in order.
    ///
    /// - Returns: the last id in the stream.
    func add(_ entries: [ImportEntry]) async throws(ServiceError) -> StreamID? {
        var rest = entries[...]
        var failure = ServiceError.redis(.closed)
        for _ in 0..<Self.attempts {
            guard let last = rest.last else { return entries.last?.id }
            do throws(RedisError) {
                let replies = try await cluster.pipeline(
                    rest.map(Self.command(key)), slot: slot, lane: .bulk)
                guard let error = replies.compactMap(\.serverError).first else { return last.id }
                guard error.message.contains("equal or smaller") else {
                    throw RedisError.server(code: error.code, message: error.message, endpoint: key)
                }
                // Another importer of the same file, or our own lost reply: they are there.
            } catch {
                guard error.mayHaveRun else { throw .redis(error) }
                failure = .redis(error)
            }
            let held = try await lastID() ?? .zero
            rest = rest.drop { $0.id <= held }
        }
        guard rest.isEmpty else { throw failure }
        return entries.last?.id
    }

    private static func command(_ key: String) -> (ImportEntry) -> RedisCommand {
        { entry in
            var writer = RedisCommandWriter(reserving: 96 + entry.byteCount)
            writer.append("XADD")
            writer.append(key)
            writer.append(entry.id.description)
            for field in entry.fields {
                writer.append(field.name)
                writer.append(field.value)
            }
            return writer.finish()
        }
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
