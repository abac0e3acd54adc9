import CoordinatorCore
import Foundation
import Testing
import TrafficGenerator

extension ServerSuites {
    /// What people and scripts meet: sentences that name the trouble and the way out, exit codes,
    /// the JSON of the interface, tables that fit a terminal.
    @Suite("Commands", .serialized)
    struct CommandTests {
        /// Exit codes of the interface.
        private enum Code {
            static let unreachable: Int32 = 2
            static let unhealthy: Int32 = 5
            static let usage: Int32 = 64
            static let configuration: Int32 = 78
        }

        private func run(
            _ words: [String], at url: String
        ) async throws -> Child.Finished {
            try await Child(
                [Package.program] + words, environment: ["COORDINATOR_REDIS_URL": url]
            ).finish(within: .seconds(30))
        }

        @Test(
            "wrong usage is 64, wrong settings are 78, each with the word that is wrong",
            arguments: [
                ("statsu", 64, "did you mean status"), ("bogus", 64, "bogus"),
                ("status -o xml", 64, "xml"), ("status --no-such", 64, "no-such"),
                ("top nothing", 64, "nothing"), ("wait --timeout soon", 64, "soon"),
                ("import", 64, "file"), ("import --count some x", 64, "some"),
                ("init --shards many", 64, "many"), ("sources steal KEY", 64, "steal"),
                ("report --last never", 64, "never"), ("top pages --last tomorrow", 64, "today"),
                ("top pages --compare month", 64, "month"),
                ("trending pages --times 0", 64, "times"), ("export --dimension X", 64, "X"),
                ("export --dimension D", 64, "D"), ("top device", 64, "device"),
                ("init --shards 3", 78, "shards 3"), ("init --tiers 1m,90s/1h", 78, "90SECONDS"),
                ("init --tiers 1m,5m/1m", 78, "5"), ("init --tiers nonsense", 78, "tiers"),
                ("init --grace 99d", 78, "grace"), ("init --outage-allowance 99d", 78, "allowance"),
                ("init --start never", 78, "never"),
                ("init --sites /nonexistent", 78, "/nonexistent"),
                ("config validate --grace 25h", 78, "grace"),
                ("status --redis-url ftp://x", 78, "ftp"),
                ("status --redis-url host:0", 78, "host:0"),
                ("history -n 0", 64, "number"), ("drain", 64, "node"), ("pause", 64, "tier"),
                ("drian n1", 64, "did you mean drain"), ("step-down now", 64, "now"),
                ("run --lease 1ms", 78, "lease"), ("run --node-name a/b", 78, "node-name"),
            ] as [(String, Int32, String)])
        func wrong(line: String, code: Int32, word: String) async throws {
            let finished = try await run(
                line.split(separator: " ").map(String.init), at: "redis://127.0.0.1:1")
            #expect(finished.code == code, "\(line): \(finished.errors)")
            #expect(finished.errors.contains(word), "\(line): \(finished.errors)")
            #expect(finished.output.isEmpty, "\(line): \(finished.output)")
            let isSentence = finished.errors.hasPrefix("coordinator: ")
            #expect(isSentence, "\(line): \(finished.errors)")
        }

        private static let readers = [
            "trending pages", "live", "top pages --last today --tz Europe/Luxembourg",
            "status", "shards", "tiers", "sources", "leader", "wait", "export", "audit",
            "top pages", "report --website RTL", "config show", "nodes", "history", "drain n1",
            "step-down", "rebalance", "pause 5m", "resume 5m", "search x",
        ]

        @Test("nobody there is 2, and names the address", arguments: readers + ["init", "check"])
        func unreachable(line: String) async throws {
            let words = line.split(separator: " ").map(String.init) + ["--timeout", "300ms"]
            let finished = try await run(words, at: "redis://127.0.0.1:1")
            let expected =
                line == "check" ? [Code.unreachable, Code.unhealthy] : [Code.unreachable]
            #expect(expected.contains(finished.code), "\(finished.code): \(finished.errors)")
            #expect(
                (finished.errors + finished.output).contains("127.0.0.1:1"), "\(finished.errors)")
        }

        @Test("no deployment is 78, and names init")
        func noDeployment() async throws {
            let stage = try await Stage.fresh()
            for line in Self.readers + ["import x"] {
                let finished = try await stage.run(line.split(separator: " ").map(String.init))
                #expect(finished.code == Code.configuration, "\(line): \(finished.errors)")
                #expect(finished.errors.contains("coordinator init"), "\(line): \(finished.errors)")
            }
        }

        @Test("one server without cluster mode is 78, and names the setting")
        func noCluster() async throws {
            let plain = try await TestCluster.plain.value
            for line in ["init", "status", "export"] {
                let finished = try await run([line], at: plain.seeds)
                #expect(finished.code == Code.configuration, "\(line): \(finished.errors)")
                #expect(finished.errors.contains("cluster-enabled"), "\(line): \(finished.errors)")
            }
            let check = try await run(["check"], at: plain.seeds)
            #expect(check.code == Code.unhealthy)
            for word in ["cluster mode", "JSON", "Search", "TimeSeries", "Bloom"] {
                #expect(check.output.contains(word), "\(check.output)")
            }
        }

