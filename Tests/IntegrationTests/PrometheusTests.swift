import Foundation
import Glibc
import Testing

extension ServerSuites {
    /// Metrics as a real Prometheus takes them, and the alerts on them as promtool judges them.
    @Suite("Metrics and alerts", .serialized)
    struct PrometheusTests {
        private static let folder = Package.root + "/Deploy/prometheus"

        private static func promtool(_ words: [String]) async throws -> Child.Finished {
            try await Child(["/usr/bin/promtool"] + words).finish(within: .seconds(120))
        }

        private static let hasPrometheus =
            ProcessInfo.processInfo.environment["COORDINATOR_REQUIRE_CLUSTER"] == "1"
            || access("/usr/bin/promtool", X_OK) == 0

        @Test(
            "every alert is raised by what it is about, and only by that",
            .enabled(if: hasPrometheus, "install Debian's prometheus"),
            arguments: ["rules_test.yml", "rules_recorded_test.yml"])
        func rules(file: String) async throws {
            let checked = try await Self.promtool(["check", "rules", Self.folder + "/rules.yml"])
            #expect(checked.code == 0, "\(checked.output)\(checked.errors)")
            let tested = try await Self.promtool(["test", "rules", Self.folder + "/" + file])
            #expect(
                tested.code == 0, "\(tested.output.prefix(4_000))\(tested.errors.prefix(4_000))")
        }

        @Test(
            "a real Prometheus scrapes three nodes; every expression of the dashboard answers",
            .enabled(if: hasPrometheus, "install Debian's prometheus"))
        func scraped() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--tiers", "1s,5s/1m,10s/2m", "--grace", "1s"])
            let rehearsal = try Child(
                [
                    "/usr/bin/env", "python3", Self.folder + "/rehearse", "--program",
                    Package.program, "--redis-url", stage.cluster.seeds, "--feed-url",
                    stage.cluster.plainSeeds,
                ], environment: stage.cluster.environment)
            let finished = try await rehearsal.finish(within: .seconds(180))
            #expect(finished.code == 0, "\(finished.output)\(finished.errors)")
        }

        @Test("every alert is explained, with cause and cure")
        func explained() throws {
            let rules = try String(contentsOfFile: Self.folder + "/rules.yml", encoding: .utf8)
            let guide = try String(
                contentsOfFile: Package.root
                    + "/Sources/CoordinatorService/CoordinatorService.docc/Monitoring.md",
                encoding: .utf8)
            let names = rules.components(separatedBy: "- alert: ").dropFirst().map {
                String($0.prefix { $0.isLetter })
            }
            #expect(names.count >= 16)
            for name in names { #expect(guide.contains("`\(name)`"), "\(name)") }
        }
    }
}
