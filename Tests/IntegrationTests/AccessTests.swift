import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension OtherServerSuites {
    /// The rules of `coordinator acl`: enough for the whole path, and not a command more than what
    /// the sources send.
    @Suite("Access rules", .serialized)
    struct AccessTests {
        private static let questions = [
            "status", "nodes", "shards", "tiers", "sources", "history", "leader", "top pages",
            "top sections --by devices", "report --website RTL", "series --website RTL",
            "export -o ndjson", "show website RTL", "explain https://www.rtl.lu/a/b/c.html",
            "audit", "config show", "search a",
        ]

        @Test("under these rules and TLS all is done and counted; a reader asks and writes nothing")
        func wholePath() async throws {
            let cluster = try await TestCluster(
                secured: "closed", by: Security(tls: true, acl: true))
            let stage = Stage(cluster: cluster)
            let lines = try Traffic.lines(Traffic.options(2_000))
            let file = try Traffic.file(lines)
            try await stage.initialise(["--start", "oldest"])
            let node = try stage.node()
            try await stage.importFiles(file)
            try await stage.wait()
            try await stage.expectTruth([file])
            try await stage.expectSound()
            try await stage.must(["drain", "no-such-node", "--dry-run"], orCode: 64)

            // Every connection of the program is one by TLS: the plain ports saw the tests only.
            for server in cluster.servers {
                let text = try RedisWire(server.port).call("CLIENT", "LIST").text ?? ""
                for line in text.split(separator: "\n") where line.contains("name=coordinator-") {
                    #expect(
                        line.contains("laddr=127.0.0.1:\(server.tlsPort ?? 0) "), "\(line)")
                }
                #expect(text.contains("user=coordinator "), "\(text)")
            }

            var reader = cluster.environment
            reader["COORDINATOR_REDIS_USER"] = "coordinator-reader"
            reader["COORDINATOR_REDIS_PASSWORD"] = Security.readerPassword
            for question in Self.questions {
                let words = question.split(separator: " ").map(String.init)
                let asked = try await Child([Package.program] + words, environment: reader).finish()
                #expect(asked.code == 0, "\(question): \(asked.code) \(asked.errors)")
            }
            for order in ["init --shards 4", "step-down --yes", "sources add ST:OTHER::::"] {
                let words = order.split(separator: " ").map(String.init)
                let asked = try await Child([Package.program] + words, environment: reader).finish()
                #expect(asked.code != 0, "\(order): \(asked.output)")
            }
            try await node.terminate()
            try refuses(cluster)
            try await cluster.stop()
        }

        /// What neither user may do, asked of the server itself.
        private func refuses(_ cluster: TestCluster) throws {
            let wire = try RedisWire(cluster.servers[0].port)
            for user in ["coordinator", "coordinator-reader"] {
                for command in [
                    ["FLUSHALL"], ["CONFIG", "GET", "requirepass"], ["KEYS", "*"], ["ACL", "LIST"],
                    ["SHUTDOWN"], ["DEBUG", "SLEEP", "0"], ["GET", "elsewhere"],
                    ["SET", "elsewhere", "1"], ["CLUSTER", "RESET"], ["SCRIPT", "FLUSH"],
                    ["MONITOR"], ["EVAL", "return 1", "0"], ["CLIENT", "KILL", "TYPE", "normal"],
                ] {
                    let words = ["ACL", "DRYRUN", user] + command
                    let reply = try wire.call(words.map { Array($0.utf8) }).text ?? ""
                    #expect(reply != "OK", "\(user): \(command)")
                }
            }
            for command in [
                ["SET", RedisKeys.settings, "x"], ["XADD", RedisKeys.defaultSource, "*", "a", "b"],
                ["HSET", RedisKeys.sources, "a", "b"], ["EVALSHA", "0", "0"],
            ] {
                let words = ["ACL", "DRYRUN", "coordinator-reader"] + command
                #expect(try wire.call(words.map { Array($0.utf8) }).text != "OK", "\(command)")
            }
        }

        @Test("every command in the sources is in the rules, and every rule is in the sources")
        func complete() async throws {
            let stage = try await Stage.fresh()
            let wire = try RedisWire(stage.cluster.servers[0].port)
            let known = Set(
                try wire.call("COMMAND", "LIST").items?.compactMap { $0.text?.uppercased() } ?? [])
            let acl = try await Child([Package.program, "acl", "daemon", "-o", "json"]).finish()
            struct Rules: Decodable { let commands: [String] }
            let rules = try JSONDecoder().decode([Rules].self, from: Data(acl.output.utf8))
            let allowed = Set(rules.flatMap(\.commands).map { $0.uppercased() })
            let written = try Self.commands(known: known)
            // AUTH is never a matter of rights; what `check` tries beyond them it can do without;
            // SET and GET stand in other commands' arguments, too.
            let beside: Set<String> = ["AUTH", "ACL", "CONFIG"]
            let names = Set(allowed.map { String($0.prefix { $0 != "|" }) })
            #expect(
                written.subtracting(names).subtracting(beside).isEmpty,
                "sent, but not in RedisPermissions: \(written.subtracting(names))")
            #expect(
                names.subtracting(written).isEmpty,
                "in RedisPermissions, but sent nowhere: \(names.subtracting(written))")
        }

        @Test("no command of a reader writes, by what the server says of it")
        func readers() async throws {
            let stage = try await Stage.fresh()
            let wire = try RedisWire(stage.cluster.servers[0].port)
            let acl = try await Child([Package.program, "acl", "reader", "-o", "json"]).finish()
            struct Rules: Decodable { let commands: [String] }
            let rules = try JSONDecoder().decode([Rules].self, from: Data(acl.output.utf8))
            let commands = rules.flatMap(\.commands)
            #expect(commands.count > 30)
            for command in commands {
                let reply = try wire.call("COMMAND", "INFO", command)
                let about = try #require(reply.items?.first?.items, "\(command) is unknown")
                let flags = try #require(about[2].items).compactMap(\.text)
                #expect(!flags.contains("write"), "\(command): \(flags)")
            }
        }

        @Test("every key that is formed has its pattern")
        func keys() throws {
            let root = Package.root + "/Sources/"
            let keys = try String(
                contentsOfFile: root + "CoordinatorCore/Keys/RedisKeys.swift", encoding: .utf8)
            let rules = try String(
                contentsOfFile: root + "CoordinatorService/Deployment/RedisPermissions.swift",
                encoding: .utf8)
            let names = keys.matches(of: #/static (?:func|let) (\w+)/#).map { String($0.output.1) }
            #expect(names.count > 20)
            // Half a key, a setting that the rules are made for, and what only looks at keys.
            let half = ["controlTag", "defaultSource", "isCopySource", "isReplaySource"]
            for name in names where !half.contains(name) {
                #expect(rules.contains("RedisKeys.\(name)"), "RedisPermissions lacks \(name)")
            }
        }

        /// The commands that stand in quotes in scripts and sources, in the place of a command.
        private static func commands(known: Set<String>) throws -> Set<String> {
            var found: Set<String> = []
            for folder in ["CoordinatorService", "RedisClient"] {
                let root = Package.root + "/Sources/" + folder
                for path in FileManager.default.enumerator(atPath: root)?.allObjects ?? [] {
                    guard let path = path as? String, path != "Deployment/RedisPermissions.swift"
                    else { continue }
                    // Run once, as an administrator.
                    if path.contains("igrat") { continue }
                    let isScript = path.hasSuffix(".lua")
                    guard isScript || path.hasSuffix(".swift") else { continue }
                    let text = try String(contentsOfFile: root + "/" + path, encoding: .utf8)
                    let pattern =
                        isScript
                        ? #/'([A-Z][A-Z._]+)'/#
                        : #/(?:\(|\[|append\()\s*"([A-Z][A-Z._]+)"/#
                    for match in text.matches(of: pattern) {
                        found.insert(String(match.output.1))
                    }
                }
            }
            return found.intersection(known)
        }
    }
}

extension Stage {
    /// Runs one command that has to end with this code.
    func must(_ words: [String], orCode code: Int32) async throws {
        let finished = try await run(words)
        #expect(finished.code == code, "\(words): \(finished.code) \(finished.errors)")
    }
}
