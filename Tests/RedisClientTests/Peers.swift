import CoordinatorCore
import EventLoop
import RedisClient
import Testing

/// All slots of these tests that matter: `a` lies in the upper half, `b` in the lower.
let slotA = HashSlot(key: "a")
let slotB = HashSlot(key: "b")

/// `CLUSTER SHARDS` as a server writes it: each master with its range, on this machine.
func shards(_ masters: [(port: UInt16, slots: ClosedRange<Int>)]) -> String {
    var text = "*\(masters.count)\r\n"
    for (port, slots) in masters {
        text += "*4\r\n" + bulk("slots") + "*2\r\n:\(slots.lowerBound)\r\n:\(slots.upperBound)\r\n"
        text += bulk("nodes") + "*1\r\n*14\r\n" + bulk("id") + bulk("node\(port)") + bulk("port")
        text +=
            ":\(port)\r\n" + bulk("ip") + bulk("127.0.0.1") + bulk("endpoint") + bulk("127.0.0.1")
        text += bulk("role") + bulk("master") + bulk("replication-offset") + ":0\r\n"
        text += bulk("health") + bulk("online")
    }
    return text
}

func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

let allSlots = 0...(HashSlot.count - 1)

/// Short enough for a test, long enough for a busy machine.
func testConfiguration(_ seeds: [RedisEndpoint]) -> RedisConfiguration {
    var configuration = RedisConfiguration(seeds: seeds)
    configuration.connectTimeout = .seconds(10)
    configuration.commandTimeout = .seconds(20)
    configuration.limits.pingTimeout = .seconds(20)
    configuration.limits.firstBackoff = .milliseconds(2)
    configuration.limits.longestBackoff = .milliseconds(20)
    return configuration
}

/// A started client of one server that owns all slots, for as long as `body` runs; then the script
/// must be used up.
@LoopActor
func withPeer(
    _ steps: [ScriptedServer.Step],
    configure: (inout RedisConfiguration) -> Void = { _ in },
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @LoopActor (RedisCluster, ScriptedServer) async throws -> Void
) async throws {
    let server = ScriptedServer(steps)
    server.answerTopology(.answer(shards([(server.port, allSlots)])))
    try await withPeers([server], configure: configure, sourceLocation: sourceLocation) { cluster in
        try await body(cluster, server)
    }
}

/// The same for servers that were given their topology already; the first is the seed.
@LoopActor
func withPeers(
    _ servers: [ScriptedServer],
    configure: (inout RedisConfiguration) -> Void = { _ in },
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @LoopActor (RedisCluster) async throws -> Void
) async throws {
    var configuration = testConfiguration([servers[0].endpoint])
    configure(&configuration)
    let cluster = RedisCluster(configuration)
    do {
        try await cluster.start()
        try await body(cluster)
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
    await cluster.close()
    for server in servers {
        server.stop()
        #expect(server.problems == [], sourceLocation: sourceLocation)
    }
}

/// The error of a call that must not succeed.
@LoopActor
func failure<Value>(
    of call: @LoopActor () async throws(RedisError) -> Value,
    sourceLocation: SourceLocation = #_sourceLocation
) async -> RedisError? {
    do throws(RedisError) {
        let value = try await call()
        Issue.record("expected an error, got \(value)", sourceLocation: sourceLocation)
        return nil
    } catch {
        return error
    }
}
