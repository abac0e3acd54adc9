import CoordinatorCore
import Hashing
import Testing

@testable import CoordinatorService
@testable import RedisClient

/// Intake, batch and encoder together: what the shards are told must not depend on how entries were
/// cut into batches, on where each shard was, on replies that were lost, on shards that went back.
@Suite("Batches of entries, beside a twin that takes one at a time")
struct IngestTests {
    private static let base: Int64 = 60_000
    private static let start: Int64 = 1_721_800_800_000

    @Test("any batches, any watermarks, any failover: the same figures", arguments: seeds)
    func anyWay(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for round in 0..<12 {
            var run = try Run(&random)
            try run.readAll(&random)
            let difference = run.difference
            try #require(difference == nil, "seed \(seed), round \(round): \(difference ?? "")")
        }
    }

    /// One source's way through a reader, with plain values for shards.
    private struct Run {
        let twin: DumbTwin
        let entries: [TwinEntry]
        let intake: Intake
        var encoder: BatchEncoder
        var batches: (Batch, Batch)
        var shards: [TwinShard]
        var position = StreamID.zero
        var behind: Set<Int> = []
        /// States to which a shard may go back.
        var snapshots: [[TwinShard]] = []

        struct Call {
            let shard: Int
            let expected: StreamID
            let through: StreamID
            let packed: [[UInt8]]
        }

        init(_ random: inout SplitMix64) throws {
            let settings = DeploymentSettings(shards: 8, sites: .original)
            let layout = try settings.layout()
            let rules = try settings.eventRules(hasher: SHA1Hasher())
            let own = Int.random(in: 0..<8, using: &random)
            twin = DumbTwin(rules: rules, layout: layout, base: base, ownShard: own)
            entries = IngestTests.entries(&random)
            intake = Intake(
                rules: rules, layout: layout, baseLength: base, ownShard: ShardID(rawValue: own))
            encoder = BatchEncoder(shards: 8)
            batches = (Batch(shards: 8), Batch(shards: 8))
            shards = [TwinShard](repeating: TwinShard(), count: 8)
            // Another reader was here: every shard is somewhere.
            for shard in shards.indices where !random.once(in: 3) {
                let held = random.pick(entries).id
                var alone = [TwinShard](repeating: TwinShard(), count: 8)
                for entry in entries where entry.id <= held { twin.add(entry, to: &alone) }
                shards[shard] = alone[shard]
                shards[shard].watermark = held
            }
            intake.watermarks = shards.map(\.watermark)
            position = intake.watermarks.min() ?? .zero
        }

        /// As the reader does: one batch is filled while the one before is on its way.
        mutating func readAll(_ random: inout SplitMix64) throws {
            var onItsWay: [Call] = []
            var reached = false
            while !reached {
                for shard in behind.sorted() {
                    try settle(onItsWay, &random)
                    onItsWay = []
                    try recover(shard, &random)
                }
                swap(&batches.0, &batches.1)
                let batch = batches.0
                intake.wants = shards.indices.map { !behind.contains($0) }
                batch.begin(from: position, intake.watermarks)
                let rest = entries.drop { $0.id <= position }
                let some = rest.prefix(Int.random(in: 0...60, using: &random))
                take(some, batch)
                reached = some.count == rest.count
                try settle(onItsWay, &random)
                position = batch.through
                onItsWay = encode(batch, advancing: reached || random.once(in: 3))
                snapshots.append(shards)
                if random.once(in: 5) {
                    let shard = Int.random(in: 0..<shards.count, using: &random)
                    shards[shard] = random.pick(snapshots)[shard]
                }
            }
            try settle(onItsWay, &random)
            // Whatever went back unseen is found at the next look.
            for shard in shards.indices { try recover(shard, &random) }
        }

        private func take(_ some: ArraySlice<TwinEntry>, _ batch: Batch) {
            for entry in some { entry.lend { intake.take(entry.id, $0, into: batch) } }
            if let last = some.last { batch.through = max(batch.through, last.id) }
        }

        private mutating func encode(_ batch: Batch, advancing: Bool) -> [Call] {
            let wants = shards.indices.map {
                intake.wants[$0] && !behind.contains($0) && intake.watermarks[$0] <= batch.through
            }
            encoder.begin(
                batch, intake.book, baseLength: base, ownShard: twin.ownShard, wants: wants)
            var calls: [Call] = []
            for shard in shards.indices
            where wants[shard] && (advancing || encoder.touched[shard]) {
                let expected = intake.watermarks[shard]
                encoder.arguments(
                    of: shard, batch, intake.book, isOwn: shard == twin.ownShard, baseLength: base
                ) { packed in
                    calls.append(
                        Call(
                            shard: shard, expected: expected, through: batch.through,
                            packed: packed.map(\.bytes)))
                }
            }
            intake.release(batch)
            return calls
        }

        private mutating func settle(_ calls: [Call], _ random: inout SplitMix64) throws {
            for call in calls {
                // 0: it never arrived. 1: it ran and its reply was lost.
                let fate = Int.random(in: 0..<10, using: &random)
                var isDone = false
                if fate > 0 {
                    isDone = try shards[call.shard].apply(
                        expected: call.expected, through: call.through, call.packed, base: base)
                }
                if isDone, fate > 1 {
                    intake.watermarks[call.shard] = call.through
                } else {
                    intake.book.forgetSent(to: Int32(call.shard))
                    behind.insert(call.shard)
                }
            }
        }

