import CoordinatorCore
import EventLoop
import RedisClient
import Testing

@Suite("lost connections, silence, refusals")
struct FailureTests {
    @Test("a reset in the middle of a reply leaves the outcome unknown, and nothing is sent again")
    @LoopActor
    func resetMidReply() async throws {
        try await withPeer([.expect("INCR a"), .send("$10\r\nabc"), .reset]) { cluster, _ in
            let error = await failure { () async throws(RedisError) in
                try await cluster.call("INCR", "a", slot: slotA)
            }
            guard case .outcomeUnknown("INCR", _, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(error?.mayHaveRun == true)
        }
    }

    @Test("a repeatable command is sent again on a new connection", arguments: [true, false])
    @LoopActor
    func repeatable(isReset: Bool) async throws {
        try await withPeer([
            .expect("GET a"), isReset ? .reset : .close, .expect("GET a"), .send("+OK\r\n"),
        ]) { cluster, _ in
            let value = try await cluster.call("GET", "a", slot: slotA, isRepeatable: true)
            #expect(value.text == "OK")
        }
    }

    @Test("silence to the deadline leaves the outcome unknown; the late reply is nobody's")
    @LoopActor
    func silence() async throws {
        try await withPeer([
            .expect("INCR a"), .expect("GET a"), .send(":1\r\n$1\r\n7\r\n"),
        ]) { configuration in
            // A question for life would be answered before the command that this is about.
            configuration.limits.owedPingInterval = .seconds(60)
        } _: { cluster, _ in
            let error = await failure { () async throws(RedisError) in
                // Long enough to connect on a loaded machine.
                try await cluster.call("INCR", "a", slot: slotA, timeout: .milliseconds(1_200))
            }
            guard case .outcomeUnknown("INCR", _, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            let answer = try await cluster.call("GET", "a", slot: slotA)
            #expect(answer.text == "7")
        }
    }

    @Test(
        "a half-open connection is found by a PING that is not answered, long before the deadline")
    @LoopActor
    func halfOpen() async throws {
        let server = ScriptedServer([.expect("INCR a"), .expect("GET b"), .send("+OK\r\n")])
        server.answerTopology(.answer(shards([(server.port, allSlots)])))
        try await withPeers([server]) { configuration in
            configuration.limits.owedPingInterval = .milliseconds(20)
            configuration.limits.pingTimeout = .seconds(1)
            configuration.commandTimeout = .seconds(30)
        } _: { cluster in
            server.answerPing(.silence)
            let error = await failure { () async throws(RedisError) in
                try await cluster.call("INCR", "a", slot: slotA)
            }
            guard case .outcomeUnknown("INCR", _, let after) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(after < .seconds(10))
            server.answerPing(.answer("+PONG\r\n"))
            let answer = try await cluster.call("GET", "b", slot: slotB)
            #expect(answer.text == "OK")
        }
    }

    @Test("an idle connection is asked too, and given up when it is dead")
    @LoopActor
    func idleHalfOpen() async throws {
        let server = ScriptedServer()
        server.answerTopology(.answer(shards([(server.port, allSlots)])))
        server.answerPing(.silence)
        try await withPeers([server]) { configuration in
            configuration.limits.idlePingInterval = .milliseconds(10)
            configuration.limits.owedPingInterval = .milliseconds(10)
            configuration.limits.pingTimeout = .milliseconds(20)
        } _: { cluster in
            while cluster.statistics.lostConnections == 0 { try await loopSleep(.milliseconds(1)) }
        }
    }

    @Test("behind a blocking command a PING may stay unanswered for as long as that one may block")
    @LoopActor
    func blocking() async throws {
        try await withPeer([.expect("WAIT 1 5000")]) { configuration in
            configuration.limits.owedPingInterval = .milliseconds(5)
            configuration.limits.pingTimeout = .milliseconds(5)
        } _: { cluster, server in
            var isLost = false
            server.answerPing(.silence)
            cluster.send(.wait(replicas: 1, timeout: .seconds(5)), slot: slotA, lane: .reading) {
                _ in
                isLost = true
            }
            while server.count(of: "WAIT 1 5000") == 0 { try await loopSleep(.milliseconds(1)) }
            // Twenty times what it would take without the permission to block.
            try await loopSleep(.milliseconds(200))
            #expect(!isLost)
            server.answerPing(.answer("+PONG\r\n"))
        }
    }

    @Test(
        "a wrong password is an authentication error at the start, and the password is in no text")
    @LoopActor
    func wrongPassword() async throws {
        let server = ScriptedServer([
            .expect("AUTH ann secret1"), .send("-WRONGPASS invalid username-password pair\r\n"),
        ])
        var configuration = testConfiguration([server.endpoint])
        configuration.user = "ann"
        configuration.password = "secret1"
        let cluster = RedisCluster(configuration)
        let error = await failure { () async throws(RedisError) in try await cluster.start() }
        guard case .authentication = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in [
            "\(configuration)", dumped, String(reflecting: configuration), "\(error as Any)",
        ] {
            #expect(!text.contains("secret1"))
        }
        await cluster.close()
        server.stop()
        #expect(server.problems == [])
    }

    @Test("the right password is sent first, then the name, then commands")
    @LoopActor
    func authenticated() async throws {
        let server = ScriptedServer([
            .expect("AUTH secret1"), .send("+OK\r\n"), .expect("CLIENT SETNAME me"),
            .send("+OK\r\n"),
            .expect("GET a"), .send("+OK\r\n"),
        ])
        server.answerTopology(.answer(shards([(server.port, allSlots)])))
        try await withPeers([server]) { configuration in
            configuration.password = "secret1"
            configuration.clientName = "me"
        } _: { cluster in
            let answer = try await cluster.call("GET", "a", slot: slotA)
            #expect(answer.text == "OK")
        }
    }

    @Test(
        "an error reply is told by its kind",
        arguments: [
            ("-NOPERM this user has no permissions", "permission"),
            ("-NOAUTH Authentication required.", "authentication"),
            ("-WRONGTYPE Operation against a key", "server"), ("-ERR", "server"), ("-", "server"),
        ])
    @LoopActor
    func errorKinds(reply: String, kind: String) async throws {
        try await withPeer([.expect("GET a"), .send(reply + "\r\n")]) { cluster, _ in
            let error = await failure { () async throws(RedisError) in
                try await cluster.call("GET", "a", slot: slotA)
            }
            switch error {
            case .permission: #expect(kind == "permission")
            case .authentication: #expect(kind == "authentication")
            case .server: #expect(kind == "server")
            default: Issue.record("\(String(describing: error))")
            }
        }
    }

    /// What a hostile or broken server may send.
    enum Garbage: String, CaseIterable {
        case words = "garbage\r\n"
        case number = ":12x\r\n"
        case hugeString = "$999999999999999\r\n"
        case lengthBeyondIntegers = "$99999999999999999999999999\r\n"
        case negativeLength = "$-7\r\n"
        case hugeArray = "*99999999999\r\n"
        case anotherProtocol = "HTTP/1.1 400\r\n\r\n"
        case tooDeep = "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"
        case moreThanAsked = "+OK\r\n+AGAIN\r\n\0"
        case tooLarge, endlessLine, tooManyElements

        var bytes: String {
            switch self {
            case .tooLarge:
                "*3\r\n" + String(repeating: bulk(String(repeating: "x", count: 100_000)), count: 3)
            case .endlessLine: "+" + String(repeating: "x", count: 300_000)
            case .tooManyElements: "*100000\r\n" + String(repeating: ":1\r\n", count: 100_000)
            default: rawValue
            }
        }
    }

    @Test(
        "what is no reply, or too much of one, closes the connection; the next has a new one",
        arguments: Garbage.allCases)
    @LoopActor
    func garbage(garbage: Garbage) async throws {
        try await withPeer([
            .expect("GET a"), .send(garbage.bytes), .expect("GET a"), .send("+FINE\r\n"),
        ]) { configuration in
            configuration.limits.replyBytes = 200_000
        } _: { cluster, _ in
            do throws(RedisError) {
                let value = try await cluster.call("GET", "a", slot: slotA)
                // The first reply may be whole; what follows it is not.
                #expect(value.text == "OK")
                #expect(garbage == .moreThanAsked)
            } catch {
                guard case .protocolViolation = error else {
                    Issue.record(error)
                    return
                }
            }
            let answer = try await cluster.call("GET", "a", slot: slotA, isRepeatable: true)
            #expect(answer.text == "FINE")
        }
    }

    @Test("a lane that is full refuses, by commands and by bytes; the other lanes go on")
    @LoopActor
    func overloaded() async throws {
        try await withPeer([
            .expect("GET a"), .expect("GET a"), .expect("GET b"), .send("+OK\r\n"),
        ]) { configuration in
            configuration.limits.commandsPerLane = 2
        } _: { cluster, server in
            var errors: [RedisError] = []
            for _ in 0..<4 {
                cluster.send(RedisCommand("GET", "a"), slot: slotA, lane: .bulk) { result in
                    if case .failure(let error) = result { errors.append(error) }
                }
            }
            #expect(errors == [.overloaded(lane: "bulk"), .overloaded(lane: "bulk")])
            #expect(cluster.outstanding(.bulk).commands == 2)
            while server.count(of: "GET a") < 2 { try await loopSleep(.milliseconds(1)) }
            let answer = try await cluster.call("GET", "b", slot: slotB, lane: .control)
            #expect(answer.text == "OK")
        }
    }

    @Test("what can never fit is refused, what fits alone goes")
    @LoopActor
    func overloadedBytes() async throws {
        try await withPeer([.expect("GET " + String(repeating: "a", count: 200)), .send("+OK\r\n")])
        { configuration in
            configuration.limits.bytesPerLane = 150
        } _: { cluster, _ in
            let long = RedisArgument(String(repeating: "a", count: 200))
            var results: [String] = []
            await withCheckedContinuation { continuation in
                for command in [RedisCommand("GET", long), RedisCommand("GET", "b")] {
                    cluster.send(command, slot: slotA) { result in
                        switch result {
                        case .success(let view): results.append(view.decoded().text ?? "")
                        case .failure(let error): results.append("\(error)")
                        }
                        if results.count == 2 { continuation.resume() }
                    }
                }
            }
            #expect(results == ["too many redis commands under way in the bulk lane", "OK"])
        }
    }

    @Test(
        "a refused connection is tried again, the name looked up anew, until the server is there"
    )
    @LoopActor
    func refusedThenThere() async throws {
        let server = ScriptedServer([.expect("GET a"), .send("+OK\r\n")], isRefusing: true)
        server.answerTopology(.answer(shards([(server.port, allSlots)])))
        let configuration = testConfiguration([RedisEndpoint(host: "localhost", port: server.port)])
        let cluster = RedisCluster(configuration)
        var refusals = 0
        cluster.onEvent = { event in
            guard case .disconnected(_, _, .unreachable(_, let reason)) = event else { return }
            #expect(reason == "connection refused")
            refusals += 1
            if refusals == 2 { server.admit() }
        }
        try await cluster.start()
        let answer = try await cluster.call("GET", "a", slot: slotA)
        #expect(answer.text == "OK")
        await cluster.close()
        server.stop()
        #expect(server.problems == [])
    }

    @Test("no server at all is an error that names it, within the time given")
    @LoopActor
    func nobody() async throws {
        let server = ScriptedServer(isRefusing: true)
        var configuration = testConfiguration([server.endpoint])
        configuration.commandTimeout = .milliseconds(60)
        let cluster = RedisCluster(configuration)
        let error = await failure { () async throws(RedisError) in try await cluster.start() }
        #expect(
            error
                == .unreachable(endpoint: server.endpoint.description, reason: "connection refused")
        )
        await cluster.close()
    }

    @Test("a server that is no cluster is told apart at once, with the way out")
    @LoopActor
    func noCluster() async throws {
        let server = ScriptedServer()
        server.answerTopology(.answer("-ERR This instance has cluster support disabled\r\n"))
        var configuration = testConfiguration([server.endpoint])
        // Far beyond the test: it must not be waited for, as no time makes a cluster of it.
        configuration.commandTimeout = .seconds(3_600)
        let cluster = RedisCluster(configuration)
        let error = await failure { () async throws(RedisError) in try await cluster.start() }
        guard case .configuration(let sentence) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(sentence.contains("\(server.endpoint) runs without cluster mode"))
        await cluster.close()
        server.stop()
    }

    @Test(
        "where CLUSTER SHARDS is unknown, or leaves slots out, CLUSTER SLOTS is asked",
        arguments: [
            "-ERR unknown subcommand 'SHARDS'\r\n", shards([(port: 1, slots: 0...5)]), "*0\r\n",
        ])
    @LoopActor
    func clusterSlots(shards: String) async throws {
        let server = ScriptedServer([.expect("GET a"), .send("+OK\r\n")])
        let node = "*3\r\n" + bulk("127.0.0.1") + ":\(server.port)\r\n" + bulk("id1")
        server.answerTopology(.answer(shards))
        server.answerSlots(.answer("*1\r\n*3\r\n:0\r\n:16383\r\n" + node))
        try await withPeers([server]) { cluster in
            #expect(cluster.masters.map(\.redisNodeID) == ["id1"])
            let answer = try await cluster.call("GET", "a", slot: slotA)
            #expect(answer.text == "OK")
        }
    }

    @Test("a closed client refuses, and what it had sent is of unknown outcome")
    @LoopActor
    func closed() async throws {
        let server = ScriptedServer([.expect("INCR a")])
        server.answerTopology(.answer(shards([(server.port, allSlots)])))
        let cluster = RedisCluster(testConfiguration([server.endpoint]))
        try await cluster.start()
        var result: RedisError?
        cluster.send(RedisCommand("INCR", "a"), slot: slotA) {
            if case .failure(let error) = $0 { result = error }
        }
        while server.count(of: "INCR a") == 0 { try await loopSleep(.milliseconds(1)) }
        await cluster.close()
        guard case .outcomeUnknown = result else {
            Issue.record("\(String(describing: result))")
            return
        }
        let error = await failure { () async throws(RedisError) in
            try await cluster.call("GET", "a", slot: slotA)
        }
        #expect(error == .closed)
        server.stop()
    }
}
