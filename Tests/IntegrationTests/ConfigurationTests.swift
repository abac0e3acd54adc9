import CoordinatorCore
import Foundation
import Glibc
import Testing

extension ServerSuites {
    /// Settings by rank, what is shown of them, what a running node takes over, and what its log
    /// says and does not say.
    @Suite("Configuration", .serialized)
    struct ConfigurationTests {
        @Test("settings are shown with their origin, by rank, and no secret among them")
        func shown() async throws {
            let file = try Scratch.file(
                "settings", Array("lease = 7s\nnode-name = from-file\nuser = filed\n".utf8))
            let finished = try await Child(
                [Package.program, "config", "show", "--config", file, "--log-level", "debug"],
                environment: [
                    "COORDINATOR_REDIS_URL": "redis://someone:swordfish@127.0.0.1:1",
                    "COORDINATOR_REDIS_PASSWORD": "open-sesame",
                    "COORDINATOR_NODE_NAME": "from-env", "COORDINATOR_TIMEOUT": "300ms",
                ]
            ).finish()
            #expect(finished.code == 2, "Redis is not there, which it says: \(finished.errors)")
            let said = finished.output + finished.errors
            #expect(!said.contains("swordfish") && !said.contains("open-sesame"), "\(said)")
            func line(_ name: String) -> String {
                let found = finished.output.split(separator: "\n").first { $0.hasPrefix(name) }
                return found.map(String.init) ?? ""
            }
            #expect(line("lease ").contains("7s") && line("lease ").contains(file))
            #expect(line("node-name").contains("from-env"), "\(finished.output)")
            #expect(line("node-name").contains("COORDINATOR_NODE_NAME"))
            #expect(line("log-level").contains("argument") && line("log-level").contains("debug"))
            #expect(line("hold-down").contains("default"))
            // A narrow table may cut it behind its first letters.
            #expect(line("redis-url").contains("redis:"))
            #expect(line("password").contains("(secret)"))
        }

        @Test("what is wrong is refused with the place and the way out")
        func refused() async throws {
            let misspelt = try Scratch.file("settings", Array("leese = 3s\n".utf8))
            let impossible = try Scratch.file("settings", Array("lease = 1ms\n".utf8))
            let empty = try Scratch.file("secret", [])
            for (words, code, word) in [
                (["config", "validate", "--config", misspelt], 64, "did you mean lease?"),
                (["config", "validate", "--config", impossible], 78, "lease"),
                (["config", "validate", "--node-name", "a b"], 78, "node-name"),
                (["config", "validate", "--cacert", "/nonexistent", "--tls"], 78, "/nonexistent"),
                (["status", "--password-file", empty], 78, "empty"),
                (["status", "--user", "someone"], 78, "COORDINATOR_REDIS_PASSWORD"),
                (["status", "--redis-url", "redis://a:b@127.0.0.1:1"], 78, "never an argument"),
                (["status", "--password", "x"], 64, "never an argument"),
            ] as [([String], Int32, String)] {
                let finished = try await Child([Package.program] + words).finish()
                #expect(finished.code == code, "\(words): \(finished.errors)")
                #expect(finished.errors.contains(word), "\(words): \(finished.errors)")
                #expect(finished.output.isEmpty)
            }
        }

        @Test("a misspelt variable is refused, a stranger is named, a service's is nobody's matter")
        func variables() async throws {
            for (name, code, said) in [
                ("COORDINATOR_LEAS", 78, "did you mean COORDINATOR_LEASE?"),
                ("COORDINATOR_REDIS_PASWORD_FILE", 78, "COORDINATOR_REDIS_PASSWORD_FILE?"),
                ("COORDINATOR_DEVICE_KEY", 78, "COORDINATOR_DEVICE_KEY_FILE?"),
                ("COORDINATOR_SOMETHING_ELSE", 0, "left aside: COORDINATOR_SOMETHING_ELSE"),
                ("COORDINATOR_SERVICE_HOST", 0, ""), ("COORDINATOR_PORT", 0, ""),
                ("COORDINATOR_ADMIN_SERVICE_PORT_HTTP", 0, ""),
                ("COORDINATOR_PORT_8080_TCP_ADDR", 0, ""), ("COORDINATOR_LEASE", 0, ""),
            ] as [(String, Int32, String)] {
                let finished = try await Child(
                    [Package.program, "config", "validate"], environment: [name: "3s"]
                ).finish()
                #expect(finished.code == code, "\(name): \(finished.errors)")
                #expect(
                    said.isEmpty
                        ? !finished.errors.contains(name) : finished.errors.contains(said),
                    "\(name): \(finished.errors)")
            }
        }

