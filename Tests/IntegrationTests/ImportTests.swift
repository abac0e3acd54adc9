import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension OtherServerSuites {
    /// Whatever is imported how often, and by whom: nothing is counted twice, nothing is missing.
    @Suite("Import", .serialized)
    struct ImportTests {
        private static let events = min(Traffic.events, 3_000)
        private static let lines = Result { try Traffic.lines(Traffic.options(events, seed: 5)) }

        private func begin() async throws -> (Stage, RunningNode) {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "now"])
            return (stage, try stage.node())
        }

        private func expectExact(
            _ stage: Stage, _ file: String, location: SourceLocation = #_sourceLocation
        ) async throws {
            try await stage.wait()
            let verdict = try await stage.expectTruth([file], location: location)
            let ledger = try await stage.ledger(location: location)
            #expect(
                verdict.summary.contains(
                    "\"read\": \(ledger.read), \"counted\": \(ledger.counted),"),
                "\(verdict.summary) \(ledger)", sourceLocation: location)
        }

        @Test("the same file again changes nothing")
        func again() async throws {
            let file = try Traffic.file(Self.lines.get())
            let (stage, node) = try await begin()
            try await stage.importFiles(file)
            try await expectExact(stage, file)
            let before = try await stage.digest()
            try await stage.importFiles(file, file)
            try await stage.wait()
            #expect(try await stage.digest() == before)
            #expect(try await stage.ledgers().count == 2, "a tracker's stream and one file")
            try await expectExact(stage, file)
            try await node.terminate()
        }

        @Test("after a killed import, the file again completes it", arguments: [UInt64(1), 2])
        func killed(seed: UInt64) async throws {
            var random = SplitMix64(seed: seed)
            let file = try Traffic.file(Self.lines.get())
            let (stage, node) = try await begin()
            for _ in 0..<3 {
                let importing = try stage.start(["import", "-q", file])
                let before = try await added(stage)
                let goal = before + Int.random(in: 1...800, using: &random)
                try await eventually("the import has added something") {
                    if importing.code != nil { return true }
                    return try await added(stage) >= goal
                }
                importing.send(SIGKILL)
                _ = try await importing.finish()
            }
            try await stage.importFiles(file)
            try await expectExact(stage, file)
            try await node.terminate()
        }

        /// How many entries importers have ever written.
        private func added(_ stage: Stage) async throws -> Int {
            var sum = 0
            for ledger in try await stage.ledgers() where ledger.key.hasPrefix("ST:IMPORT") {
                let info = try stage.cluster.wire(of: ledger.key).call(
                    "XINFO", "STREAM", ledger.key)
                sum += Int(info["entries-added"]?.int ?? 0)
            }
            return sum
        }

        @Test("a grown file adds what is new, once")
        func grown() async throws {
            let lines = try Self.lines.get()
            let path = Scratch.path("grown.ndjson")
            let (stage, node) = try await begin()
            for share in [3, 2, 1] {
                let part = lines[..<(lines.count / share)].reduce(into: [UInt8]()) { $0 += $1 }
                try Data(part).write(to: URL(fileURLWithPath: path))
                try await stage.importFiles(path)
            }
            try await expectExact(stage, path)
            try await node.terminate()
        }

        @Test("plain, compressed, from a pipe: one file is one source")
        func forms() async throws {
            let file = try Traffic.file(Self.lines.get())
            let packed = Scratch.path("events.ndjson.gz")
            let packing = try Child(["/bin/sh", "-c", "gzip -c \"$1\" >\"$2\"", "sh", file, packed])
            #expect(try await packing.finish().code == 0)
            let (stage, node) = try await begin()
            try await stage.importFiles(packed)
            let report = try await stage.must(["import", "-q", "-o", "json", file])
            #expect(report.output.contains("\"added\": 0,"), "\(report.output)")
            let piped = try Child(
                ["/bin/sh", "-c", "cat \"$1\" | \"$2\" import -q -", "sh", file, Package.program],
                environment: stage.cluster.environment)
            #expect(try await piped.finish().code == 0)
            try await stage.must(["import", "-q", "-"], input: file)
            #expect(try await stage.ledgers().count == 2, "a tracker's stream and one file")
            try await expectExact(stage, file)
            try await node.terminate()
        }

        @Test("two importers of one file at once, and a file given twice, add it once")
        func together() async throws {
            let file = try Traffic.file(Self.lines.get())
            let (stage, node) = try await begin()
            let importers = try (0..<3).map { _ in try stage.start(["import", "-q", file, file]) }
            for importer in importers {
                let finished = try await importer.finish()
                #expect(finished.code == 0, "\(finished.errors)")
            }
            try await expectExact(stage, file)
            try await node.terminate()
        }

        @Test("different files are different sources, and their sum is exact")
        func several() async throws {
            let first = try Traffic.file(Self.lines.get())
            let other = try Traffic.file(Traffic.lines(Traffic.options(1_000, seed: 6)))
            let (stage, node) = try await begin()
            try await stage.importFiles(first, other)
            try await stage.wait()
            // The truth's arrival times go on from file to file as those of two sources do not, but
            // nothing in these files is judged by that.
            try await stage.expectTruth([first, other])
            #expect(try await stage.ledgers().count == 3)
            try await node.terminate()
        }

        @Test("what is not there, not readable or no log is said, and nothing is left behind")
        func unusable() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let missing = try await stage.run(["import", Scratch.path("missing.log")])
            #expect(missing.code == 1)
            #expect(missing.errors.contains("missing.log"), "\(missing.errors)")
            let prose = try Scratch.file("prose.log", Array("no log at all\n".utf8))
            let refused = try await stage.run(["import", "-q", prose])
            #expect(refused.code != 0)
            #expect(refused.errors.contains("prose.log"), "\(refused.errors)")
            let noHost = try Scratch.file(
                "common.log",
                Array(
                    #"192.0.2.1 - - [24/Jul/2024:21:58:20 +0200] "GET /a HTTP/1.1" 200 5"#.utf8))
            let needsHost = try await stage.run(["import", "-q", noHost])
            #expect(needsHost.code != 0)
            #expect(needsHost.errors.contains("--host"), "\(needsHost.errors)")
            #expect(try await stage.ledgers().count == 1)
        }
    }
}
