import CoordinatorCore
import Foundation
import Testing

/// The real core of many nodes under everything that a network, clocks and Redis do to it.
///
/// `SIMULATION_SEED` replays one schedule and prints what happened; `SIMULATION_SEEDS` sets how
/// many fresh ones are run.
@Suite("Simulation")
struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seeds = environment["SIMULATION_SEEDS"].flatMap(Int.init) ?? 20_000

    @Test("no schedule breaks a rule")
    func schedules() throws {
        if let seed = Self.environment["SIMULATION_SEED"].flatMap(UInt64.init) {
            return try Self.replay(seed)
        }
        let base = UInt64.random(in: 0..<1 << 40) << 20
        let clock = ContinuousClock()
        var happenings = 0
        var ran = 0
        var longest: Int64 = 0
        var failures: [UInt64] = []
        let taken = try clock.measure {
            for offset in 0..<UInt64(Self.seeds) {
                ran += 1
                let simulation = try Simulation(seed: base + offset)
                if let violation = simulation.run() {
                    // Here and not at the replay: one that does not replay is a failure, too.
                    Issue.record("seed \(base + offset): \(violation)")
                    failures.append(base + offset)
                }
                happenings += simulation.happenings
                longest = max(longest, simulation.book.healedAfter)
                if failures.count >= 3 { break }
            }
        }
        let seconds = Double(taken.wholeMilliseconds) / 1_000
        print(
            "\(ran) schedules from seed \(base), \(happenings) happenings, in \(seconds) s: "
                + "\(Int(Double(ran) / max(seconds, 0.001))) a second; "
                + "all well after \(longest / 1_000) ms at the latest")
        for seed in failures { try Self.replay(seed) }
    }

    /// Runs one schedule again, with everything that happened written down.
    private static func replay(_ seed: UInt64) throws {
        let simulation = try Simulation(seed: seed, traces: true)
        let violation = simulation.run()
        let isAsked = environment["SIMULATION_SEED"] != nil
        let told = simulation.trace.suffix(isAsked ? 10_000 : 40).joined(separator: "\n")
        if isAsked { print(told) }
        guard let violation else { return }
        Issue.record(
            "\(violation)\nSIMULATION_SEED=\(seed) replays it; it ended so:\n\(told)")
    }
}