        /// Reads again for one shard, from its own watermark to the position.
        private mutating func recover(_ shard: Int, _ random: inout SplitMix64) throws {
            behind.remove(shard)
            if intake.watermarks[shard] != shards[shard].watermark {
                intake.book.forgetSent(to: Int32(shard))
            }
            while shards[shard].watermark < position {
                intake.watermarks[shard] = shards[shard].watermark
                intake.wants = shards.indices.map { $0 == shard }
                let batch = Batch(shards: shards.count)
                batch.begin(from: shards[shard].watermark, intake.watermarks)
                let rest = entries.filter {
                    $0.id > shards[shard].watermark && $0.id <= position
                }
                let some = rest.prefix(Int.random(in: 1...80, using: &random))
                take(some[...], batch)
                if some.count == rest.count { batch.through = max(batch.through, position) }
                for call in encode(batch, advancing: true) {
                    let isDone = try shards[shard].apply(
                        expected: call.expected, through: call.through, call.packed, base: base)
                    #expect(isDone)
                }
            }
            intake.watermarks[shard] = shards[shard].watermark
        }

        /// The first difference to the twin, or nil.
        var difference: String? {
            var expected = [TwinShard](repeating: TwinShard(), count: shards.count)
            for entry in entries { twin.add(entry, to: &expected) }
            for (shard, (got, wanted)) in zip(shards, expected).enumerated() {
                if let part = Self.difference(got, wanted) { return "shard \(shard): \(part)" }
            }
            let read = shards.reduce(0) { $0 + $1.read }
            let ended = shards.reduce(0) { $0 + $1.counted + $1.refused.values.reduce(0, +) }
            return read == entries.count && read == ended
                ? nil : "\(entries.count) entries, \(read) read, \(ended) counted or refused"
        }

        private static func difference(_ got: TwinShard, _ wanted: TwinShard) -> String? {
            if got.views != wanted.views { return "views" }
            if got.devices != wanted.devices { return "devices" }
            if got.counted != wanted.counted || got.read != wanted.read { return "ledger" }
            if got.refused != wanted.refused { return "refused" }
            if got.letters != wanted.letters { return "dead letters" }
            if got.documents != wanted.documents { return "documents" }
            if got.visits != wanted.visits { return "visits" }
            return got.children != wanted.children ? "lists of children" : nil
        }
    }

    private static func entries(_ random: inout SplitMix64) -> [TwinEntry] {
        let paths = ["", "a", "a/b", "a/b/c#", "x//#.html"]
        let hosts = ["www.rtl.lu", "today.rtl.lu", "example.org", "WWW.ELDO.LU:8080"]
        let urls =
            (0..<30).map { number in
                let host = hosts[number % hosts.count]
                return
                    "http://\(host)/" + paths[number % 5].replacing("#", with: "\(number)")
            } + ["", "ftp://x/", "no url", "http://", "http://h/\u{0}", "http://h/%00"]
        let devices = ["", "null", "d", "é", "e\u{301}", "\0"] + (0..<20).map { "device-\($0)" }
        var id = StreamID(milliseconds: UInt64(start), sequence: 0)
        return (0..<Int.random(in: 1...500, using: &random)).map { _ in
            id.milliseconds +=
                random.once(in: 2) ? 0 : UInt64.random(in: 0...20_000, using: &random)
            id.sequence += 1
            var fields: [(name: String, value: [UInt8])] = []
            if !random.once(in: 40) { fields.append(("url", Array(random.pick(urls).utf8))) }
            if !random.once(in: 10) { fields.append(("uui", Array(random.pick(devices).utf8))) }
            fields.append(("dt", time(id, &random)))
            if random.once(in: 4) { fields += play(&random) }
            if random.once(in: 20) { fields.append(("ua", random.bytes(0...6))) }
            if random.once(in: 50) { fields.append(("lang", [UInt8](repeating: 97, count: 2_049))) }
            if random.once(in: 30) { fields.append(("url", Array(random.pick(urls).utf8))) }
            return TwinEntry(id: id, fields: fields)
        }
    }

    /// Some name what a website, a section and a page are named, too: their records have one id.
    private static func play(_ random: inout SplitMix64) -> [(name: String, value: [UInt8])] {
        let kinds = ["audio", "video", "podcast", "audio", "video", "podcast", "", "Audio", "tv"]
        let items = ["RTL", "RTL/a", "www.rtl.lu/", "1", "2", "3", "é", ""]
        var fields = [("kind", Array(random.pick(kinds).utf8))]
        if !random.once(in: 8) { fields.append(("id", Array(random.pick(items).utf8))) }
        return fields.map { (name: $0.0, value: $0.1) }
    }

    private static func time(_ id: StreamID, _ random: inout SplitMix64) -> [UInt8] {
        let arrival = Int64(id.milliseconds)
        switch Int.random(in: 0..<12, using: &random) {
        case 0: return []
        case 1: return Array("soon".utf8)
        case 2: return Array("\(arrival + 300_001)".utf8)
        case 3: return Array("\(arrival - 40 * 86_400_000)".utf8)
        case 4: return Array("-1".utf8)
        case 5: return Array("2024-07-24T10:00:00+02:00".utf8)
        case 6: return Array("\(arrival + 300_000)".utf8)
        default:
            return Array("\(arrival - Int64.random(in: 0...400_000, using: &random))".utf8)
        }
    }
}

extension RedisArgument {
    /// The argument as it is sent.
    fileprivate var bytes: [UInt8] {
        switch storage {
        case .text(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        case .integer(let number): Array(String(number).utf8)
        }
    }
}
