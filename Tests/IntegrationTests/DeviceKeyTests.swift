import CoordinatorCore
import Foundation
import RedisClient
import Testing

extension ServerSuites {
    /// Device ids under a key: by whatever way they come they are the same devices, and nothing of
    /// them is left in Redis but what trackers themselves wrote.
    @Suite("Device keys", .serialized)
    struct DeviceKeyTests {
        private static let configuration: Int32 = 78
        private static let tracker = RedisKeys.defaultSource
        /// In every id.
        private static let mark = "raw-device-"
        private static let devices = 17

        private static func key(_ secret: String) throws -> [String] {
            ["--device-key-file", try Scratch.file("device.key", Array(secret.utf8))]
        }

        private struct View {
            let device: String
            let time: Int64

            var fields: [String] {
                ["url", "https://site.example/a/b/1", "uui", device, "dt", "\(time)"]
            }
            var line: String {
                #"{"url":"https://site.example/a/b/1","uui":"\#(device)","dt":\#(time)}"# + "\n"
            }
        }

        private static func views(_ count: Int, from time: Int64) -> [View] {
            (0..<count).map { number in
                View(device: "\(mark)\(number % devices)", time: time + Int64(number))
            }
        }

        @Test("nodes and imports with another key, or none, are refused before they write anything")
        func refused() async throws {
            let stage = try await Stage.fresh()
            let key = try Self.key("a key of thirty-two random bytes")
            let other = try Self.key("another key of as many characters")
            try await stage.initialise(key)
            let file = try Scratch.file("e.ndjson", Array(View(device: "d", time: 1).line.utf8))
            let elsewhere = ["import", "--from-redis", try await TestCluster.plain.value.seeds]
            for (words, sentence) in [
                (["run"], "--device-key-file"), (["run"] + other, "another one"),
                (["import", file], "COORDINATOR_DEVICE_KEY_FILE"),
                (["import", file] + other, "another one"), (elsewhere, "--device-key-file"),
                (["init"], "device-key is none here"), (["init"] + other, "device-key is"),
                (["run"] + (try Self.key("short\n")), "not 5"),
                (["run"] + (try Self.key("\n")), "not 0"),
                (["run", "--device-key-file", "/nonexistent"], "/nonexistent"),
                (["config", "validate"] + (try Self.key("short")), "openssl rand"),
            ] {
                let finished = try await stage.run(words, within: .seconds(20))
                #expect(finished.code == Self.configuration, "\(words): \(finished.errors)")
                #expect(finished.errors.contains(sentence), "\(words): \(finished.errors)")
            }
            #expect(try await stage.ledgers().count == 1, "no import has begun")
            let shown = try await stage.must(["config", "show", "-o", "json"] + key).output
            #expect(shown.contains("\"device-key\": \"") && !shown.contains("random bytes"))
            // The other way round: a deployment without a key.
            try stage.cluster.flush()
            try await stage.initialise([])
            let keyed = try await stage.run(["run"] + key, within: .seconds(20))
            #expect(keyed.code == Self.configuration)
            #expect(keyed.errors.contains("without a device key"), "\(keyed.errors)")
        }

        @Test("events, files, copies and replayed letters give the same devices, and no id is kept")
        func everyWay() async throws {
            let stage = try await Stage.fresh()
            let key = try Self.key("a key of thirty-two random bytes\r\n")
            try await stage.initialise(["--start", "now"] + key)
            let node = try stage.node(key)
            let wire = try stage.cluster.wire(of: Self.tracker)
            let start = try wire.clock() - 30_000
            var truth = ""

            let live = Self.views(60, from: start)
            for view in live { try wire.call(strings: ["XADD", Self.tracker, "*"] + view.fields) }
            // Refused for their time, and counted at their arrival later.
            for view in Self.views(20, from: start) {
                let fields = [
                    "url", "https://site.example/a/b/1", "uui", view.device, "dt", "soon",
                ]
                let id = try wire.call(strings: ["XADD", Self.tracker, "*"] + fields)
                let arrival = try #require(
                    id.text?.split(separator: "-").first.flatMap { Int64($0) })
                truth += View(device: view.device, time: arrival).line
            }
            // Refused for good.
            let endless = Self.mark + String(repeating: "y", count: 3_000)
            try wire.call(
                strings: ["XADD", Self.tracker, "*"] + View(device: endless, time: start).fields)
            try wire.call(
                ["XADD", Self.tracker, "*", "url", "https://site.example/", "uui"].map {
                    Array($0.utf8)
                }
                    + [Array(Self.mark.utf8) + [0xFF]])

