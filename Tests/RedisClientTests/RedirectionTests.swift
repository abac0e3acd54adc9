import CoordinatorCore
import EventLoop
import RedisClient
import Testing

@Suite("redirections and refusals")
struct RedirectionTests {
    /// Two servers that both say: all slots are the first one's.
    private func twoServers(
        _ first: (ScriptedServer, ScriptedServer) -> [ScriptedServer.Step],
        _ second: (ScriptedServer, ScriptedServer) -> [ScriptedServer.Step]
    ) -> [ScriptedServer] {
        let one = ScriptedServer()
        let two = ScriptedServer()
        one.append(first(one, two))
        two.append(second(one, two))
        for server in [one, two] { server.answerTopology(.answer(shards([(one.port, allSlots)]))) }
        return [one, two]
    }

    @Test("MOVED is followed, also for the next command of the slot, and the topology asked again")
    @LoopActor
    func moved() async throws {
        let servers = twoServers(
            { _, two in
                [.expect("GET a"), .send("-MOVED \(slotA) 127.0.0.1:\(two.port)\r\n")]
            },
            { _, _ in
                [.expect("GET a"), .send("$1\r\n1\r\n"), .expect("GET a"), .send("$1\r\n2\r\n")]
            })
        for server in servers {
            server.answerTopology(.answer(shards([(servers[1].port, allSlots)])))
        }
        servers[0].answerTopology(.answer(shards([(servers[0].port, allSlots)])))
        try await withPeers(servers) { cluster in
            let firstAnswer = try await cluster.call("GET", "a", slot: slotA)
            #expect(firstAnswer.text == "1")
            let secondAnswer = try await cluster.call("GET", "a", slot: slotA)
            #expect(secondAnswer.text == "2")
            try await cluster.refreshTopology()
            #expect(cluster.masters.map(\.endpoint) == [servers[1].endpoint])
            #expect(servers[1].count(of: "CLUSTER SHARDS") >= 1)
        }
    }

    @Test("MOVED without a host means the host that answered")
    @LoopActor
    func movedToSameHost() async throws {
        let servers = twoServers(
            { _, two in [.expect("GET a"), .send("-MOVED \(slotA) :\(two.port)\r\n")] },
            { _, _ in [.expect("GET a"), .send("+OK\r\n")] })
        try await withPeers(servers) { cluster in
            let answer = try await cluster.call("GET", "a", slot: slotA)
            #expect(answer.text == "OK")
        }
    }

    @Test(
        "ASK is followed with ASKING, TRYAGAIN there with ASKING again; the slot stays as it was"
    )
    @LoopActor
    func ask() async throws {
        let servers = twoServers(
            { _, two in
                [
                    .expect("GET a"), .send("-ASK \(slotA) 127.0.0.1:\(two.port)\r\n"),
                    .expect("GET a"), .send("$1\r\n2\r\n"),
                ]
            },
            { _, _ in
                [
                    .expect("ASKING"), .send("+OK\r\n"), .expect("GET a"),
                    .send("-TRYAGAIN busy\r\n"),
                    .expect("ASKING"), .send("+OK\r\n"), .expect("GET a"),
                    .send("-TRYAGAIN busy\r\n"),
                    .expect("ASKING"), .send("+OK\r\n"), .expect("GET a"), .send("$1\r\n1\r\n"),
                ]
            })
        try await withPeers(servers) { cluster in
            let firstAnswer = try await cluster.call("GET", "a", slot: slotA)
            #expect(firstAnswer.text == "1")
            let secondAnswer = try await cluster.call("GET", "a", slot: slotA)
            #expect(secondAnswer.text == "2")
            #expect(servers[1].count(of: "CLUSTER SHARDS") == 0)
        }
    }

