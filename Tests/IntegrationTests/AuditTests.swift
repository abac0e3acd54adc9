import CoordinatorCore
import Foundation
import RedisClient
import Testing
import TrafficGenerator

extension OtherServerSuites {
    /// The audit accuses nobody of a sound deployment, and finds what a hand has broken.
    @Suite("Audit", .serialized)
    struct AuditTests {
        @Test("a counter, a series, a ledger, a watermark moved by hand are each found")
        func broken() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "oldest", "--grace", "1s"])
            let node = try stage.node()
            var options = Traffic.options(300, seed: 12)
            options.spanMilliseconds = 3_600_000
            try await stage.importFiles(try Traffic.file(Traffic.lines(options)))
            try await stage.wait()
            try await node.terminate()
            try await stage.expectSound()

            try await counter(stage)
            try await series(stage)
            try await field(stage, "counted:", "counted 1 more") { "\((Int($0) ?? 0) + 1)" }
            try await field(stage, "wm:", "a watermark further than it was") { "9" + $0 }
            try await field(stage, "done:", "a window that is not done") { "9" + $0 }
            try await stage.expectSound()
        }

        /// Breaks something, expects the audit to say so, and puts it back.
        private func expectFound(
            _ stage: Stage, _ what: String, location: SourceLocation = #_sourceLocation
        ) async throws {
            let finished = try await stage.run(["audit", "-q", "-o", "json"])
            #expect(finished.code == 5, "\(what): \(finished.output)", sourceLocation: location)
            let text = finished.output.filter { !$0.isWhitespace }
            #expect(text.contains("\"ok\":false"), "\(what): \(text)", sourceLocation: location)
        }

        private func counter(_ stage: Stage) async throws {
            for tier in ["1MINUTE", "5MINUTES", "1HOUR"] {
                let (wire, key) = try first("SS:\(tier):P:*:PG", stage)
                let id = try wire.call("ZRANGE", key, "0", "0").items?.first?.text ?? ""
                try wire.call("ZINCRBY", key, "1", id)
                try await expectFound(stage, key)
                try wire.call("ZINCRBY", key, "-1", id)
            }
        }

        private func series(_ stage: Stage) async throws {
            let (wire, key) = try first("TS:5MINUTES:W:*:PG", stage)
            let sample = try wire.call("TS.GET", key).items ?? []
            let time = sample.first?.text ?? ""
            let value = sample.last?.text ?? ""
            try wire.call("TS.ADD", key, time, "999999", "ON_DUPLICATE", "LAST")
            try await expectFound(stage, key)
            try wire.call("TS.ADD", key, time, value, "ON_DUPLICATE", "LAST")
        }

        /// A field of a shard's own state.
        private func field(
            _ stage: Stage, _ prefix: String, _ what: String, _ change: (String) -> String
        ) async throws {
            for server in stage.cluster.masters {
                let wire = try RedisWire(server.port)
                for key in try wire.call("KEYS", "H:SHARD:*").items?.compactMap(\.text) ?? [] {
                    let fields = try wire.call("HGETALL", key).items?.compactMap(\.text) ?? []
                    for index in stride(from: 0, to: fields.count, by: 2)
                    where fields[index].hasPrefix(prefix) {
                        try wire.call("HSET", key, fields[index], change(fields[index + 1]))
                        try await expectFound(stage, "\(what): \(fields[index])")
                        try wire.call("HSET", key, fields[index], fields[index + 1])
                        return
                    }
                }
            }
            Issue.record("no shard has a field \(prefix)")
        }

        private func first(
            _ pattern: String, _ stage: Stage
        ) throws -> (wire: RedisWire, key: String) {
            for server in stage.cluster.masters {
                let wire = try RedisWire(server.port)
                let keys = try wire.call("KEYS", pattern).items?.compactMap(\.text) ?? []
                if let key = keys.min() { return (wire, key) }
            }
            throw Trouble("no key is like \(pattern)")
        }
    }
}