            let imported = Self.views(70, from: start + 1_000)
            let lines = imported.map(\.line).joined()
            let file = try Scratch.file(
                "events.ndjson", Array((lines + View(device: endless, time: start).line).utf8))
            try await stage.must(["import", "-q", file] + key)

            let copied = Self.views(50, from: start + 2_000)
            try await copy(copied, stage, key)
            try await stage.wait()
            try await stage.must(
                ["dead-letters", "replay", "--reason", "time", "--at-arrival", "--yes"])
            try await stage.must(["dead-letters", "replay", "--reason", "size", "--yes"])
            try await stage.wait()
            truth += (live + imported + copied).map(\.line).joined()
            let ledger = try await stage.ledger()
            #expect(ledger.counted.value == 60 + 20 + 70 + 50)
            #expect(ledger.refused.mapValues(\.value) == ["time": 20, "size": 4, "encoding": 1])
            try await stage.expectTruth(
                [try Scratch.file("truth.ndjson", Array(truth.utf8))],
                ["--tier", "1MINUTE", "--device-key", key[1]])
            let traces = try Traces(stage, of: Self.mark)
            #expect(traces.keys == [Self.tracker], "the trackers' own stream alone")
            #expect(traces.searched > 100)
            try await stage.expectSound()
            try await node.terminate()
            #expect(!node.child.errors.contains(Self.mark))
        }

        /// Copies views from the stream of another Redis.
        private func copy(_ views: [View], _ stage: Stage, _ key: [String]) async throws {
            let plain = try await TestCluster.plain.value
            let there = try RedisWire(plain.servers[0].port)
            try there.call("DEL", Self.tracker)
            for view in views {
                try there.call(strings: ["XADD", Self.tracker, "*"] + view.fields)
            }
            try await stage.must(["import", "-q", "--from-redis", plain.seeds] + key)
            try there.call("DEL", Self.tracker)
        }

        @Test("trackers' entries go when their retention is over, and not before")
        func retention() async throws {
            let stage = try await Stage.fresh()
            let key = try Self.key("a key of thirty-two random bytes")
            try await stage.initialise(key)
            let short = try await stage.run(
                ["run", "--source-retention", "9s"] + key, within: .seconds(20))
            #expect(short.code == Self.configuration && short.errors.contains("10s or more"))
            let wire = try stage.cluster.wire(of: Self.tracker)
            let now = try wire.clock()
            for age in [300_000, 60_000, 1_000, 0] as [Int64] {
                let view = View(device: "d\(age)", time: now - age)
                try wire.call(strings: ["XADD", Self.tracker, "\(now - age)-0"] + view.fields)
            }
            let node = try stage.node(key + ["--source-retention", "20s"])
            try await eventually("what is older than that is gone") {
                try wire.call("XLEN", Self.tracker).int == 2
            }
            #expect(try await stage.ledger().counted.value == 4, "it was counted before")
            try await stage.expectSound()
            try await node.terminate()
        }
    }
}

/// Every key of a deployment in which a text stands, in its name or its value.
private struct Traces {
    var keys: Set<String> = []
    var searched = 0

    init(_ stage: Stage, of text: String) throws {
        for server in stage.cluster.masters {
            let wire = try RedisWire(server.port)
            for key in try wire.call("KEYS", "*").items?.compactMap(\.text) ?? [] {
                searched += 1
                let value = try Self.value(key, try wire.call("TYPE", key).text ?? "", wire)
                if key.contains(text) || Self.text(value).contains(text) { keys.insert(key) }
            }
        }
    }

    private static func value(_ key: String, _ type: String, _ wire: RedisWire) throws -> RedisValue
    {
        switch type {
        case "string": try wire.call("GET", key)
        case "hash": try wire.call("HGETALL", key)
        case "list": try wire.call("LRANGE", key, "0", "-1")
        case "set": try wire.call("SMEMBERS", key)
        case "zset": try wire.call("ZRANGE", key, "0", "-1")
        case "stream": try wire.call("XRANGE", key, "-", "+")
        case "ReJSON-RL": try wire.call("JSON.GET", key)
        case "TSDB-TYPE": try wire.call("TS.INFO", key)
        default: throw Trouble("\(key) is a \(type), which is not looked into")
        }
    }

    private static func text(_ value: RedisValue) -> String {
        if let items = value.items { return items.map(text).joined(separator: " ") }
        return value.bytes.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

extension RedisWire {
    /// One command of as many words.
    @discardableResult
    fileprivate func call(strings words: [String]) throws -> RedisValue {
        try call(words.map { Array($0.utf8) })
    }
}