    @Test(
        "a refusal for now is tried again until it is answered",
        arguments: [
            "-TRYAGAIN Multiple keys request during rehashing of slot",
            "-CLUSTERDOWN The cluster is down", "-LOADING Redis is loading the dataset in memory",
            "-READONLY You can't write against a read only replica.",
            "-MASTERDOWN Link with MASTER is down",
            "-BUSY Redis is busy running a script.",
        ])
    @LoopActor
    func notNow(refusal: String) async throws {
        try await withPeer([
            .expect("INCR a"), .send(refusal + "\r\n"), .expect("INCR a"), .send(refusal + "\r\n"),
            .expect("INCR a"), .send(":7\r\n"),
        ]) { cluster, _ in
            let answer = try await cluster.call("INCR", "a", slot: slotA)
            #expect(answer == .integer(7))
        }
    }

    @Test("a refusal that does not end within the deadline is the error")
    @LoopActor
    func refusedToTheEnd() async throws {
        let server = ScriptedServer(
            (0..<200).flatMap { _ in
                [.expect("GET a"), .send("-CLUSTERDOWN Hash slot not served\r\n")]
            })
        server.answerTopology(.answer(shards([(server.port, allSlots)])))
        let cluster = RedisCluster(testConfiguration([server.endpoint]))
        try await cluster.start()
        let error = await failure { () async throws(RedisError) in
            try await cluster.call("GET", "a", slot: slotA, timeout: .milliseconds(300))
        }
        switch error {
        case .clusterDown(let message): #expect(message == "Hash slot not served")
        // The deadline may fall between an attempt and its answer.
        case .outcomeUnknown: break
        default: Issue.record("\(String(describing: error))")
        }
        await cluster.close()
        server.stop()
    }

    @Test("a slot without a master is an error at the deadline, not before")
    @LoopActor
    func uncoveredSlot() async throws {
        let server = ScriptedServer()
        server.answerTopology(.answer(shards([(server.port, 0...0)])))
        try await withPeers([server]) { cluster in
            let error = await failure { () async throws(RedisError) in
                try await cluster.call("GET", "a", slot: slotA, timeout: .milliseconds(60))
            }
            #expect(error == .clusterDown(message: "slot \(slotA) has no master"))
        }
    }

    @Test("many commands that are moved at once ask for the topology once")
    @LoopActor
    func oneRefreshForMany() async throws {
        let count = 200
        let one = ScriptedServer()
        let two = ScriptedServer()
        for _ in 0..<count {
            one.append([.expect("GET a"), .send("-MOVED \(slotA) 127.0.0.1:\(two.port)\r\n")])
            two.append([.expect("GET a"), .send("+OK\r\n")])
        }
        one.answerTopology(.answer(shards([(one.port, allSlots)])))
        two.answerTopology(.answer(shards([(two.port, allSlots)])))
        try await withPeers([one, two]) { cluster in
            var answered = 0
            await withCheckedContinuation { continuation in
                for _ in 0..<count {
                    cluster.send(RedisCommand("GET", "a"), slot: slotA, lane: .control) { _ in
                        answered += 1
                        if answered == count { continuation.resume() }
                    }
                }
            }
            try await cluster.refreshTopology()
            let questions = one.count(of: "CLUSTER SHARDS") + two.count(of: "CLUSTER SHARDS")
            // At the start, after the first MOVED, and the one just awaited (unless it joined).
            #expect(questions <= 3)
        }
    }

    @Test(
        "a script the server does not know is loaded once for many calls, and they are made again")
    @LoopActor
    func noScript() async throws {
        let script = RedisScript(name: "one", source: Array("return 1".utf8))
        let call = "EVALSHA \(script.sha1) 1 a x"
        try await withPeer([
            .expect(call), .expect(call),
            .send("-NOSCRIPT No matching script.\r\n-NOSCRIPT No matching script.\r\n"),
            .expect("SCRIPT LOAD return 1"), .send(bulk(script.sha1)),
            .expect(call), .send(":1\r\n"), .expect(call), .send(":2\r\n"),
        ]) { cluster, _ in
            var values: [RedisValue] = []
            await withCheckedContinuation { continuation in
                for _ in 0..<2 {
                    let command = script.command(keys: ["a"], arguments: ["x"])
                    cluster.send(command, slot: slotA) { result in
                        if case .success(let view) = result { values.append(view.decoded()) }
                        if values.count == 2 { continuation.resume() }
                    }
                }
            }
            #expect(values == [.integer(1), .integer(2)])
        }
    }

