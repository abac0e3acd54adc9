import Testing

/// Each protection is taken away in turn: a checker that finds nothing then proves nothing.
@Suite("Simulation without a protection")
struct MutationTests {
    struct Row: CustomTestStringConvertible {
        let name: String
        let missing: Protections
        /// What must go wrong without it; another rule that breaks is another defect.
        let breaks: Rule
        /// Seeds to try at most; many times what it usually takes.
        let most: UInt64

        var testDescription: String { name }
    }

    static let rows: [Row] = [
        Row(name: "token check", missing: .tokenCheck, breaks: .noEffectUnderOldToken, most: 2_000),
        Row(
            name: "compare-and-set", missing: .compareAndSet, breaks: .eventsCountOnce,
            most: 2_000),
        Row(name: "guard key", missing: .guardKey, breaks: .eventsCountOnce, most: 2_000),
        Row(
            name: "monotonic deadline", missing: .monotonicDeadline, breaks: .oneLeader,
            most: 10_000),
        Row(
            name: "replay after going back", missing: .replayAfterGoingBack,
            breaks: .eventsCountOnce, most: 2_000),
        Row(
            name: "progress in the shard's slot", missing: .progressInSlot,
            breaks: .eventsCountOnce, most: 2_000),
        Row(
            name: "lease looked at by the publication", missing: .publicationCheck,
            breaks: .publishedUnderLease, most: 60_000),
        Row(name: "durable reads", missing: .durableReads, breaks: .eventsCountOnce, most: 60_000),
        Row(
            name: "topology after a read", missing: .topologyAfterRead, breaks: .eventsCountOnce,
            most: 60_000),
        Row(
            name: "one server a reading", missing: .oneServer, breaks: .eventsCountOnce,
            most: 60_000),
        Row(name: "release by token", missing: .releaseByToken, breaks: .oneLeader, most: 60_000),
        Row(
            name: "place given back", missing: .placeGivenBack, breaks: .progressIsMade,
            most: 60_000),
        Row(
            name: "last id moved by reads", missing: .lastIDMoves, breaks: .eventsCountOnce,
            most: 60_000),
        Row(
            name: "tokens of epoch, time and nonce", missing: .mintedTokens,
            breaks: .termsNeverRepeat, most: 2_000),
    ]

    @Test("the checker finds what is wrong", arguments: rows)
    func found(_ row: Row) throws {
        for seed in 1...row.most {
            let simulation = try Simulation(
                seed: seed, protections: .all.subtracting(row.missing))
            guard let violation = simulation.run(), violation.rule == row.breaks else { continue }
            print("| \(row.name) | \(violation.rule.rawValue) | \(seed) |")
            return
        }
        Issue.record("\(row.breaks.rawValue): not broken in \(row.most) seeds")
    }
}
