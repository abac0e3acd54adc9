import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension OtherServerSuites {
    /// Pages get their articles' metadata from a real HTTP server, whatever it does and whatever
    /// becomes of nodes and masters.
    @Suite("Enrichment", .serialized)
    struct EnrichmentTests {
        /// What `enrichment status -o json` says, as far as tests look.
        struct Status: Decodable {
            struct Results: Decodable {
                let found: Int
                let failed: Int
                let missing: Int
                let givenUp: Int
                let skipped: Int
            }

            struct Node: Decodable {
                let node: String
                let asked: Bool
                let requests: Int
                let lastFailure: String?
            }

            struct Dead: Decodable {
                let url: String?
                let article: String
                let attempts: Int
                let reason: String
            }

            let queued: Int
            let scheduled: Int
            let tried: Int
            let dead: Int
            let results: Results
            let nodes: [Node]
            let deadPages: [Dead]
        }

        static func status(_ stage: Stage) async throws -> Status {
            let text = try await stage.must(["enrichment", "status", "-o", "json"]).output
            return try JSONDecoder().decode(Status.self, from: Data(text.utf8))
        }

        static func url(_ article: Int) -> String {
            "http://www.rtl.lu/actu/monde/a/\(article).html"
        }

        /// One view of each of these articles.
        static func view(_ stage: Stage, _ articles: Range<Int>) throws {
            let wire = try stage.cluster.wire(of: RedisKeys.defaultSource)
            try wire.pipeline(
                articles.map { article in
                    ["XADD", RedisKeys.defaultSource, "*", "url", url(article), "uui", "d"].map {
                        Array($0.utf8)
                    }
                })
            if stage.cluster.servers.contains(where: { $0.role == "replica" }) {
                try wire.call("WAIT", "1", "2000")
            }
        }

        /// The titles of all documents, by article.
        static func titles(_ stage: Stage) throws -> [Int: String] {
            let script = """
                local out = {}
                for _, key in ipairs(redis.call('KEYS', 'J::P:*')) do
                    out[#out + 1] = redis.call('JSON.GET', key, '$.article_id')
                    out[#out + 1] = redis.call('JSON.GET', key, '$.metadata.title')
                end
                return out
                """
            var titles: [Int: String] = [:]
            for server in stage.cluster.servers {
                guard let wire = try? RedisWire(server.port),
                    (try? wire.call("ROLE"))?.items?.first?.text == "master"
                else { continue }
                // A cluster that has just lost a master answers a moment later.
                guard
                    let items = try? wire.call(
                        "EVAL", "#!lua flags=allow-cross-slot-keys\n" + script, "0"
                    ).items
                else { continue }
                for index in stride(from: 0, to: items.count, by: 2) {
                    let article = (items[index].text ?? "").filter(\.isNumber)
                    guard let number = Int(article), let title = items[index + 1].text,
                        title != "[null]"
                    else { continue }
                    titles[number] = String(title.dropFirst(2).dropLast(2))
                }
            }
            return titles
        }

        /// Until every article has this edition's title.
        static func expectTitles(
            _ stage: Stage, _ articles: Range<Int>, edition: Int = 1,
            within limit: Duration = .seconds(90), location: SourceLocation = #_sourceLocation
        ) async throws {
            do {
                try await eventually("every page has its title", within: limit) {
                    let titles = try titles(stage)
                    return articles.allSatisfy {
                        titles[$0] == "Article \($0), edition \(edition)"
                    }
                }
            } catch {
                let titles = try titles(stage)
                let missing = articles.filter { titles[$0] == nil }
                let status = try await status(stage)
                Issue.record(
                    "\(error): \(missing.count), first \(missing.prefix(5)); \(status)",
                    sourceLocation: location)
            }
        }

        @Test("pages get title, kicker and date; each is asked for once and written once")
        func plain() async throws {
            let stage = try await Stage.fresh()
            let api = try await ArticleAPI.start()
            try await stage.initialise([])
            let node = try stage.node(api.arguments(["--enrich-rate", "200"]))
            try Self.view(stage, 1_000..<1_300)
            try await Self.expectTitles(stage, 1_000..<1_300)
            try await eventually("the queue is empty") {
                try await Self.status(stage).queued == 0
            }
            let stats = try await api.stats()
            #expect(stats.articles == 300 && stats.mostPerArticle == 1)
            let status = try await Self.status(stage)
            #expect(status.results.found == 300 && status.scheduled == 300 && status.dead == 0)
            #expect(status.tried == 0)
            let page = try await stage.must(["show", "page", Self.url(1_007)]).output
            for text in ["Kicker 1007", "1721851100000", "enriched_at"] {
                #expect(page.contains(text), "\(page)")
            }
            let table = try await stage.must(["enrichment", "status"]).output
            #expect(table.contains("WRITTEN") && table.contains("127.0.0.1"))
            // An edition later: only what is asked for is asked again.
            try await api.control("edition=2")
            try await stage.must(["enrichment", "retry", "--page", Self.url(1_007)])
            try await Self.expectTitles(stage, 1_007..<1_008, edition: 2)
            #expect(try await api.stats().requests == 301)
            try await node.terminate()
            try await api.stop()
        }

        @Test("settings that cannot work are refused at start, with the way out")
        func refused() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let url = "https://api.example.org/{article_id}"
            for (words, way) in [
                (["--enrich-url", url], "--enrich-allow api.example.org"),
                (["--enrich-url", "https://api.example.org/"], "{article_id}"),
                (
                    [
                        "--enrich-url", url, "--enrich-allow", "api.example.org", "--enrich-rate",
                        "x",
                    ],
                    "--enrich-rate"
                ),
            ] {
                let finished = try await stage.run(["run"] + words)
                #expect(finished.code == 78 && finished.errors.contains(way), "\(finished.errors)")
            }
        }

        @Test(
            "an API on this machine is not asked unless that is allowed; pages wait meanwhile")
        func inwards() async throws {
            let stage = try await Stage.fresh()
            let api = try await ArticleAPI.start()
            try await stage.initialise([])
            let words = api.arguments().filter { $0 != "--enrich-allow-private" }
            let node = try stage.node(words)
            try Self.view(stage, 1..<20)
            try await eventually("the refusal is told") {
                let status = try await Self.status(stage)
                return status.nodes.first?.lastFailure?.contains("not dialled") == true
            }
            #expect(node.child.errors.contains("not dialled"))
            #expect(try await api.stats().requests == 0)
            #expect(try await Self.status(stage).queued == 19)
            try await node.terminate()
            let other = try stage.node(api.arguments())
            try await Self.expectTitles(stage, 1..<20)
            try await other.terminate()
            try await api.stop()
        }

        @Test(
            "pages that cannot be had are given up with the reason, and asked for again on demand")
        func givenUp() async throws {
            let stage = try await Stage.fresh()
            let api = try await ArticleAPI.start()
            try await stage.initialise([])
            try await api.control("error_share=1&error_status=400")
            let node = try stage.node(api.arguments(["--enrich-rate", "100"]))
            try Self.view(stage, 1..<31)
            try await eventually("all are given up") { try await Self.status(stage).dead == 30 }
            let status = try await Self.status(stage)
            #expect(status.deadPages.count == 10 && status.results.givenUp == 30)
            #expect(status.deadPages.allSatisfy { $0.reason == "status 400" && $0.url != nil })
            #expect(try Self.titles(stage).isEmpty)
            try await api.control("error_share=0")
            let answer = try await stage.must(["enrichment", "retry", "-o", "json"]).output
            #expect(answer.contains("30"), "\(answer)")
            try await Self.expectTitles(stage, 1..<31)
            #expect(try await Self.status(stage).dead == 0)
            let nobody = try await stage.run([
                "enrichment", "retry", "--page", "http://www.rtl.lu/x",
            ])
            #expect(nobody.code == 64, "\(nobody.errors)")
            try await node.terminate()
            try await api.stop()
        }

        @Test("nodes are killed, others come: never over the limits, nothing lost, nothing twice")
        func killed() async throws {
            let stage = try await Stage.fresh()
            let api = try await ArticleAPI.start()
            try await stage.initialise([])
            try await api.control("error_share=0.3&stall_share=0.3&stall=0.4")
            let words = api.arguments([
                "--enrich-rate", "40", "--enrich-concurrency", "6", "--enrich-timeout", "2s",
                "--enrich-refresh", "0s",
            ])
            var nodes: [RunningNode] = []
            for name in ["a", "b", "c"] {
                nodes.append(try stage.node(words + ["--node-name", name]))
            }
            try Self.view(stage, 1..<601)
            for round in 0..<3 {
                let goal = 60 * (round + 1)
                try await eventually("it goes on") {
                    try await Self.status(stage).results.found >= goal
                }
                try await nodes[round].kill()
                nodes.append(try stage.node(words + ["--node-name", "later\(round)"]))
            }
            try await api.control("error_share=0&stall_share=0")
            try await Self.expectTitles(stage, 1..<601, within: .seconds(240))
            let status = try await Self.status(stage)
            #expect(status.results.found == 600, "written \(status.results.found) times")
            #expect(status.queued == 0 && status.scheduled == 0 && status.dead == 0)
            let stats = try await api.stats()
            print(
                "enrichment: \(stats.requests) requests, at most \(stats.mostPerSecond) in a "
                    + "second and \(stats.mostRunning) at once, \(status.results.failed) put off")
            #expect(stats.mostPerSecond <= 40)
            #expect(stats.mostRunning <= 6)
            for node in nodes.dropFirst(3) { try await node.terminate() }
            try await stage.expectSound()
            try await api.stop()
        }

        @Test("masters die, also that of the control slot; nothing is lost, limits hold")
        func failover() async throws {
            let cluster = try await TestCluster(
                "enrichment", ["--replicas", "1", "--node-timeout", "1000"])
            let stage = Stage(cluster: cluster)
            let api = try await ArticleAPI.start()
            try await stage.initialise([])
            let words = api.arguments([
                "--enrich-rate", "40", "--enrich-concurrency", "6", "--enrich-refresh", "0s",
            ])
            let nodes = try ["a", "b"].map { try stage.node(words + ["--node-name", $0]) }
            try Self.view(stage, 1..<401)
            try await eventually("it goes on") {
                try await Self.status(stage).results.found >= 100
            }
            let control = try cluster.port(of: RedisKeys.lease)
            let master = try #require(cluster.servers.first { $0.port == control })
            kill(master.pid, SIGKILL)
            try await Self.expectTitles(stage, 1..<401, within: .seconds(120))
            try await eventually("nothing waits") {
                let status = try await Self.status(stage)
                return status.queued == 0 && status.scheduled == 0
            }
            #expect(try await Self.status(stage).dead == 0)
            let stats = try await api.stats()
            #expect(stats.mostPerSecond <= 40 && stats.mostRunning <= 6, "\(stats)")
            for node in nodes { try await node.terminate() }
            try await api.stop()
            try await cluster.stop()
        }

        @Test("slots move to another master while pages are asked for, the control slot too")
        func migration() async throws {
            let cluster = try await TestCluster("enrichment", ["--replicas", "0"])
            let stage = Stage(cluster: cluster)
            let api = try await ArticleAPI.start()
            try await stage.initialise([])
            let words = api.arguments(["--enrich-rate", "60", "--enrich-refresh", "0s"])
            let node = try stage.node(words)
            try Self.view(stage, 1..<401)
            let layout = try ShardLayout(count: 64)
            let tags = layout.shards.prefix(8).map { RedisKeys.shardState(layout.tag(of: $0)) }
            for key in tags + [RedisKeys.lease] { try Self.move(HashSlot(key: key), key, cluster) }
            try await Self.expectTitles(stage, 1..<401)
            let status = try await Self.status(stage)
            #expect(status.results.found == 400 && status.queued == 0 && status.dead == 0)
            let stats = try await api.stats()
            #expect(stats.mostPerSecond <= 60 && stats.mostPerArticle == 1, "\(stats)")
            try await node.terminate()
            try await api.stop()
            try await cluster.stop()
        }

        private static func move(_ slot: HashSlot, _ key: String, _ cluster: TestCluster) throws {
            let number = String(slot.rawValue)
            let port = try cluster.port(of: key)
            guard let source = cluster.masters.first(where: { $0.port == port }),
                let target = cluster.masters.first(where: { $0.port != port })
            else { throw Trouble("no two masters") }
            let from = try RedisWire(source.port)
            let to = try RedisWire(target.port)
            try to.call("CLUSTER", "SETSLOT", number, "IMPORTING", source.id ?? "")
            try from.call("CLUSTER", "SETSLOT", number, "MIGRATING", target.id ?? "")
            while true {
                let keys = try from.call("CLUSTER", "GETKEYSINSLOT", number, "10").items ?? []
                if keys.isEmpty { break }
                let words = ["MIGRATE", "127.0.0.1", "\(target.port)", "", "0", "5000", "KEYS"]
                try from.call(words.map { Array($0.utf8) } + keys.compactMap(\.bytes))
            }
            for server in cluster.masters {
                try RedisWire(server.port).call(
                    "CLUSTER", "SETSLOT", number, "NODE", target.id ?? "")
            }
        }

        @Test(
            "a shard goes back to an earlier state: pages it lost are asked for again"
        )
        func rollback() async throws {
            let cluster = try await TestCluster("enrichment", ["--replicas", "0"])
            let stage = Stage(cluster: cluster)
            let api = try await ArticleAPI.start()
            try await stage.initialise([])
            let node = try stage.node(
                api.arguments(["--enrich-rate", "200", "--enrich-refresh", "0s"]))
            // Queued and not yet asked for: the API does not answer.
            try await api.control("error_share=1&error_status=503")
            try Self.view(stage, 1..<101)
            try await eventually("all are counted") {
                let status = try await Self.status(stage)
                return status.queued + status.scheduled == 100
            }
            let layout = try ShardLayout(count: 64)
            let own = layout.shard(of: HashSlot(key: RedisKeys.defaultSource))
            let shards = layout.shards.filter { $0 != own }
            var saved: [[(key: [UInt8], dump: [UInt8], ttl: String)]] = []
            for shard in shards {
                let key = RedisKeys.shardState(layout.tag(of: shard))
                saved.append(
                    try ServerSuites.FaultTests.save(HashSlot(key: key), try cluster.wire(of: key)))
            }
            try await api.control("error_share=0")
            try await Self.expectTitles(stage, 1..<101)
            try await api.control("edition=2")
            for (shard, keys) in zip(shards, saved) {
                let key = RedisKeys.shardState(layout.tag(of: shard))
                try ServerSuites.FaultTests.restore(
                    HashSlot(key: key), keys, try cluster.wire(of: key))
            }
            try await eventually("what went back has the newer title", within: .seconds(90)) {
                let titles = try Self.titles(stage)
                return (1..<101).allSatisfy { titles[$0] != nil }
                    && titles.values.filter { $0.hasSuffix("edition 2") }.count > 80
            }
            try await node.terminate()
            try await api.stop()
            try await cluster.stop()
        }
    }
}