        @Test("a cluster without modules, or that evicts, does not pass the check")
        func unfit() async throws {
            let bare = try await TestCluster("bare", ["--plain"])
            let check = try await run(["check"], at: bare.seeds)
            #expect(check.code == Code.unhealthy)
            #expect(check.output.contains("[ERROR]") && check.output.contains("not loaded"))
            let refused = try await run(["init"], at: bare.seeds)
            #expect(refused.code == Code.unhealthy, "\(refused.errors)")
            #expect(refused.errors.contains("not loaded"), "\(refused.errors)")
            try await bare.stop()
            let stage = try await Stage.fresh()
            let before = try await stage.run(["check"])
            #expect(before.code == 0, "\(before.output)")
            for server in stage.cluster.masters {
                try RedisWire(server.port).call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
            }
            let evicting = try await stage.run(["check"])
            let begun = try await stage.run(["init"])
            for server in stage.cluster.masters {
                try RedisWire(server.port).call("CONFIG", "SET", "maxmemory-policy", "noeviction")
            }
            #expect(evicting.code == Code.unhealthy)
            #expect(evicting.output.contains("noeviction"), "\(evicting.output)")
            #expect(begun.code == Code.unhealthy, "\(begun.errors)")
            #expect(begun.errors.contains("noeviction"), "\(begun.errors)")
            #expect(try await stage.run(["status"]).code == Code.configuration)
        }

        @Test("settings are written once: the same again is fine, others are refused by name")
        func initTwice() async throws {
            let stage = try await Stage.fresh()
            let settings = ["shards": "8", "grace": "5s", "tiers": "1s,5s/30s"]
            func words(_ settings: [String: String]) -> [String] {
                ["init"] + settings.map { "--\($0.key)=\($0.value)" }
            }
            try await stage.must(words(settings))
            let again = try await stage.must(words(settings))
            #expect(again.errors.contains("nothing was changed"))
            for (name, value) in [("shards", "16"), ("grace", "6s"), ("tiers", "1s,10s/30s")] {
                let other = try await stage.run(words(settings.merging([name: value]) { $1 }))
                #expect(other.code == Code.configuration, "\(other.errors)")
                #expect(other.errors.contains(name), "\(other.errors)")
            }
            let shown = try await stage.must(["config", "show"]).output
            #expect(shown.contains("1s,5s/30s"), "\(shown)")
        }

