import CoordinatorCore
public import EventLoop
import FoundationEssentials
public import RedisClient

/// The deployment's sources: which there are, and how far imports have come.
///
/// - Thread: loop only.
@LoopActor public struct SourceRegistry {
    private let cluster: RedisCluster

    /// The registry of the deployment in a cluster.
    public init(_ cluster: RedisCluster) {
        self.cluster = cluster
    }

    /// All sources, by key.
    public func all() async throws(ServiceError) -> [SourceRecord] {
        let reply = try await cluster.ask(
            ["HGETALL", .init(RedisKeys.sources)], slot: Deployment.controlSlot)
        return SourceList(reply.items ?? []).records
    }

    /// Adds a stream that trackers write to; one that is there stays as it is.
    public func add(live key: String, at now: Int64) async throws(ServiceError) {
        let record = SourceRecord(
            key: key, kind: .live, name: nil, startedAt: now, markedAt: now, isFinished: false,
            lastID: nil, confirmedAt: nil, isSettled: false)
        _ = try await cluster.ask(
            ["HSETNX", .init(RedisKeys.sources), .init(key), .init(Self.encode(record))],
            slot: Deployment.controlSlot)
    }

    /// Writes a record; imports have one writer each, whoever brings them.
    public func put(_ record: SourceRecord) async throws(ServiceError) {
        _ = try await cluster.ask(
            ["HSET", .init(RedisKeys.sources), .init(record.key), .init(Self.encode(record))],
            slot: Deployment.controlSlot)
    }

    /// Writes what a reader found out about a source, unless somebody has written its record anew
    /// since: then the reader knows an older one.
    ///
    /// - Returns: whether it was written.
    func settle(_ known: SourceRecord, as record: SourceRecord) async throws(ServiceError) -> Bool {
        do throws(RedisError) {
            let reply = try await cluster.run(
                ScriptLibrary.settle, keys: [RedisKeys.sources, RedisKeys.controlGuard],
                arguments: [
                    .init(record.key), .init(Self.encode(known)), .init(Self.encode(record)),
                ], slot: Deployment.controlSlot)
            return reply.int == 1
        } catch {
            throw .redis(error)
        }
    }

    /// Takes a source off the list. What it brought stays.
    ///
    /// - Returns: whether it was there.
    public func forget(_ key: String) async throws(ServiceError) -> Bool {
        let reply = try await cluster.ask(
            ["HDEL", .init(RedisKeys.sources), .init(key)], slot: Deployment.controlSlot)
        return reply.int == 1
    }

    private static func encode(_ record: SourceRecord) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(record)) } catch {
            preconditionFailure("a source could not be encoded: \(error)")
        }
    }
}

/// The sources as the control slot lists them.
struct SourceList: Sendable {
    /// By key.
    let records: [SourceRecord]
    /// Keys of those that a newer version wrote: they are left to it.
    let unreadable: [String]

    /// Reads a reply of HGETALL.
    init(_ reply: [RedisValue]) {
        var records: [SourceRecord] = []
        var unreadable: [String] = []
        for index in stride(from: 1, to: reply.count, by: 2) {
            do {
                records.append(
                    try JSONDecoder().decode(
                        SourceRecord.self, from: Data(reply[index].bytes ?? [])))
            } catch {
                unreadable.append(reply[index - 1].text ?? "")
            }
        }
        self.records = records.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        self.unreadable = unreadable.sorted()
    }
}
