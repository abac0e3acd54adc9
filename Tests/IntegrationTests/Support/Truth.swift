import CoordinatorCore
import Foundation
import TrafficGenerator

/// The independent count of `Tests/Truth/truth.py`.
enum Truth {
    /// What a comparison of an export with the input says.
    struct Verdict: Sendable {
        let agrees: Bool
        let text: String
        let digest: String
        let windows: Int
        /// How many entries the truth read, counted, refused; one line of JSON.
        let summary: String
    }

    private static let program = Package.root + "/Tests/Truth/truth.py"
    private static let python = "/usr/bin/env"

    /// The site table of the tests, the same for the program and for the truth.
    static let sites =
        #"{"hosts":{"www.rtl.lu":"RTL","5minutes.rtl.lu":"5MINUTES","#
        + #""today.rtl.lu":"TODAY","www.eldo.lu":"ELDO"},"keepQuery":{"RTL":["id"]}}"#

    /// Compares every window, devices to the unit.
    static func compare(
        _ export: String, _ files: [String], _ options: [String] = []
    ) async throws -> Verdict {
        let table = try Scratch.file("sites.json", Array(sites.utf8))
        let plain = try await TestCluster.plain.value
        let child = try Child(
            [python, "python3", program, "compare", "--sites", table, "--pfcount", plain.seeds]
                + options + [export] + files)
        let finished = try await child.finish(within: .seconds(600))
        let lines = finished.output.split(separator: "\n").map(String.init)
        let digest = lines.last { $0.hasPrefix("digest ") } ?? "none"
        let windows = lines.first { $0.contains("windows counted") } ?? ""
        return Verdict(
            agrees: finished.code == 0, text: finished.output + finished.errors, digest: digest,
            windows: Int(windows.prefix { $0.isNumber }) ?? 0, summary: finished.errors)
    }

    static func digest(_ export: String) async throws -> String {
        let child = try Child([python, "python3", program, "digest", export])
        let finished = try await child.finish()
        guard finished.code == 0 else { throw Trouble("digest: \(finished.errors)") }
        return finished.output.split(separator: "\n").map(String.init).last ?? "none"
    }
}

/// Files of generated traffic.
enum Traffic {
    /// How many events the exactness tests take: what two cores do in a minute or so, or more by
    /// hand.
    static let events = Package.number("COORDINATOR_TEST_EVENTS") ?? 20_000

    /// Six hours of a publisher's day, with 5 % late, 2 % repeated and 1 % malformed entries; 10 %
    /// are plays.
    static func options(_ events: Int, seed: UInt64 = 20_240_724) -> TrafficOptions {
        var options = TrafficOptions()
        options.events = events
        options.spanMilliseconds = 6 * 3_600_000
        options.pages = 5_000
        options.devices = 10_000
        options.lateFraction = 0.05
        options.duplicateFraction = 0.02
        options.malformedFraction = 0.01
        options.playFraction = 0.1
        options.seed = seed
        return options
    }

    /// A line for each entry; the first is a plain view, so that what is expired in this order is
    /// expired in every order that keeps it first.
    static func lines(_ options: TrafficOptions) throws -> [[UInt8]] {
        let events = Array(try TrafficGenerator(options))
        let first = events.firstIndex { $0.kind == .normal } ?? 0
        return events[first...].map { event in
            var line: [UInt8] = []
            event.appendLine(to: &line)
            return line
        }
    }

    static func file(_ lines: some Sequence<[UInt8]>) throws -> String {
        try Scratch.file("events.ndjson", lines.reduce(into: []) { $0 += $1 })
    }
}