        @Test("sources come and go; what is none is said")
        func sources() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--source", "ST:A::::", "--source", "ST:B::::"])
            try await stage.must(["sources", "add", "ST:C::::"])
            #expect(try await stage.ledgers().map(\.key) == ["ST:A::::", "ST:B::::", "ST:C::::"])
            try await stage.must(["sources", "forget", "ST:A::::"])
            let again = try await stage.run(["sources", "forget", "ST:A::::"])
            #expect(again.code == Code.usage && again.errors.contains("ST:A::::"))
            let odd = try await stage.run(["sources", "add", "two words"])
            #expect(odd.code == Code.usage, "\(odd.errors)")
            #expect(try await stage.ledgers().map(\.key) == ["ST:B::::", "ST:C::::"])
        }

        @Test("waiting ends with 2 and says for what")
        func waiting() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let finished = try await stage.run(["wait", "--timeout", "300ms"])
            #expect(finished.code == Code.unreachable)
            #expect(finished.errors.contains("no node"), "\(finished.errors)")
            // How long commands wait for Redis, set for all of them, is not how long this one does.
            let all = try stage.start(["wait"], environment: ["COORDINATOR_TIMEOUT": "300ms"])
            try await eventually("it says what it waits for") { all.errors.contains("waiting:") }
            let node = try stage.node()
            #expect(try await all.finish().code == 0)
            try await node.terminate()
        }

        @Test("the JSON has the fields that scripts rely on, and tables fit 80 columns")
        func shapes() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "oldest", "--grace", "1s"])
            let node = try stage.node()
            let start = Int64(Date().timeIntervalSince1970 * 1_000) - 3_600_000
            var options = Traffic.options(500, seed: 9)
            options.startMilliseconds = start
            options.spanMilliseconds = 1_800_000
            try await stage.importFiles(try Traffic.file(Traffic.lines(options)))
            try await stage.wait()
            for (line, fields) in Self.fields {
                let words = line.split(separator: " ").map(String.init)
                let output = try await stage.must(words + ["-o", "json"]).output
                let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
                for field in fields {
                    #expect(Self.has(field.split(separator: "."), in: value), "\(line): \(field)")
                }
                let table = try await stage.must(words).output
                let longest = table.split(separator: "\n").map(\.count).max() ?? 0
                #expect(longest <= 80, "\(line):\n\(table)")
                #expect(!table.contains("\u{1B}"), "colours in a file: \(line)")
            }
            for line in Self.rows {
                let words = line.split(separator: " ").map(String.init)
                let rows = try await stage.must(words + ["-o", "ndjson"]).output
                let first = try #require(rows.split(separator: "\n").first, "\(line)")
                let value = try JSONSerialization.jsonObject(with: Data(first.utf8))
                let covers = line == "export" ? ["final"] : ["from", "to", "final"]
                for field in covers {
                    #expect(Self.has([field[...]], in: value), "\(line): \(first)")
                }
            }
            try await node.terminate()
        }

        /// What is read row by row says in each what it covers.
        private static let rows = [
            "top pages --last 24h", "report --website RTL --website TODAY --last 24h",
            "trending pages --last 1h --floor 1 --times 1",
            "series --website RTL --tier 5MINUTES --from 2h", "series --dimension W --from 2h",
            "export",
        ]

        private static let fields: [(String, [String])] = [
            (
                "status",
                [
                    "observedAt", "partial", "health.state", "health.reasons", "leader.node",
                    "leader.term", "leader.since", "leader.leaseRemainingMs", "leader.leaseMs",
                    "nodes.node",
                    "nodes.host", "nodes.role", "nodes.state", "nodes.shards", "nodes.version",
                    "nodes.heartbeatAt", "nodes.heartbeatEveryMs", "nodes.timeToLiveMs",
                    "nodes.silent", "shardMap.version", "shardMap.shards", "shardMap.owned",
                    "shardMap.orphaned", "shardMap.moving", "tiers.tier", "tiers.lengthMs",
                    "tiers.keepMs", "tiers.sealedTo", "tiers.lagMs", "tiers.runs.done",
                    "tiers.runs.open", "sources.key", "sources.readTo", "sources.lastId",
                    "sources.lag", "sources.read", "sources.counted", "sources.refused",
                ]
            ),
            ("shards", ["shard", "tag", "slots", "node", "token", "master", "sealedTo.5MINUTES"]),
            ("tiers", ["tier", "lengthMs", "keepMs", "sealedTo", "lagMs"]),
            ("sources", ["key", "readTo", "lastId", "lag", "read", "counted", "refused"]),
            (
                "top pages --last 24h",
                ["from", "to", "final", "rows.rank", "rows.id", "rows.pageviews"]
            ),
            (
                "top pages --last 1h --compare previous",
                [
                    "compared.with", "compared.from", "compared.to", "compared.source",
                    "rows.title", "rows.previousRank", "rows.rankChange",
                    "rows.previousPageviews", "rows.pageviewsChange", "rows.previousDevices",
                ]
            ),
            (
                "top sections --last yesterday --tz Asia/Kolkata --compare day --by devices",
                ["askedFrom", "askedTo", "timeZone", "from", "to", "compared.from"]
            ),
            (
                "report --website RTL --website TODAY --section 5MINUTES/(home) --last 24h",
                ["pageviews", "devices", "records.dimension", "records.id", "records.partOf"]
            ),
            (
                "trending pages --last 1h --floor 1 --times 1",
                [
                    "baseline.from", "baseline.intervals", "floor", "times", "rows.typical",
                    "rows.rise", "rows.reason", "rows.pageviews", "rows.url",
                ]
            ),
            (
                "live",
                [
                    "now", "from", "final", "barMs", "lastBar", "devices", "bars.window",
                    "bars.pageviews", "rows",
                ]
            ),
            (
                "top websites --last 24h --by devices",
                ["rows.name", "rows.website", "rows.devices"]
            ),
            (
                "report --website RTL --last 24h",
                ["from", "to", "final", "pageviews", "devices", "deviceError"]
            ),
            ("top audio --last 24h", ["rows.id", "rows.name", "rows.pageviews", "rows.devices"]),
            ("report --video item-0 --last 24h", ["id", "name", "pageviews", "devices"]),
            ("series --podcast item-0", ["metric", "points.value"]),
            ("show audio item-0", ["document.name", "document.last_visited"]),
            ("export --dimension PC", ["id", "name", "pageviews"]),
            ("export", ["tier", "dimension", "id", "name", "window", "pageviews", "devices"]),
            ("audit", ["ok", "windows", "violations", "sources"]),
            ("check", ["ok"]), ("leader", ["node", "term"]), ("version", ["version"]),
        ]

        /// Whether a path of names leads to something; of lists the first element is looked at.
        private static func has(_ path: [Substring], in value: Any) -> Bool {
            var value = value
            for name in path {
                if let list = value as? [Any] {
                    guard let first = list.first else { return false }
                    value = first
                }
                guard let object = value as? [String: Any], let next = object[String(name)] else {
                    return false
                }
                value = next
            }
            return true
        }
    }
}
