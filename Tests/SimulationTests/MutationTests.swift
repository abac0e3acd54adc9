import Testing

/// Each protection is taken away in turn: a checker that finds nothing then proves nothing.
@Suite("Simulation without a protection")
struct MutationTests {
    struct Row: CustomTestStringConvertible {
        let name: String
        let missing: Protections
        /// Seeds to try at most; many times what it usually takes.
        let most: UInt64

        var testDescription: String { name }
    }

    static let rows: [Row] = [
        Row(name: "token check", missing: .tokenCheck, most: 2_000),
        Row(name: "compare-and-set", missing: .compareAndSet, most: 2_000),
        Row(name: "guard key", missing: .guardKey, most: 2_000),
        Row(name: "monotonic deadline", missing: .monotonicDeadline, most: 10_000),
        Row(name: "replay after going back", missing: .replayAfterGoingBack, most: 2_000),
        Row(name: "progress in the shard's slot", missing: .progressInSlot, most: 2_000),
        Row(name: "lease looked at by the publication", missing: .publicationCheck, most: 60_000),
        Row(name: "durable reads", missing: .durableReads, most: 60_000),
        Row(name: "topology after a read", missing: .topologyAfterRead, most: 60_000),
        Row(name: "one server a reading", missing: .oneServer, most: 60_000),
        Row(name: "release by token", missing: .releaseByToken, most: 60_000),
        Row(name: "place given back", missing: .placeGivenBack, most: 60_000),
        Row(name: "last id moved by reads", missing: .lastIDMoves, most: 60_000),
        Row(name: "tokens of epoch, time and nonce", missing: .mintedTokens, most: 2_000),
    ]

    @Test("the checker finds what is wrong", arguments: rows)
    func found(_ row: Row) throws {
        for seed in 1...row.most {
            let simulation = try Simulation(
                seed: seed, protections: .all.subtracting(row.missing))
            guard let violation = simulation.run() else { continue }
            print("| \(row.name) | \(violation.rule.rawValue) | \(seed) |")
            return
        }
        Issue.record("nothing found in \(row.most) seeds")
    }
}
