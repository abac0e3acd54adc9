import CoordinatorCore
import Foundation
import RedisClient
import Testing

extension ServerSuites {
    /// What a cluster does to a deployment while it works. At the end every window is what the
    /// truth says, to the unit: nothing lost, nothing twice.
    @Suite("Faults", .serialized)
    struct FaultTests {
        private static let tracker = RedisKeys.defaultSource
        private static let tiers = "1s,5s/1h,10s/2h,60s/6h"

        /// A cluster of its own, with a node at work and events on their way.
        private final class Scene {
            let stage: Stage
            let node: RunningNode
            private var lines: [UInt8] = []
            private var random = SplitMix64(seed: 3)
            private(set) var sent = 0
            private var newest: Int64 = 0

            init(_ options: [String] = ["--replicas", "1", "--node-timeout", "1000"]) async throws {
                stage = Stage(cluster: try await TestCluster("faults", options))
                let sites = try Scratch.file("sites.json", Array(Truth.sites.utf8))
                try await stage.must([
                    "init", "--sites", sites, "--start", "now", "--tiers", tiers, "--grace", "1s",
                ])
                node = try stage.node()
                let started = node
                try await eventually("the node works") {
                    started.child.errors.contains("event=elected")
                }
            }

            /// Adds events of now; what was acknowledged by a replica is what has to be counted.
            func send(_ count: Int) throws {
                let wire = try stage.cluster.wire(of: tracker)
                let now = try wire.clock()
                for _ in 0..<count {
                    let place = Int.random(in: 0..<40, using: &random)
                    let url = "http://www.rtl.lu/section\(place % 5)/part/\(place).html"
                    let device = "device-\(Int.random(in: 0..<60, using: &random))"
                    let late = Int64.random(in: 0...3, using: &random) * 4_000
                    let text = "\(now - late)"
                    try wire.call("XADD", tracker, "*", "url", url, "uui", device, "dt", text)
                    lines += Array(
                        "{\"url\":\"\(url)\",\"uui\":\"\(device)\",\"dt\":\(text)}\n".utf8)
                    sent += 1
                    newest = now
                }
                // What no replica has may be lost with its master, and then it never was there.
                if stage.cluster.servers.contains(where: { $0.role == "replica" }) {
                    try wire.call("WAIT", "1", "2000")
                }
            }

            /// The read entries, as the ledger has them.
            func read() async throws -> Int {
                try await stage.ledgers().map(\.read.value).reduce(0, +)
            }

            private struct Shard: Decodable {
                let sealedTo: [String: Int64?]
            }

            /// Up to where every shard has sealed a tier, ms.
            private func sealedTo(_ tier: String) async throws -> Int64 {
                let text = try await stage.must(["shards", "-o", "json"]).output
                let shards = try JSONDecoder().decode([Shard].self, from: Data(text.utf8))
                return shards.map { ($0.sealedTo[tier] ?? nil) ?? 0 }.min() ?? 0
            }

            /// All is counted, every window done, and equal to the truth.
            func finish(location: SourceLocation = #_sourceLocation) async throws {
                let file = try Scratch.file("sent.ndjson", lines)
                try await eventually("everything is read", within: .seconds(60)) {
                    try await self.read() == self.sent
                }
                // The end of the last event's window in the tier of ten seconds: all that ends by
                // then has to be rotated, and is compared.
                let until = newest / 10_000 * 10_000 + 10_000
                try await eventually("the last windows are sealed") {
                    try await self.sealedTo("10SECONDS") >= until
                }
                try await stage.wait()
                let verdict = try await Truth.compare(
                    stage.export(), [file], ["--tiers", tiers, "--until", "\(until)"])
                #expect(verdict.agrees, "\(verdict.text)", sourceLocation: location)
                print("faults: \(sent) events, \(verdict.windows) windows, all exact")
                try await stage.expectSound(location: location)
                #expect(try await stage.ledger().counted.value == sent, sourceLocation: location)
                try await node.terminate(location: location)
                try await stage.cluster.stop()
            }
        }

        @Test("scripts forgotten and clients cut off, again and again")
        func forgotten() async throws {
            let scene = try await Scene()
            for _ in 0..<10 {
                try scene.send(60)
                for server in scene.stage.cluster.masters {
                    let wire = try RedisWire(server.port)
                    try wire.call("SCRIPT", "FLUSH")
                    try wire.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                }
                let goal = scene.sent
                try await eventually("the node reads on") { try await scene.read() >= goal }
            }
            try await scene.finish()
        }

        @Test("a master dies and its replica takes over", arguments: [0, 1, 2])
        func failover(index: Int) async throws {
            let scene = try await Scene()
            try scene.send(300)
            let master = scene.stage.cluster.masters[index]
            let before = scene.sent
            try await eventually("some is read") { try await scene.read() >= before / 2 }
            try await scene.stage.cluster.fail(master)
            try scene.send(300)
            try await scene.finish()
        }

