import CoordinatorCore
import EventLoop
import RedisClient

/// The same effects as raw pipelined commands for each event.
@LoopActor enum Baseline {
    enum Kind { case documents, hashes }

    private static let perRecord = 3

    static func run(
        _ bench: BenchCluster, _ events: [Workload.Event], _ kind: Kind
    ) async throws(BenchError) {
        let layout: ShardLayout
        do throws(SettingsError) { layout = try ShardLayout(count: 64) } catch {
            throw BenchError(message: "\(error)")
        }
        let tags = layout.shards.map { layout.tag(of: $0) }
        let slots = tags.map { HashSlot(key: RedisKeys.shardState($0)) }
        let perEvent = 3 * perRecord
        try await bench.pipeline(events.count * perEvent) { index in
            let event = events[index / perEvent]
            let record = event.records[index % perEvent / perRecord]
            let shard = layout.shard(of: record.id).rawValue
            let minute = event.time - event.time % 60_000
            return (
                command(index % perRecord, event, record, tags[shard], minute, kind), slots[shard]
            )
        }
    }

    private static func command(
        _ step: Int, _ event: Workload.Event, _ record: (dimension: Dimension, id: RecordID),
        _ tag: String, _ minute: Int64, _ kind: Kind
    ) -> RedisCommand {
        let letter = record.dimension.rawValue
        var writer = RedisCommandWriter(reserving: 200)
        switch step {
        case 0:
            writer.append("HINCRBY")
            writer.append("H:BENCH:\(letter):{\(tag)}:\(minute):PG")
            writer.append(record.id.hex)
            writer.append(1)
        case 1:
            writer.append("PFADD")
            writer.append("HLL:BENCH:\(letter):{\(tag)}\(record.id.hex):\(minute):UD")
            writer.append(event.device)
        default:
            switch kind {
            case .documents:
                writer.append("JSON.SET")
                writer.append(RedisKeys.document(record.dimension, tag, record.id))
                writer.append("$.last_visited")
            case .hashes:
                writer.append("HSET")
                writer.append("H:BENCH:\(letter):{\(tag)}\(record.id.hex)::")
                writer.append("last_visited")
            }
            writer.append(event.time)
        }
        return writer.finish()
    }
}
