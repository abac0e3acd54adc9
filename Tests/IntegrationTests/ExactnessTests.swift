import CoordinatorCore
import Foundation
import Testing

extension OtherServerSuites {
    /// Every window of every tier, against a count that shares no code with ours, however the
    /// events came and whatever happened meanwhile.
    @Suite("Exact figures", .serialized)
    struct ExactnessTests {
        private static let lines = Result { try Traffic.lines(Traffic.options(Traffic.events)) }
        private static let input = Result { try Traffic.file(lines.get()) }

        /// What the first way gives; the others must give the same.
        private struct Reference: Sendable {
            let verdict: Truth.Verdict
            let ledger: Ledger
        }

        private static let reference = Task {
            let file = try input.get()
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "oldest", "--grace", "1s"])
            let node = try stage.node()
            try await stage.importFiles(file)
            try await stage.wait()
            let verdict = try await stage.expectTruth([file])
            let ledger = try await stage.ledger()
            try await stage.expectSound()
            try await node.terminate()
            return Reference(verdict: verdict, ledger: ledger)
        }

        private func expectReference(
            _ stage: Stage, location: SourceLocation = #_sourceLocation
        ) async throws {
            let reference = try await Self.reference.value
            #expect(try await stage.digest() == reference.verdict.digest, sourceLocation: location)
            let ledger = try await stage.ledger(location: location)
            #expect(ledger == reference.ledger, sourceLocation: location)
        }

        @Test("through rotation, every window is exact, and the ledger is the truth's")
        func rotated() async throws {
            let reference = try await Self.reference.value
            print("exactness:", reference.verdict.text)
            #expect(reference.verdict.windows > Traffic.events / 10)
            let counts = try JSONDecoder().decode(
                Counts.self, from: Data(reference.verdict.summary.utf8))
            #expect(reference.ledger.read.value == counts.read)
            #expect(reference.ledger.counted.value == counts.counted)
            #expect(reference.ledger.refused.mapValues(\.value) == counts.refused)
            let reasons = RefusalReason.allCases.map(\.rawValue).sorted()
            #expect(counts.refused.keys.sorted() == reasons)
        }

        private struct Counts: Decodable {
            let read: Int
            let counted: Int
            let refused: [String: Int]
        }

        @Test("through folding, every window is the same")
        func folded() async throws {
            _ = try await Self.reference.value
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "now"])
            let node = try stage.node()
            try await stage.importFiles(Self.input.get())
            try await stage.wait()
            try await expectReference(stage)
            try await node.terminate()
        }

        @Test("with the events shuffled, every window is the same")
        func shuffled() async throws {
            _ = try await Self.reference.value
            let lines = try Self.lines.get()
            var random = SplitMix64(seed: 7)
            let file = try Traffic.file(lines[..<1] + lines[1...].shuffled(using: &random))
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "oldest", "--grace", "1s"])
            let node = try stage.node()
            try await stage.importFiles(file)
            try await stage.wait()
            try await expectReference(stage)
            try await node.terminate()
        }

        @Test(
            "with the node killed ten times, every window is the same",
            arguments: [UInt64.random(in: 1...1_000_000)])
        func killed(seed: UInt64) async throws {
            _ = try await Self.reference.value
            var random = SplitMix64(seed: seed)
            print("exactness: the kills follow seed \(seed)")
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "oldest", "--grace", "1s"])
            var node = try stage.node()
            let importing = try stage.start(["import", "-q", try Self.input.get()])
            var deaths: [Int] = []
            for goal in (0..<10).map({ _ in Int.random(in: 0...Traffic.events, using: &random) })
                .sorted()
            {
                // Some way into the work; past its end the kills fall into the rotation.
                let state = node
                try await eventually("the node works and \(goal) entries are read") {
                    #expect(state.child.code == nil, "\(state.child.errors.suffix(2_000))")
                    guard state.child.errors.contains("event=elected") else { return false }
                    let read = try await stage.ledgers().map(\.read.value).reduce(0, +)
                    return read >= min(goal, Traffic.events * 9 / 10)
                }
                // Soon after the node is at work again, or well into what it does then.
                let longest = deaths.count.isMultiple(of: 2) ? 60 : 800
                try await Self.stay(.milliseconds(Int.random(in: 0...longest, using: &random)))
                try await node.kill()
                deaths.append(try await stage.ledgers().map(\.read.value).reduce(0, +))
                node = try stage.node()
            }
            print("exactness: killed with \(deaths) entries read")
            #expect(try await importing.finish().code == 0)
            try await stage.wait()
            try await expectReference(stage)
            try await stage.expectSound()
            try await node.terminate()
        }

        /// The moment of a kill is the fault itself; nothing is expected to be done by then.
        private static func stay(_ duration: Duration) async throws {
            try await ContinuousClock().sleep(for: duration)
        }

        @Test(
            "a real log, both ways",
            .enabled(if: realLog != nil, "COORDINATOR_REAL_LOG names no file"),
            arguments: ["oldest", "now"])
        func log(start: String) async throws {
            let file = try #require(Self.realLog)
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", start, "--grace", "1s"])
            let node = try stage.node()
            try await stage.must(["import", "-q", "--host", "log.example.org", file])
            try await stage.wait()
            let verdict = try await stage.expectTruth([file], ["--host", "log.example.org"])
            print("real log, --start \(start):", verdict.text)
            _ = try await stage.ledger()
            try await node.terminate()
        }

        private static let realLog = ProcessInfo.processInfo.environment["COORDINATOR_REAL_LOG"]
    }
}