        @Test("slots move to another master while events come")
        func migration() async throws {
            let scene = try await Scene(["--replicas", "0"])
            let masters = scene.stage.cluster.masters
            let from = try RedisWire(masters[0].port)
            let to = try RedisWire(masters[1].port)
            try scene.send(100)
            // The shards' own slots of the first master, and every key in them.
            let layout = try ShardLayout(count: 64)
            let slots = layout.shards.map {
                HashSlot(key: RedisKeys.shardState(layout.tag(of: $0)))
            }
            .filter { $0.rawValue < 5_461 }.prefix(12)
            for slot in slots {
                let number = String(slot.rawValue)
                try to.call("CLUSTER", "SETSLOT", number, "IMPORTING", masters[0].id ?? "")
                try from.call("CLUSTER", "SETSLOT", number, "MIGRATING", masters[1].id ?? "")
                try scene.send(20)
                while true {
                    let keys = try from.call("CLUSTER", "GETKEYSINSLOT", number, "10").items ?? []
                    if keys.isEmpty { break }
                    let words = [
                        "MIGRATE", "127.0.0.1", "\(masters[1].port)", "", "0", "5000", "KEYS",
                    ]
                    try from.call(words.map { Array($0.utf8) } + keys.compactMap(\.bytes))
                }
                for server in masters {
                    try RedisWire(server.port).call(
                        "CLUSTER", "SETSLOT", number, "NODE", masters[1].id ?? "")
                }
            }
            try scene.send(200)
            try await scene.finish()
        }

        @Test("a shard goes back to an earlier state: what it lost is read again, once")
        func rollback() async throws {
            let scene = try await Scene(["--replicas", "0"])
            try scene.send(400)
            try await eventually("all is read") { try await scene.read() == scene.sent }
            let layout = try ShardLayout(count: 64)
            // Shards that hold figures, except the source's own: its ledger says what was read.
            let own = layout.shard(of: HashSlot(key: Self.tracker))
            var saved: [(slot: HashSlot, keys: [(key: [UInt8], dump: [UInt8], ttl: String)])] = []
            for shard in layout.shards where shard != own {
                let slot = HashSlot(key: RedisKeys.shardState(layout.tag(of: shard)))
                let wire = try scene.stage.cluster.wire(
                    of: RedisKeys.shardState(layout.tag(of: shard)))
                saved.append((slot, try Self.save(slot, wire)))
            }
            let before = scene.sent
            try scene.send(400)
            try await eventually("all is read") { try await scene.read() == scene.sent }
            #expect(scene.sent > before)
            for (index, shard) in layout.shards.filter({ $0 != own }).enumerated() {
                let wire = try scene.stage.cluster.wire(
                    of: RedisKeys.shardState(layout.tag(of: shard)))
                try Self.restore(saved[index].slot, saved[index].keys, wire)
            }
            try scene.send(50)
            try await scene.finish()
        }

        /// All keys of a slot at one moment.
        static func save(
            _ slot: HashSlot, _ wire: RedisWire
        ) throws -> [(key: [UInt8], dump: [UInt8], ttl: String)] {
            let list = """
                local out = {}
                for _, key in ipairs(redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], 100000)) do
                    out[#out + 1] = key
                    out[#out + 1] = redis.call('DUMP', key)
                    out[#out + 1] = tostring(math.max(0, redis.call('PEXPIRETIME', key)))
                end
                return out
                """
            let items =
                try wire.call(
                    "EVAL", "#!lua flags=allow-cross-slot-keys\n" + list, "0", "\(slot.rawValue)"
                )
                .items ?? []
            return stride(from: 0, to: items.count, by: 3).map {
                (items[$0].bytes ?? [], items[$0 + 1].bytes ?? [], items[$0 + 2].text ?? "0")
            }
        }

        /// Puts a slot back in one step, as a failover that loses a suffix does.
        static func restore(
            _ slot: HashSlot, _ keys: [(key: [UInt8], dump: [UInt8], ttl: String)],
            _ wire: RedisWire
        ) throws {
            let script = """
                for _, key in ipairs(redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], 100000)) do
                    redis.call('DEL', key)
                end
                for i = 2, #ARGV, 3 do
                    redis.call('RESTORE', ARGV[i], ARGV[i + 2], ARGV[i + 1], 'ABSTTL')
                end
                return #ARGV
                """
            var words = [
                "EVAL", "#!lua flags=allow-cross-slot-keys\n" + script, "0", "\(slot.rawValue)",
            ]
            .map { Array($0.utf8) }
            for key in keys { words += [key.key, key.dump, Array(key.ttl.utf8)] }
            try wire.call(words)
        }
    }
}