    @Test("a script that cannot be loaded is an error, not a loop")
    @LoopActor
    func unloadableScript() async throws {
        let script = RedisScript(name: "one", source: Array("return 1".utf8))
        let call = "EVALSHA \(script.sha1) 0"
        var steps: [ScriptedServer.Step] = [
            .expect(call), .send("-NOSCRIPT No matching script.\r\n"),
        ]
        for _ in 0..<4 {
            steps += [
                .expect("SCRIPT LOAD return 1"), .send("-OOM command not allowed\r\n"),
                .expect(call), .send("-NOSCRIPT No matching script.\r\n"),
            ]
        }
        try await withPeer(steps) { cluster, _ in
            let error = await failure { () async throws(RedisError) in
                try await cluster.run(script, keys: [], arguments: [], slot: slotA)
            }
            guard case .server("NOSCRIPT", _, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test(
        "a script and its WAIT go together: redirected, asked and loaded as a pair"
    )
    @LoopActor
    func durableScript() async throws {
        let script = RedisScript(name: "one", source: Array("return 1".utf8))
        let call = "EVALSHA \(script.sha1) 1 a"
        let servers = twoServers(
            { _, two in
                [
                    .expect(call), .send("-ASK \(slotA) 127.0.0.1:\(two.port)\r\n"),
                    .expect("WAIT 1 50"), .send(":0\r\n"),
                ]
            },
            { _, _ in
                [
                    .expect("ASKING"), .send("+OK\r\n"), .expect(call), .send("-NOSCRIPT No.\r\n"),
                    .expect("WAIT 1 50"), .send(":0\r\n"),
                    .expect("SCRIPT LOAD return 1"), .send(bulk(script.sha1)),
                    .expect("ASKING"), .send("+OK\r\n"), .expect(call), .send(":5\r\n"),
                    .expect("WAIT 1 50"), .send(":1\r\n"),
                ]
            })
        try await withPeers(servers) { cluster in
            let result = try await cluster.runDurably(
                script, keys: ["a"], arguments: [], slot: slotA, waitReplicas: 1,
                waitTimeout: .milliseconds(50))
            #expect(result.reply == .integer(5))
            #expect(result.acknowledged == 1)
        }
    }

    @Test(
        "a pipeline of which a part has run is not sent again; the redirection is a value"
    )
    @LoopActor
    func halfRunPipeline() async throws {
        try await withPeer([
            .expect("INCR a"), .send(":1\r\n"), .expect("INCR a"), .send("-TRYAGAIN busy\r\n"),
        ]) { cluster, _ in
            let replies = try await cluster.pipeline(
                [RedisCommand("INCR", "a"), RedisCommand("INCR", "a")], slot: slotA)
            #expect(
                replies == [
                    .integer(1), .error(RedisServerError(code: "TRYAGAIN", message: "busy")),
                ])
        }
    }

    @Test("a command for one named server is not redirected")
    @LoopActor
    func namedServer() async throws {
        try await withPeer([.expect("GET a"), .send("-MOVED 1 127.0.0.1:1\r\n")]) {
            cluster, server in
            let error = await failure { () async throws(RedisError) in
                try await cluster.call("GET", "a", on: server.endpoint)
            }
            #expect(
                error
                    == .server(
                        code: "MOVED", message: "1 127.0.0.1:1",
                        endpoint: server.endpoint.description))
        }
    }
}
