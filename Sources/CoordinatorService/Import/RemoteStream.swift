import CoordinatorCore
import EventLoop
import ImportFormats
import RedisClient

/// A tracker's stream of another deployment, in a single Redis or in a cluster. It is only read.
///
/// - Not guaranteed: that what is read lasts there. A failover of the other side may take back
///   entries that are copied already; they stay counted here.
/// - Thread: loop only.
@LoopActor final class RemoteStream {
    /// Where its commands go.
    private enum Place {
        case cluster(HashSlot)
        /// A server without cluster mode.
        case single(RedisEndpoint)
    }

    /// What the stream says of itself.
    struct Summary: Sendable {
        var last: StreamID
        var length: Int64
        /// The greatest id that was ever deleted or trimmed; zero for none, or an older server.
        var trimmedTo: StreamID
    }

    let key: String
    private let configuration: RedisConfiguration
    private var client: RedisCluster
    private var place: Place?

    init(_ configuration: RedisConfiguration, key: String) {
        self.configuration = configuration
        self.key = key
        client = RedisCluster(configuration)
    }

    func close() async {
        await client.close()
    }

    /// Finds out what kind of Redis it is, and who of it answers.
    func connect() async throws(ServiceError) {
        place = nil
        do throws(RedisError) {
            try await client.start()
            place = .cluster(HashSlot(key: key))
            return
        } catch {
            guard case .configuration = error else { throw .redis(error) }
        }
        // No cluster: the first of the servers that answers.
        var failure = RedisError.closed
        for seed in configuration.seeds {
            do throws(RedisError) {
                _ = try await client.call("PING", on: seed, isRepeatable: true)
                place = .single(seed)
                return
            } catch {
                failure = error
            }
        }
        throw .redis(failure)
    }

    /// What tells its servers from all others: the id of each one's run.
    func runIDs() async throws(ServiceError) -> Set<String> {
        switch place {
        case .cluster: return try await client.runIDs(client.masters.map(\.endpoint))
        case .single(let endpoint): return try await client.runIDs([endpoint])
        case nil: return []
        }
    }

    /// - Returns: nil when there is no such stream.
    func summary() async throws(ServiceError) -> Summary? {
        let reply = try await call(
            RedisCommand("XINFO", "STREAM", .init(key), isRepeatable: true))
        if let error = reply.serverError {
            if error.message.contains("no such key") { return nil }
            throw .redis(.server(code: error.code, message: error.message, endpoint: key))
        }
        guard let last = reply["last-generated-id"]?.text.flatMap({ StreamID($0) }) else {
            throw .redis(.protocolViolation(endpoint: key, reason: "no last id"))
        }
        let trimmed = reply["max-deleted-entry-id"]?.text.flatMap { StreamID($0) }
        return Summary(
            last: last, length: reply["length"]?.int ?? 0, trimmedTo: trimmed ?? .zero)
    }

    /// Entries behind a position, with the ids that they have there.
    ///
    /// - Returns: the entries, and whether there may be more.
    func entries(
        after position: StreamID, through last: StreamID, count: Int
    ) async throws(ServiceError) -> (entries: [ImportEntry], mayHaveMore: Bool) {
        let reply: RedisValue
        do throws(ServiceError) {
            reply = try await call(
                RedisCommand(
                    "XRANGE", .init(key), .init("(\(position)"), .init(last.description), "COUNT",
                    .init(count), isRepeatable: true))
        } catch .redis(.protocolViolation) {
            // Larger than a reply may be: some at a time, their fields cut by the server.
            return try await look(after: position, through: last, count: count)
        }
        let entries = try read(reply)
        return (entries, entries.count == count)
    }

    private func look(
        after position: StreamID, through last: StreamID, count: Int
    ) async throws(ServiceError) -> (entries: [ImportEntry], mayHaveMore: Bool) {
        let reply = try await call(
            ScriptLibrary.look.command(
                keys: [key],
                arguments: [
                    .init(position.description), .init(last.description), .init(count),
                    .init(ImportField.maximumBytes),
                ], isRepeatable: true))
        guard let items = reply.items, items.count == 2 else {
            throw .redis(.protocolViolation(endpoint: key, reason: "two values expected"))
        }
        return (try read(items[1]), items[0].int != 1)
    }

    private func read(_ reply: RedisValue) throws(ServiceError) -> [ImportEntry] {
        if let error = reply.serverError {
            throw .redis(.server(code: error.code, message: error.message, endpoint: key))
        }
        var entries: [ImportEntry] = []
        for entry in reply.items ?? [] {
            guard let parts = entry.items, parts.count == 2,
                let id = parts[0].text.flatMap({ StreamID($0) }), let values = parts[1].items
            else { throw .redis(.protocolViolation(endpoint: key, reason: "an entry expected")) }
            var fields: [ImportField] = []
            for index in stride(from: 0, to: values.count - 1, by: 2) {
                fields.append(ImportField(values[index].bytes ?? [], values[index + 1].bytes ?? []))
            }
            entries.append(ImportEntry(id: id, fields: fields))
        }
        return entries
    }

    /// One command; an error reply is a value, as in a pipeline.
    private func call(_ command: RedisCommand) async throws(ServiceError) -> RedisValue {
        do throws(RedisError) {
            let replies: [RedisValue]
            switch place {
            case .cluster(let slot):
                replies = try await client.pipeline([command], slot: slot, lane: .reading)
            case .single(let endpoint):
                replies = try await client.pipeline([command], on: endpoint, lane: .reading)
            case nil: throw .closed
            }
            return replies.first ?? .null
        } catch {
            throw .redis(error)
        }
    }
}

extension RedisCluster {
    /// The id of the run of each of these servers.
    func runIDs(_ endpoints: [RedisEndpoint]) async throws(ServiceError) -> Set<String> {
        var found: Set<String> = []
        for endpoint in endpoints {
            let reply: RedisValue
            do throws(RedisError) {
                reply = try await call("INFO", "server", on: endpoint, isRepeatable: true)
            } catch {
                throw .redis(error)
            }
            for line in (reply.text ?? "").split(whereSeparator: \.isNewline)
            where line.hasPrefix("run_id:") {
                found.insert(String(line.dropFirst("run_id:".count)))
            }
        }
        return found
    }
}
