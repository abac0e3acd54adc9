import CoordinatorCore
import RedisClient
import Testing

@testable import CoordinatorService

@Suite("What servers say is judged with the way out")
struct CheckRulesTests {
    private static let healthy = """
        # Server\r
        redis_version:7.4.1\r
        cluster_enabled:1\r
        used_memory:50\r
        maxmemory:100\r
        maxmemory_policy:noeviction\r
        total_system_memory:1000\r
        aof_enabled:1\r
        module:name=ReJSON,ver=20803,api=1,filters=0,usedby=[search],using=[],options=[]\r
        module:name=search,ver=21005,api=1\r
        module:name=timeseries,ver=11202\r
        module:name=bf,ver=20802\r

        """

    private func lines(
        _ change: (String, String)? = nil, settings: [String: String] = ["save": ""],
        clock: Int64 = 5
    ) -> [CheckLine] {
        var text = Self.healthy
        if let change { text = text.replacing(change.0, with: change.1) }
        var facts = ServerFacts(server: "h:1", info: text)
        facts.settings = settings
        facts.clockDifference = clock
        facts.cluster = ["cluster_state": "ok"]
        return CheckRules.clustering([facts], [Self.master(replicas: 1)])
            + CheckRules.servers([facts])
    }

    private static func master(replicas: Int, slots: ClosedRange<Int> = 0...16_383) -> RedisMaster {
        RedisMaster(
            endpoint: RedisEndpoint(host: "h", port: 1), slots: [slots], replicaCount: replicas,
            redisNodeID: "")
    }

    @Test("nothing is wrong with a healthy server")
    func healthy() {
        #expect(lines().allSatisfy { $0.level == .ok })
        #expect(lines().first { $0.name == "module JSON" }?.detail == "2.8.3")
        #expect(CheckRules.replicas([Self.master(replicas: 1)]).map(\.level) == [.ok])
    }

    @Test(
        "each thing that is wrong is named",
        arguments: [
            ("redis_version:7.4.1", "redis_version:6.2.0", "Redis version", CheckLine.Level.error),
            ("redis_version:7.4.1", "redis_version:x", "Redis version", .error),
            ("name=search", "name=other", "module Search", .error),
            ("name=bf", "name=", "module Bloom", .error),
            ("noeviction", "allkeys-lru", "memory policy", .error),
            ("used_memory:50", "used_memory:81", "memory", .warning),
            ("maxmemory:100", "maxmemory:0", "memory", .ok),
            ("aof_enabled:1", "aof_enabled:0", "persistence", .warning),
            ("cluster_enabled:1", "cluster_enabled:0", "cluster mode", .error),
        ])
    func wrong(field: String, value: String, name: String, level: CheckLine.Level) {
        #expect(lines((field, value)).first { $0.name == name }?.level == level)
    }

    @Test("snapshots keep data, too, and what cannot be looked up is not accused")
    func persistence() {
        for settings in [["save": "3600 1"], [:]] {
            let line = lines(("aof_enabled:1", "aof_enabled:0"), settings: settings).first {
                $0.name == "persistence"
            }
            #expect(line?.level == .ok)
        }
    }

    @Test(
        "clocks apart are told",
        arguments: [(Int64(1_000), CheckLine.Level.ok), (1_001, .warning), (-5_000, .warning)])
    func clocks(difference: Int64, level: CheckLine.Level) {
        #expect(lines(clock: difference).first { $0.name == "clocks" }?.level == level)
    }

    @Test("masters without a replica, and slots that nobody serves, are told")
    func cluster() {
        #expect(CheckRules.replicas([Self.master(replicas: 0)]).map(\.level) == [.warning])
        var facts = ServerFacts(server: "h:1", info: Self.healthy)
        facts.cluster = ["cluster_state": "fail"]
        let lines = CheckRules.clustering([facts], [Self.master(replicas: 0, slots: 0...100)])
        #expect(lines.filter { $0.level == .error }.map(\.name) == ["cluster state", "slots"])
    }

    @Test("noise in what a server says is left out")
    func noise() {
        let facts = ServerFacts(
            server: "h:1", info: "\r\n::\nmodule:\nmodule:name\nmodule:ver=1\nredis_version:")
        #expect(facts.modules.isEmpty)
        #expect(!facts.isClustered)
        #expect(CheckRules.servers([facts]).contains { $0.level == .error })
    }
}