        @Test("SIGHUP takes a new password and log level over, or keeps the old ones and says so")
        func reload() async throws {
            let cluster = try await TestCluster(
                secured: "rotated", by: Security(tls: true, acl: true))
            let stage = Stage(cluster: cluster)
            try await stage.initialise([])
            let secret = try Scratch.file("secret", Array((Security.daemonPassword + "\n").utf8))
            let file = try Scratch.file("settings", Array("log-level = info\n".utf8))
            func put(_ text: String, _ path: String) throws {
                try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            }
            var environment = cluster.environment
            environment["COORDINATOR_REDIS_PASSWORD"] = nil
            environment["COORDINATOR_REDIS_PASSWORD_FILE"] = secret
            let node = RunningNode(
                child: try Child(
                    [Package.program, "run", "--lease", "500ms", "--config", file],
                    environment: environment))
            func logs(_ words: String, times: Int = 1) async throws {
                try await eventually("\(words): \(node.child.errors.suffix(500))") {
                    node.child.errors.components(separatedBy: words).count > times
                }
            }
            try await logs("event=elected")

            // Wrong in the file, then a password that Redis does not know: nothing changes.
            try put("log-level = loud\n", file)
            node.child.send(SIGHUP)
            try await logs("event=reload-refused")
            #expect(node.child.errors.contains("loud"))
            try put("log-level = debug\nhold-down = 9s\n", file)
            try put("nobody knows this\n", secret)
            node.child.send(SIGHUP)
            try await logs("event=reload-refused", times: 2)
            #expect(!node.child.errors.contains("level=debug"))
            #expect(!node.child.errors.contains("nobody knows this"))

            // The rotation as it is described.
            for server in cluster.servers {
                try RedisWire(server.port).call("ACL", "SETUSER", "coordinator", ">next-password")
            }
            try put("next-password\n", secret)
            node.child.send(SIGHUP)
            try await logs("event=reloaded")
            #expect(node.child.errors.contains("needs-restart=--hold-down"))
            for server in cluster.servers {
                let wire = try RedisWire(server.port)
                try wire.call("ACL", "SETUSER", "coordinator", "<" + Security.daemonPassword)
                try wire.call("CLIENT", "KILL", "USER", "coordinator")
            }
            // It comes back with the new one, and works.
            let lines = try Traffic.lines(Traffic.options(200))
            environment["COORDINATOR_REDIS_PASSWORD_FILE"] = secret
            let imported = try await Child(
                [Package.program, "import", "-q", try Traffic.file(lines)],
                environment: environment
            ).finish()
            #expect(imported.code == 0, "\(imported.errors)")
            let waited = try await Child(
                [Package.program, "wait", "-q", "--timeout", "60s"], environment: environment
            ).finish()
            #expect(waited.code == 0, "\(waited.errors)")
            let old = try await stage.run(["leader"])
            #expect(old.code == 3, "the old password is gone: \(old.errors)")
            try await node.terminate()
            try await cluster.stop()
        }

        @Test(
            "each line of the log is whole, and holds no secret, no device and no user agent",
            arguments: ["json", "logfmt"])
        func log(format: String) async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "oldest"])
            let node = try stage.node([
                "--log-level", "debug", "--log-format", format, "--node-name", "n\u{202E}1",
            ])
            let wire = try stage.cluster.wire(of: RedisKeys.defaultSource)
            for number in 0..<50 {
                let hostile = "\u{1B}]0;owned\u{7}\r\n\u{9B}2J\u{202E}\u{0}\(number)"
                try wire.call(
                    "XADD", RedisKeys.defaultSource, "*", "url", "https://www.rtl.lu/\(hostile)",
                    "uui", "device-\(number)-\(hostile)", "dt", hostile, "ua", "agent-\(hostile)")
                try wire.call(
                    "XADD", RedisKeys.defaultSource, "*", "url", "https://www.rtl.lu/a/\(number)",
                    "uui", "device-\(number)", "ua", "agent-\(number)")
            }
            try await stage.must(["pause", "5m", "--yes"])
            try await eventually("all is read") { try await stage.ledger().read.value >= 100 }
            try await node.terminate()
            let text = node.child.errors
            #expect(text.contains("elected") && text.contains("term"))
            for word in ["device-", "agent-", "owned"] {
                #expect(!text.contains(word), "\(word): \(text.prefix(2_000))")
            }
            let isPlain = text.unicodeScalars.allSatisfy {
                $0 == "\n"
                    || ($0.value >= 0x20 && !(0x7F...0x9F).contains($0.value)
                        && !(0x202A...0x202E).contains($0.value))
            }
            #expect(isPlain, "\(text.prefix(2_000))")
            struct Line: Decodable {
                let time: String
                let level: String
                let node: String
                let event: String
            }
            for line in text.split(separator: "\n") {
                if format == "json" {
                    let read = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
                    #expect(read.time.hasSuffix("Z") && read.node == "n\u{202E}1")
                } else {
                    #expect(line.hasPrefix("time=20"), "\(line)")
                    #expect(line.contains(#" node="n\u{202e}1" event="#), "\(line)")
                }
            }
        }
    }
}
