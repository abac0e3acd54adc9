import Foundation
import Glibc
import Testing

extension ServerSuites {
    /// The dashboard of real nodes in a real Chromium, driven by `Tests/Dashboard/check.py`.
    @Suite("Dashboard", .serialized)
    struct DashboardTests {
        /// The Python that `Deploy/install-browser` made, with what drives Chromium.
        private static let python = Package.root + "/.build/browser/bin/python"
        /// Where pictures of every state are left for people to look at.
        private static let pictures = Package.root + "/.build/dashboard"

        private static let hasBrowser =
            ProcessInfo.processInfo.environment["COORDINATOR_REQUIRE_CLUSTER"] == "1"
            || access(python, X_OK) == 0 && access("/usr/bin/chromium", X_OK) == 0

        @Test(
            "it tells who leads and which shards moved, and shows every state, in a browser",
            .enabled(if: hasBrowser, "run Deploy/install-browser"), .timeLimit(.minutes(5)))
        func shown() async throws {
            let stage = try await Stage.fresh()
            // Plain also where programs have to use TLS: the page is what is tested here.
            let seeds = stage.cluster.masters.map { "redis://127.0.0.1:\($0.port)" }
            let check = try Child([
                Self.python, Package.root + "/Tests/Dashboard/check.py", "--program",
                Package.program, "--redis-url", seeds.joined(separator: ","), "--pictures",
                Self.pictures,
            ])
            let finished = try await check.finish(within: .seconds(240))
            print(finished.output)
            #expect(finished.code == 0, "\(finished.output)\(finished.errors)")
        }
    }
}
