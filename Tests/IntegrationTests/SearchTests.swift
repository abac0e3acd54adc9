import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension ServerSuites {
    /// Indexes that the leader keeps, and what is found with them.
    @Suite("Search", .serialized)
    struct SearchTests {
        private static let tracker = RedisKeys.defaultSource
        private static let limit: Duration = .seconds(40)

        private struct Answer: Decodable {
            struct Row: Decodable {
                let url: String?
                let name: String?
                let website: String?
                let key: String
            }

            let total: Int
            let partial: Bool
            let rows: [Row]

            var urls: [String] { rows.compactMap(\.url) }
            /// Sections with their websites, websites alone.
            var names: [String] {
                rows.map { [$0.website, $0.name].compactMap(\.self).joined(separator: "/") }
            }
        }

        private struct Index: Decodable {
            let index: String
            let master: String
            let complete: Bool?
        }

        private struct Status: Decodable {
            let indexes: [Index]
        }

        private static func answer(_ stage: Stage, _ words: [String]) async throws -> Answer {
            let finished = try await stage.run(["search", "-o", "json", "-n", "1000"] + words)
            guard finished.code == 0 || finished.code == 6 else {
                throw Trouble("search \(words): \(finished.code) \(finished.errors)")
            }
            return try JSONDecoder().decode(Answer.self, from: Data(finished.output.utf8))
        }

        private static func send(_ stage: Stage, _ urls: [String]) throws {
            let wire = try stage.cluster.wire(of: tracker)
            for url in urls { try wire.call("XADD", tracker, "*", "url", url, "uui", "d") }
        }

        /// Until everything is found, by every master and whole.
        private static func settled(_ stage: Stage, _ count: Int) async throws {
            var last = ""
            do {
                try await eventually("\(count) pages are found", within: limit) {
                    let finished = try await stage.run([
                        "search", "--since", "1d", "-o", "json", "-n", "1000",
                    ])
                    last = "\(finished.code) \(finished.errors)\(finished.output.prefix(300))"
                    guard finished.code == 0 else { return false }
                    let answer = try JSONDecoder().decode(
                        Answer.self, from: Data(finished.output.utf8))
                    return answer.total == count && answer.rows.count == count && !answer.partial
                }
            } catch {
                throw Trouble("\(error): \(last)")
            }
        }

        private static let pages = [
            "http://www.rtl.lu/actu/monde/a/1250240.html",
            "http://www.rtl.lu/actu/monde/caf%C3%A9_noir-au-lait/a/1250241.html",
            "http://www.rtl.lu/actu/monde.html", "http://www.rtl.lu/",
            "http://5minutes.rtl.lu/sport/football/2024/a/77.html",
            "http://today.rtl.lu/actu/x.html", "http://www.rtl.lu/a%2Fb/c",
            "http://www.rtl.lu/odd/not/inf/AND/or.html", "http://www.rtl.lu/a%2Cb/%7Bx%7D/c",
        ]

        @Test("words, filters and every kind of hostile text")
        func questions() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let node = try stage.node()
            try Self.send(stage, Self.pages)
            try await Self.settled(stage, Self.pages.count)
            let rows: [(words: [String], found: [Int])] = [
                (["monde"], [0, 1, 2]), (["MONDE", "actu"], [0, 1, 2]), (["mon"], [0, 1, 2]),
                (["café"], [1]), (["CAFE"], [1]), (["noir"], [1]), (["noir-au_lait"], [1]),
                (["1250241"], [1]), (["125024"], []), (["football 2024"], [4]), (["77"], [4]),
                (["inf"], [7]), (["not"], [7]), (["and"], [7]), (["or"], [7]),
                (["monde", "football"], []),
                (["--section", "actu"], [0, 1, 2, 5]), (["--section", "actu/monde"], [0, 1]),
                (["--section", "actu", "--website", "TODAY"], [5]),
                (["--website", "5minutes"], [4]), (["--section", "(home)"], [3]),
                (["--section", "a/b"], [6]), (["--level", "monde"], [0, 1, 2]),
                (["--level", "1=monde"], [0, 1, 2]), (["--level", "0=monde"], []),
                (["--level", "2=a"], [0]), (["--level", "a,b"], [8]), (["--level", "{x}"], [8]),
                (["--level", "2024", "sport"], [4]), (["--section", "ACTU/Monde"], [0, 1]),
                (["--section", "actu/monde/a"], [0]), (["monde", "--since", "1h"], [0, 1, 2]),
                (["monde", "--since", "2999-01-01T00:00:00Z"], []),
            ]
            for row in rows {
                for order in ["relevance", "last_visited"] {
                    let answer = try await Self.answer(stage, row.words + ["--sort", order])
                    let expected = row.found.map { String(Self.pages[$0].dropFirst(7)) }
                    #expect(answer.urls.sorted() == expected.sorted(), "\(row.words) by \(order)")
                    #expect(answer.total == expected.count, "\(row.words) by \(order)")
                }
            }
            try await sectionsAndWebsites(stage)
            try await hostile(stage)
            let check = try await stage.run(["check"])
            #expect(check.output.contains("complete, \(Self.pages.count) pages"), "\(check.output)")
            try await node.terminate()
            try await documents(stage)
        }

        /// What the pages belong to is found by its name, as pages are by their words.
        private func sectionsAndWebsites(_ stage: Stage) async throws {
            let actu = ["RTL/actu", "RTL/actu/monde", "TODAY/actu"]
            let every =
                actu + [
                    "RTL/(home)", "RTL/a/b", "RTL/odd/not", "RTL/a,b/{x}",
                    "5MINUTES/sport/football",
                ]
            let rows: [(words: [String], found: [String])] = [
                (["sections", "monde"], ["RTL/actu/monde"]), (["sections", "MON"], [actu[1]]),
                (["sections", "actu"], actu), (["sections", "--section", "actu"], actu),
                (["sections", "--section", "actu/monde"], [actu[1]]),
                (["sections", "--section", "actu/monde/a"], []),
                (["sections", "actu", "--website", "TODAY"], ["TODAY/actu"]),
                (["sections", "--level", "1=monde"], [actu[1]]),
                (["sections", "--level", "0=monde"], []),
                (["sections", "--section", "(home)"], ["RTL/(home)"]),
                (["sections", "home"], ["RTL/(home)"]),
                (["sections", "--section", "a/b"], ["RTL/a/b"]), (["sections", "rtl"], []),
                (["sections", "--since", "1h"], every), (["websites", "RTL"], ["RTL"]),
                (["websites", "tod"], ["TODAY"]), (["websites", "minutes"], []),
                (["websites", "--website", "5minutes"], ["5MINUTES"]),
                (["websites", "--since", "1h"], ["5MINUTES", "RTL", "TODAY"]),
                (["websites", "--since", "2999-01-01T00:00:00Z"], []),
            ]
            for row in rows {
                let answer = try await Self.answer(stage, ["--what"] + row.words)
                #expect(answer.names.sorted() == row.found.sorted(), "\(row.words)")
                #expect(answer.total == row.found.count && !answer.partial, "\(row.words)")
            }
            // Lists are written a minute after a website is new: not waited for here.
            let site = try await Self.answer(stage, ["--what", "websites", "tod"]).rows[0].key
            try stage.cluster.wire(of: site).call(
                "JSON.SET", site, "$.sections", #"[{"name":"actu/monde"},{"name":"home"}]"#)
            for (section, found) in [
                ("actu/monde", 1), ("actu", 1), ("act", 0), ("home", 1), ("monde", 0),
            ] {
                let answer = try await Self.answer(
                    stage, ["--what", "websites", "--website", "TODAY", "--section", section])
                #expect(answer.names == (found == 1 ? ["TODAY"] : []), "\(section)")
            }
            let level = try await stage.run(["search", "--what", "websites", "--level", "actu"])
            #expect(level.code == 64 && level.errors.contains("--section"), "\(level.errors)")
            let table = try await stage.must(["search", "--what", "sections", "monde"]).output
            #expect(table.contains("actu/monde") && !table.contains("TITLE"), "\(table)")
            let names = try await stage.must(["search", "--what", "websites", "tod", "-o", "name"])
            #expect(names.output == "TODAY\n", "\(names.output)")
        }

        /// Whatever is typed is answered by pages or by one sentence.
        private func hostile(_ stage: Stage) async throws {
            let texts = [
                "@url:(monde)", "*", "**", "-monde", "~monde", "%monde%", "monde|sport", "(monde",
                "monde)", "{monde}", "[0 +inf]", "@last_visited:[0 inf]", "\"monde", "'", "\\",
                "monde\\", "=>", "=>{$weight:5}", "$p0", "$", "@", "@@", "a:b", "monde*",
                "m*nde", "w'*'", "%%%%", "\u{202E}monde", "\u{1F600}", "\u{7}", "a\tb\nc",
                "ismissing(@title)", "DIALECT 1", "inf -inf +inf", "1e400", "0x10", "-0", ";", "#",
                "<script>", "--", "é\u{301}\u{301}", String(repeating: "x", count: 100_000),
                String(repeating: "* ", count: 5_000), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
            ]
            for text in texts {
                let websites = ["--what", "websites", "--section", text]
                for place in [["--", text], ["--level", text], ["--section", text], websites] {
                    let finished = try await stage.run(
                        ["search", "-o", "json"] + place, within: .seconds(30))
                    let lines = finished.errors.split(separator: "\n")
                    let what =
                        "\(place[0]) \(text.prefix(60)): \(finished.code) \(lines.first ?? "")"
                    #expect([0, 64].contains(finished.code), "\(what)")
                    #expect(finished.code == 0 ? lines.isEmpty : lines.count == 1, "\(what)")
                    #expect(!finished.errors.contains("redis at"), "\(what)")
                    if finished.code == 64 { #expect(finished.output.isEmpty, "\(what)") }
                }
            }
        }

        /// Documents say which shape they have; an older one gets what it lacks and keeps the rest.
        private func documents(_ stage: Stage) async throws {
            let show = try await stage.must(["show", "page", Self.pages[1], "-o", "json"]).output
            for part in ["\"schema_version\": 2", "\"words\": \"www rtl lu actu monde cafe noir"] {
                #expect(show.contains(part), "\(show)")
            }
            let answer = try await Self.answer(stage, ["lait"])
            let key = try #require(answer.rows.first?.key)
            let wire = try stage.cluster.wire(of: key)
            for path in ["$.schema_version", "$.words"] { try wire.call("JSON.DEL", key, path) }
            // The version before this one gave websites and sections no words.
            let site = try await Self.answer(stage, ["--what", "websites", "rtl"]).rows[0].key
            let other = try stage.cluster.wire(of: site)
            try other.call("JSON.DEL", site, "$.words")
            try other.call("JSON.SET", site, "$.schema_version", "1")
            try wire.call("JSON.SET", key, "$.metadata.title", "\"Kept\"")
            // A node that meets the page for the first time sends its document.
            let node = try stage.node()
            try Self.send(stage, [Self.pages[1]])
            try await eventually("the document has its words again", within: Self.limit) {
                try wire.call("JSON.GET", key, "$.words").text?.contains("noir") == true
            }
            #expect(try wire.call("JSON.GET", key, "$.schema_version").text == "[2]")
            #expect(try other.call("JSON.GET", site, "$.schema_version").text == "[2]")
            #expect(try await Self.answer(stage, ["--what", "websites", "rtl"]).total == 1)
            #expect(try await Self.answer(stage, ["kept"]).urls.count == 1, "a title is kept")
            try await node.terminate()
        }

        // MARK: Trouble

        /// A cluster of its own, with pages in every shard.
        private static func scene(
            _ options: [String], _ count: Int = 400
        ) async throws -> (stage: Stage, node: RunningNode) {
            let stage = Stage(cluster: try await TestCluster("search", options))
            try await stage.initialise([])
            let node = try stage.node()
            try send(stage, (0..<count).map { "http://www.rtl.lu/part\($0 % 7)/page/\($0).html" })
            try await settled(stage, count)
            return (stage, node)
        }

        private static func indexes(_ stage: Stage) async throws -> [Index] {
            let text = try await stage.run(["status", "-o", "json"]).output
            return try JSONDecoder().decode(Status.self, from: Data(text.utf8)).indexes
        }

        @Test("a master dies: its replica's index answers, and everything is found")
        func failover() async throws {
            let (stage, node) = try await Self.scene(["--replicas", "1", "--node-timeout", "1000"])
            let master = stage.cluster.masters[0]
            try await stage.cluster.fail(master)
            try await Self.settled(stage, 400)
            try Self.send(stage, (400..<450).map { "http://www.rtl.lu/part/page/\($0).html" })
            try await Self.settled(stage, 450)
            let indexes = try await Self.indexes(stage)
            #expect(indexes.count == 9 && indexes.allSatisfy { $0.complete == true }, "\(indexes)")
            try await node.terminate()
            try await stage.cluster.stop()
        }

        @Test("slots move, those of the indexes' own names among them: everything is found, once")
        func resharding() async throws {
            let (stage, node) = try await Self.scene(["--replicas", "0"])
            let masters = stage.cluster.masters
            let before = try await Self.indexes(stage)
            #expect(before.count == 9, "\(before)")
            let layout = try ShardLayout(count: 64)
            let shards = layout.shards.map {
                HashSlot(key: RedisKeys.shardState(layout.tag(of: $0)))
            }
            .filter { $0.rawValue < 5_461 }.prefix(8)
            let top = try #require(HashSlot(rawValue: 5_460))
            for slot in shards + [top] {
                try stage.cluster.move(slot, from: masters[0], to: masters[1])
            }
            try await Self.settled(stage, 400)
            try await eventually("the first master has indexes that answer", within: Self.limit) {
                let usable = try await Self.indexes(stage).filter { $0.complete == true }
                let names = Set(usable.map(\.index))
                return usable.count == 9 && names.count == 9
                    && names.subtracting(before.map(\.index)).count == 3
            }
            let check = try await stage.run(["check"])
            #expect(check.output.contains("no longer used"), "\(check.output)")
            // Back again: what was stranded is dropped.
            try stage.cluster.move(top, from: masters[1], to: masters[0])
            try await eventually("one index of a kind for each master", within: Self.limit) {
                let indexes = try await Self.indexes(stage)
                return indexes.count == 9 && indexes.allSatisfy { $0.complete == true }
            }
            try await Self.settled(stage, 400)
            try await stage.expectSound()
            try await node.terminate()
            try await stage.cluster.stop()
        }

        @Test("a master that does not answer: exit 6, partial, and what the others have")
        func partial() async throws {
            let (stage, node) = try await Self.scene(["--replicas", "0"])
            // Not the one that holds the deployment's settings.
            let control = try stage.cluster.port(of: RedisKeys.settings)
            let master = try #require(stage.cluster.masters.first { $0.port != control })
            kill(master.pid, SIGSTOP)
            defer { kill(master.pid, SIGCONT) }
            let finished = try await stage.run([
                "search", "page", "-o", "json", "-n", "1000", "--timeout", "1s",
            ])
            #expect(finished.code == 6, "\(finished.errors)")
            #expect(
                finished.errors.contains(":\(master.port) did not answer"), "\(finished.errors)")
            let answer = try JSONDecoder().decode(Answer.self, from: Data(finished.output.utf8))
            #expect(answer.partial && answer.total < 400 && answer.total > 200, "\(answer.total)")
            kill(master.pid, SIGCONT)
            try await Self.settled(stage, 400)
            try await node.terminate()
            try await stage.cluster.stop()
        }

        @Test(
            "without a node there are no indexes, and a search says so instead of finding nothing")
        func noLeader() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let finished = try await stage.run(["search", "monde"])
            #expect(finished.code == 6 && finished.errors.contains("no search index"))
            let status = try await stage.run(["status", "-o", "json"])
            #expect(status.output.contains("search indexes are missing"), "\(status.output)")
            let check = try await stage.run(["check"])
            #expect(check.output.contains("the leader makes them"), "\(check.output)")
            let node = try stage.node()
            try await eventually("the leader makes them", within: Self.limit) {
                try await stage.run(["search", "monde"]).code == 0
            }
            // What somebody drops by hand is made again.
            for server in stage.cluster.masters {
                let wire = try RedisWire(server.port)
                for name in try wire.call("FT._LIST").items ?? [] {
                    try wire.call("FT.DROPINDEX", name.text ?? "")
                }
            }
            try await eventually("they are made again", within: Self.limit) {
                try await stage.run(["search", "monde"]).code == 0
            }
            try await node.terminate()
        }
    }
}

extension TestCluster {
    /// Moves a slot with all its keys, as `redis-cli --cluster reshard` does.
    func move(_ slot: HashSlot, from: Server, to: Server) throws {
        let number = String(slot.rawValue)
        let source = try RedisWire(from.port)
        let target = try RedisWire(to.port)
        try target.call("CLUSTER", "SETSLOT", number, "IMPORTING", from.id ?? "")
        try source.call("CLUSTER", "SETSLOT", number, "MIGRATING", to.id ?? "")
        while true {
            let keys = try source.call("CLUSTER", "GETKEYSINSLOT", number, "10").items ?? []
            if keys.isEmpty { break }
            let words = ["MIGRATE", "127.0.0.1", "\(to.port)", "", "0", "5000", "KEYS"]
            try source.call(words.map { Array($0.utf8) } + keys.compactMap(\.bytes))
        }
        for server in [to, from] + masters.filter({ ![to.port, from.port].contains($0.port) }) {
            try RedisWire(server.port).call("CLUSTER", "SETSLOT", number, "NODE", to.id ?? "")
        }
    }
}
