import CoordinatorCore
public import EventLoop
public import RedisClient

/// A Redis that the original system filled: one server as a rule, or a cluster.
///
/// It is only read, a few keys at a time, with no command that keeps it busy for long.
///
/// - Thread: loop only.
@LoopActor public final class OriginalRedis {
    /// Keys looked at by one step of a scan.
    private static let scanCount: Int64 = 500

    private let client: RedisCluster
    private var servers: [RedisEndpoint] = []
    private var isClustered = false

    /// A Redis that is not connected yet; the caller closes the client.
    public init(_ client: RedisCluster) {
        self.client = client
    }

    /// Finds out whether it is one server or a cluster.
    ///
    /// - Returns: how many keys it holds.
    public func open() async throws(ServiceError) -> Int64 {
        do throws(RedisError) {
            guard let seed = client.configuration.seeds.first else {
                throw .configuration("no redis server given: expected redis://host:port")
            }
            let info = try await client.call("INFO", "cluster", on: seed, isRepeatable: true)
            isClustered = ServerFacts.parse(info.text ?? "")["cluster_enabled"] == "1"
            if isClustered {
                try await client.start()
                servers = client.masters.map(\.endpoint)
            } else {
                servers = [seed]
            }
            var keys: Int64 = 0
            for server in servers {
                keys += try await client.call("DBSIZE", on: server, isRepeatable: true).int ?? 0
            }
            return keys
        } catch {
            throw .redis(error)
        }
    }

    /// Hands out all keys of a pattern, some at a time. A key may come twice while Redis resizes
    /// its table.
    func scan(
        _ pattern: String, _ body: @LoopActor ([String]) async throws(ServiceError) -> Void
    ) async throws(ServiceError) {
        for server in servers {
            var cursor = "0"
            repeat {
                let reply: RedisValue
                do throws(RedisError) {
                    reply = try await client.call(
                        "SCAN", .init(cursor), "MATCH", .init(pattern), "COUNT",
                        .init(Self.scanCount), on: server, lane: .reading, isRepeatable: true)
                } catch {
                    throw .redis(error)
                }
                guard let items = reply.items, items.count == 2, let next = items[0].text else {
                    throw .redis(.protocolViolation(endpoint: "\(server)", reason: "SCAN"))
                }
                cursor = next
                let keys = (items[1].items ?? []).compactMap(\.text)
                if !keys.isEmpty { try await body(keys) }
            } while cursor != "0"
        }
    }

    /// Sends one command for each key, wherever the key lies; errors of the server are values.
    func ask(
        _ keys: [String], _ command: (String) -> [RedisArgument]
    ) async throws(ServiceError) -> [RedisValue] {
        guard !keys.isEmpty else { return [] }
        let commands = keys.map { RedisCommand(command($0), isRepeatable: true) }
        do throws(RedisError) {
            guard isClustered else {
                return try await client.pipeline(commands, on: servers[0], lane: .reading)
            }
            var replies: [RedisValue] = []
            for (key, command) in zip(keys, commands) {
                replies += try await client.pipeline(
                    [command], slot: HashSlot(key: key), lane: .reading)
            }
            return replies
        } catch {
            throw .redis(error)
        }
    }
}
