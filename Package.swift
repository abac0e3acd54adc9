// swift-tools-version: 6.2
import PackageDescription

/// Every target is held to the same rules: Swift 6 mode, no warnings, imports that say what they
/// share.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// Release builds drop the run-time exclusivity checks: 37 % fewer instructions on the ingest path.
/// Debug builds, and so the tests, keep them.
let hotPath: [SwiftSetting] =
    strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// The core and its simulation are compiled for speed in debug builds too: thousands of schedules a
/// second are what finds the rare one.
let simulated: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

/// The commit that `coordinator version` names, where whoever builds says it: another one compiles
/// one small C file and nothing else.
let commit: [CSetting] =
    (Context.environment["COORDINATOR_COMMIT"] ?? "")
        .allSatisfy { $0.isHexDigit || $0 == "+" }
    ? [.define("COORDINATOR_COMMIT", to: "\"\(Context.environment["COORDINATOR_COMMIT"] ?? "")\"")]
    : []

let package = Package(
    name: "coordinator",
    products: [
        .executable(name: "coordinator", targets: ["coordinator"]),
        .executable(name: "coordinator-bench", targets: ["coordinator-bench"]),
    ],
    targets: [
        .systemLibrary(name: "CLibuv", providers: [.apt(["libuv1-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CCairo", providers: [.apt(["libcairo2-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CMicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(name: "CSSL", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLinux"),

        .target(name: "CBuild", cSettings: commit),
        .target(name: "Metrics", swiftSettings: strict),
        .target(name: "CoordinatorCore", swiftSettings: hotPath + simulated),
        .target(
            name: "Hashing", dependencies: ["CCrypto", "CoordinatorCore"], swiftSettings: hotPath),
        .target(
            name: "EventLoop", dependencies: ["CLibuv", "CoordinatorCore"], swiftSettings: hotPath),
        .target(name: "SecureStream", dependencies: ["CSSL", "EventLoop"], swiftSettings: hotPath),
        .target(
            name: "RedisClient",
            dependencies: [
                "CHiredis", "EventLoop", "CoordinatorCore", "Hashing", "Metrics", "SecureStream",
            ],
            swiftSettings: hotPath),
        .target(
            name: "HTTPClient", dependencies: ["CCurl", "CoordinatorCore", "EventLoop"],
            swiftSettings: hotPath),
        .target(
            name: "HTTPServer",
            dependencies: ["CLinux", "CMicrohttpd", "CoordinatorCore", "EventLoop"],
            swiftSettings: strict),
        .target(
            name: "ImportFormats", dependencies: ["CZlib", "CoordinatorCore", "Hashing"],
            swiftSettings: hotPath),
        .target(
            name: "TrafficGenerator", dependencies: ["CoordinatorCore"], swiftSettings: hotPath),
        .target(name: "Terminal", swiftSettings: strict),
        .target(
            name: "Pictures", dependencies: ["CCairo", "CoordinatorCore"], swiftSettings: strict),
        .target(
            name: "CoordinatorService",
            dependencies: [
                "CBuild", "CoordinatorCore", "EventLoop", "HTTPClient", "Hashing",
                "ImportFormats", "Metrics", "RedisClient",
            ],
            resources: [.embedInCode("Scripts")], swiftSettings: hotPath),
        .executableTarget(
            name: "coordinator",
            dependencies: [
                "CoordinatorCore", "CoordinatorService", "EventLoop", "HTTPServer", "Hashing",
                "ImportFormats", "Metrics", "Pictures", "RedisClient", "SecureStream", "Terminal",
            ],
            path: "Sources/CoordinatorCLI", resources: [.embedInCode("Dashboard")],
            swiftSettings: strict),
        .executableTarget(
            name: "coordinator-bench",
            dependencies: [
                "CoordinatorCore", "CoordinatorService", "EventLoop", "Hashing", "RedisClient",
                "SecureStream", "Terminal", "TrafficGenerator",
            ],
            path: "Sources/CoordinatorBench", swiftSettings: hotPath),

        .testTarget(
            name: "CoordinatorCoreTests", dependencies: ["CoordinatorCore", "Hashing"],
            swiftSettings: strict),
        .testTarget(
            name: "EventLoopTests", dependencies: ["CoordinatorCore", "EventLoop"],
            swiftSettings: strict),
        .testTarget(
            name: "HTTPClientTests",
            dependencies: ["CoordinatorCore", "EventLoop", "HTTPClient"],
            swiftSettings: strict),
        .testTarget(
            name: "HTTPServerTests", dependencies: ["CoordinatorCore", "EventLoop", "HTTPServer"],
            swiftSettings: strict),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics"], swiftSettings: strict),
        .testTarget(
            name: "RedisClientTests",
            dependencies: ["CoordinatorCore", "EventLoop", "RedisClient"],
            swiftSettings: strict),
        .testTarget(
            name: "ImportFormatsTests", dependencies: ["CoordinatorCore", "ImportFormats"],
            swiftSettings: strict),
        .testTarget(
            name: "TrafficGeneratorTests", dependencies: ["TrafficGenerator"],
            swiftSettings: strict),
        .testTarget(name: "PicturesTests", dependencies: ["Pictures"], swiftSettings: strict),
        .testTarget(name: "TerminalTests", dependencies: ["Terminal"], swiftSettings: strict),
        .testTarget(
            name: "CoordinatorServiceTests",
            dependencies: [
                "CoordinatorCore", "CoordinatorService", "Hashing", "RedisClient",
                "TrafficGenerator",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "CoordinatorCore", "CoordinatorService", "EventLoop", "HTTPClient", "RedisClient",
                "SecureStream", "TrafficGenerator",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["CoordinatorCore"],
            swiftSettings: strict + simulated
                + [.unsafeFlags(["-enforce-exclusivity=unchecked"])]),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
