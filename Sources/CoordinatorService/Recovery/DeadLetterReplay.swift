import CoordinatorCore
public import EventLoop
import RedisClient

/// Sends dead letters through counting again, as a source of its own in each shard that keeps some.
///
/// A letter is moved out of the dead letters and into that source's stream in one step, so it is
/// counted once whatever dies, and the same letters cannot be replayed twice. What is refused again
/// becomes a new letter, of the replay; it is not taken by the next one unless that is asked for.
///
/// - Thread: loop only.
@LoopActor public struct DeadLetterReplay {
    /// A lost reply is settled by asking for the same letters again: those that are gone are gone.
    private static let attempts = 5
    /// Replicas confirm what was moved within this.
    private static let confirmWithin: Duration = .seconds(5)

    /// What a replay did.
    public struct Report: Sendable {
        /// Letters that are on their way through counting.
        public var moved: Int64 = 0
        /// The streams that they went to.
        public var sources: [String] = []
        /// What was not answered.
        public var missing: [String] = []
    }

    private let deployment: Deployment
    private let registry: SourceRegistry

    /// Replays in a deployment.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
        registry = SourceRegistry(deployment.cluster)
    }

    /// The sources under way: each is on the list before its first letter is moved.
    @LoopActor private final class Open {
        var records: [ShardID: SourceRecord] = [:]
        var moved: Int64 = 0
    }

    /// Moves the letters and sees to it that they are read.
    ///
    /// - Parameters:
    ///   - selection: which letters.
    ///   - byArrival: count them at their first arrival, whatever time they name.
    ///   - tell: told how many letters have been looked at.
    public func run(
        _ selection: DeadLetters.Selection, byArrival: Bool,
        _ tell: @escaping @LoopActor (Int64) -> Void
    ) async throws(ServiceError) -> Report {
        let open = Open()
        var report = Report()
        report.missing = try await DeadLetters(deployment).each(selection) {
            (client, page) async throws(ServiceError) in
            if open.records[client.shard] == nil {
                open.records[client.shard] = try await begin(client)
            }
            for batch in page.chunks(of: DeadLetters.batch) {
                open.moved += try await move(batch.map(\.name.id), client, byArrival)
                tell(open.moved)
            }
        }
        for (shard, record) in open.records.sorted(by: { $0.key < $1.key }) {
            do throws(ServiceError) {
                try await close(record, ShardClient(deployment, shard))
            } catch {
                report.missing.append(error.absence)
            }
            report.sources.append(record.key)
        }
        report.moved = open.moved
        return report
    }

    private func begin(_ client: ShardClient) async throws(ServiceError) -> SourceRecord {
        let now = try await deployment.serverTime()
        let record = SourceRecord(
            key: RedisKeys.replaySource(client.tag), kind: .import,
            name: "dead letters of shard \(client.shard.rawValue)", startedAt: now, markedAt: now,
            isFinished: false, lastID: nil, confirmedAt: nil, isSettled: false)
        try await registry.put(record)
        return record
    }

    private func move(
        _ ids: [StreamID], _ client: ShardClient, _ byArrival: Bool
    ) async throws(ServiceError) -> Int64 {
        var packed = MessagePackWriter()
        packed.array(ids.count)
        for id in ids { packed.text(id.description) }
        var failure = ServiceError.redis(.closed)
        for attempt in 0..<Self.attempts {
            do throws(RedisError) {
                let reply = try await client.cluster.run(
                    ScriptLibrary.replay,
                    keys: [
                        RedisKeys.deadLetters(client.tag), RedisKeys.replaySource(client.tag),
                        RedisKeys.guardKey(client.tag),
                    ], arguments: [byArrival ? "1" : "0", .init(packed.bytes)], slot: client.slot)
                // After a lost reply the first call may have moved them.
                return attempt == 0 ? reply.int ?? 0 : Int64(ids.count)
            } catch {
                guard error.mayHaveRun else { throw .redis(error) }
                failure = .redis(error)
            }
        }
        throw failure
    }

    /// Says that the source is whole, once replicas hold it.
    private func close(
        _ record: SourceRecord, _ client: ShardClient
    ) async throws(ServiceError) {
        let stream = ImportStream(deployment.cluster, record.key)
        var record = record
        if let last = try await stream.lastID() {
            guard try await stream.confirm(last, within: Self.confirmWithin) else {
                throw .timedOut(
                    "no replica confirmed the letters of shard \(client.shard.rawValue) within "
                        + "\(Self.confirmWithin): replay again, nothing is counted twice")
            }
            record.lastID = last.description
        }
        record.isFinished = true
        record.markedAt = try await deployment.serverTime()
        try await registry.put(record)
    }
}
