import Testing

/// What is tried against real servers, one test after the other: a deployment is a whole cluster,
/// because its control keys are fixed.
@Suite(
    "Against real servers", .serialized, .servers(of: 0),
    .enabled(if: Package.hasServer, "run Deploy/install"))
struct ServerSuites {}

/// The other half, at the same time with servers of its own: most of a test is waiting.
@Suite(
    "Against other real servers", .serialized, .servers(of: 1),
    .enabled(if: Package.hasServer, "run Deploy/install"))
struct OtherServerSuites {}

/// Gives all tests of a suite the servers of one lane.
struct ServerLane: SuiteTrait, TestTrait, TestScoping {
    let lane: Int
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
    ) async throws {
        try await TestCluster.$lane.withValue(lane) { try await body() }
    }
}

extension Trait where Self == ServerLane {
    static func servers(of lane: Int) -> Self { ServerLane(lane: lane) }
}
