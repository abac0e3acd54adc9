import CoordinatorCore
import Foundation
import Glibc
import RedisClient

/// A real Redis, started by `Deploy/cluster` in a folder of this run.
final class TestCluster: Sendable {
    /// One server as `cluster.json` describes it.
    struct Server: Decodable, Sendable {
        /// The plain port: the tests' own tools use it also where the program has to use TLS.
        let port: Int
        let tlsPort: Int?
        let pid: Int32
        let role: String
        let id: String?
        let replicaOf: Int?

        /// The one that programs use, and name.
        var spokenPort: Int { tlsPort ?? port }
    }

    private struct Description: Decodable {
        let nodes: [Server]
    }

    let folder: String
    /// redis:// or rediss:// addresses, as programs take them.
    let seeds: String
    /// What a program is told to be let in: addresses, and what TLS and access rules want.
    let environment: [String: String]
    let servers: [Server]

    /// Without TLS, for tools of the tests.
    var plainSeeds: String {
        servers.map { "redis://127.0.0.1:\($0.port)" }.joined(separator: ",")
    }
    var masters: [Server] { servers.filter { $0.role != "replica" } }

    /// Which of the servers that tests share: suites of one lane run one after the other.
    @TaskLocal static var lane = 0

    /// The cluster of a lane's suites: three masters, booted once. Each test begins with `flush`.
    ///
    /// With COORDINATOR_TEST_TLS=1 programs reach it by TLS only, with COORDINATOR_TEST_ACL=1 as
    /// the user of `coordinator acl daemon`: the same suites then show that nothing goes beyond.
    static var shared: Task<TestCluster, any Error> {
        lane == 0 ? firstCluster : secondCluster
    }
    /// One server without modules: for the truth's HyperLogLogs, and as a Redis that will not do.
    static var plain: Task<TestCluster, any Error> {
        lane == 0 ? firstPlain : secondPlain
    }

    private static let firstCluster = cluster("first"), secondCluster = cluster("second")
    private static let firstPlain = single("first-plain"), secondPlain = single("second-plain")

    private static func cluster(_ name: String) -> Task<TestCluster, any Error> {
        Task { try await TestCluster(secured: name, by: Security.asked) }
    }

    private static func single(_ name: String) -> Task<TestCluster, any Error> {
        Task { try await TestCluster(name, ["--single", "--plain"]) }
    }

    /// A cluster with what is asked for: certificates, access rules.
    convenience init(
        secured name: String, by security: Security, _ options: [String] = []
    ) async throws {
        var options = options + (security.tls ? ["--tls"] : [])
        if security.acl {
            options += ["--acl", try await Security.usersFile(sources: Security.sources)]
        }
        try await self.init(name, options, security)
    }

    init(
        _ name: String, _ options: [String] = [], _ security: Security = Security()
    ) async throws {
        // Another program may take a port between the look and the start, or speak to it.
        var folder = ""
        var said = ""
        for _ in 0..<3 where !said.hasPrefix("redis") {
            folder = try Scratch.folder(name)
            let child = try Child(
                [Package.root + "/Deploy/cluster", "start", "--dir", folder] + options)
            let finished = try await child.finish()
            let last = finished.output.split(separator: "\n").last.map(String.init) ?? ""
            said = finished.code == 0 ? last : finished.errors
        }
        guard said.hasPrefix("redis") else { throw Trouble("no cluster: \(said)") }
        self.folder = folder
        seeds = said
        environment = security.environment(seeds: said, folder: folder)
        let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/cluster.json"))
        servers = try JSONDecoder().decode(Description.self, from: data).nodes
    }

    /// Ends its servers; the watch does it for those that a failed test leaves.
    func stop() async throws {
        let child = try Child([Package.root + "/Deploy/cluster", "stop", "--dir", folder])
        _ = try await child.finish()
    }

    /// Nothing is left of the test before: keys, scripts.
    func flush() throws {
        for server in masters {
            let wire = try RedisWire(server.port)
            try wire.call("FLUSHALL")
            try wire.call("SCRIPT", "FLUSH")
        }
    }

    /// The port of the server that serves a key's slot now.
    func port(of key: String) throws -> Int {
        let slot = Int64(HashSlot(key: key).rawValue)
        for server in servers {
            guard let wire = try? RedisWire(server.port),
                let ranges = try? wire.call("CLUSTER", "SLOTS").items
            else { continue }
            for range in ranges {
                guard let items = range.items, let first = items[0].int, let last = items[1].int,
                    first <= slot, slot <= last, let port = items[2].items?[1].int
                else { continue }
                return Int(port)
            }
        }
        throw Trouble("nobody serves slot \(slot)")
    }

    /// The server that serves a key's slot now.
    func server(of key: String) throws -> Server {
        let port = try port(of: key)
        guard let server = servers.first(where: { $0.port == port }) else {
            throw Trouble("no server of this cluster has port \(port)")
        }
        return server
    }

    /// Ends a master as a crash does, and waits until its replica is in its place for everybody.
    func fail(_ master: Server) async throws {
        kill(master.pid, SIGKILL)
        try await eventually("every survivor knows another master", within: .seconds(30)) {
            // Others may have been ended before.
            let answers = servers.compactMap { server in
                (try? RedisWire(server.port)).map { wire in (try? wire.call("CLUSTER", "SLOTS")) }
            }
            return !answers.isEmpty
                && answers.allSatisfy { answer in
                    guard let ranges = answer?.items, !ranges.isEmpty else { return false }
                    return !ranges.contains { $0.items?[2].items?[1].int == Int64(master.port) }
                }
        }
    }

    /// A connection to the server of a key.
    func wire(of key: String) throws -> RedisWire { try RedisWire(try port(of: key)) }
}
