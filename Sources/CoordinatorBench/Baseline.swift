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

/// The three search indexes on each master, as a deployment has them.
@LoopActor enum SearchIndexes {
    private static let definitions: [(name: String, prefix: String, schema: [String])] = [
        (
            "W", "J::W:",
            [
                "$.id", "AS", "id", "TAG", "$.name", "AS", "name", "TAG", "$.last_visited", "AS",
                "last_visited",
                "NUMERIC", "SORTABLE", "$.sections[*].id", "AS", "section_id", "TAG",
                "$.sections[*].name", "AS",
                "section_name", "TAG", "$.pages[*].id", "AS", "page_id", "TAG",
            ]
        ),
        (
            "S", "J::S:",
            [
                "$.id", "AS", "id", "TAG", "$.name", "AS", "name", "TAG", "SEPARATOR", "/",
                "$.levels.level_0", "AS",
                "level_0", "TAG", "$.levels.level_1", "AS", "level_1", "TAG", "$.last_visited",
                "AS", "last_visited",
                "NUMERIC", "SORTABLE", "$.website.id", "AS", "website_id", "TAG", "$.website.name",
                "AS",
                "website_name", "TAG",
            ]
        ),
        (
            "P", "J::P:",
            [
                "$.id", "AS", "id", "TAG", "$.url", "AS", "url", "TEXT", "$.metadata.title", "AS",
                "title", "TEXT",
                "$.metadata.kicker", "AS", "kicker", "TEXT", "$.last_visited", "AS", "last_visited",
                "NUMERIC",
                "SORTABLE", "$.website.id", "AS", "website_id", "TAG", "$.website.name", "AS",
                "website_name", "TAG",
                "$.section.id", "AS", "section_id", "TAG", "$.section.name", "AS", "section_name",
                "TAG", "SEPARATOR",
                "/", "$.section.levels.level_0", "AS", "section_level_0", "TAG",
                "$.section.levels.level_1", "AS",
                "section_level_1", "TAG",
            ]
        ),
    ]

    static func create(_ bench: BenchCluster) async throws(BenchError) {
        try await each(bench) { name, definition in
            [
                "FT.CREATE", .init(name), "ON", "JSON", "PREFIX", "1", .init(definition.prefix),
                "SCHEMA",
            ]
                + definition.schema.map { RedisArgument($0) }
        }
    }

    static func drop(_ bench: BenchCluster) async throws(BenchError) {
        try await each(bench) { name, _ in ["FT.DROPINDEX", .init(name)] }
    }

    private static func each(
        _ bench: BenchCluster,
        _ command: (String, (name: String, prefix: String, schema: [String])) -> [RedisArgument]
    ) async throws(BenchError) {
        for master in bench.cluster.masters {
            guard let first = master.slots.first?.lowerBound,
                let slot = HashSlot(rawValue: UInt16(first))
            else { continue }
            for definition in definitions {
                let name = "I::\(definition.name):{\(ShardLayout.tag(inSlot: slot))}::"
                do throws(RedisError) {
                    _ = try await bench.cluster.call(command(name, definition), on: master.endpoint)
                } catch {
                    throw BenchError(message: "\(error)")
                }
            }
        }
    }
}
