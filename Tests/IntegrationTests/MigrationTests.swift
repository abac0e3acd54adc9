import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension ServerSuites {
    /// A Redis that the original's own package filled (`Tests/Original`) becomes a deployment.
    @Suite("Migration", .serialized)
    struct MigrationTests {
        private struct Summary: Decodable, Equatable {
            struct Count: Decodable, Equatable {
                let made: Int
                let changed: Int
                let unchanged: Int
            }

            let documents: Count
            let samples: Count
            let series: Int
            let skipped: [String: Int]
            let faults: Int
        }

        private struct Series: Decodable {
            struct Point: Decodable, Equatable {
                let window: Int64
                let value: Int64
            }

            let points: [Point]
        }

        private struct Answer: Decodable {
            struct Row: Decodable {
                let url: String
                let title: String?
                let key: String
            }

            let rows: [Row]
        }

        /// The original's Redis, filled once.
        private static let original = Task {
            let cluster = try await TestCluster("original", ["--single"])
            let child = try Child([
                "/usr/bin/env", "python3", Package.root + "/Tests/Original/original.py", "replay",
                "--redis", cluster.seeds, Package.root + "/Tests/Original/commands.ndjson.gz",
            ])
            let finished = try await child.finish()
            guard finished.code == 0 else { throw Trouble("replay: \(finished.errors)") }
            // The shape that its package wrote before: other names, flat levels, texts for numbers.
            let wire = try RedisWire(cluster.servers[0].port)
            let older =
                #"{"id":"x","url":"www.rtl.lu/kultur/theater/a/555.html","article_id":"","#
                + #""last_visited":"1721822400001","metadata":{"title":"Faust","#
                + #""display_data":1721800000000},"website":{"id":"w","name":"RTL"},"#
                + #""section":{"id":"s","pretty_name":"kultur/theater","level_0":"kultur"}}"#
            try wire.call("JSON.SET", "J::P:x::", "$", older)
            for (key, text) in [("1", "[]"), ("2", #"{"url":7}"#), ("3", #"{"url":"a b:c"}"#)] {
                try wire.call("JSON.SET", "J::P:\(key)::", "$", text)
            }
            try wire.call("SET", "J::P:4::", "no document")
            try wire.call("SET", "stranger", "")
            return cluster
        }

        private static func migrate(
            _ stage: Stage, _ options: String...
        ) async throws -> Summary {
            let source = try await original.value
            let finished = try await stage.must(
                ["migrate", "-q", "-o", "json", "--from-original", source.seeds] + options)
            return try JSONDecoder().decode(Summary.self, from: Data(finished.output.utf8))
        }

        private static func source() async throws -> RedisWire {
            try RedisWire(try await original.value.servers[0].port)
        }

        /// The page's URL as ours has it, by hand: some have upper case or a slash at the end.
        private static func normal(_ url: String) -> String {
            let host = url.prefix { $0 != "/" }
            let path = url.dropFirst(host.count)
            return host.lowercased() + (path.hasSuffix("/") ? path.dropLast() : path)
        }

        /// Page ids of the original by URL of ours.
        private static func pages() async throws -> [String: [String]] {
            let wire = try await source()
            var pages: [String: [String]] = [:]
            for key in try wire.call("KEYS", "J::P:*").items?.compactMap(\.text) ?? [] {
                guard key.count == 47, let text = try wire.call("JSON.GET", key, "url").text,
                    let url = try? JSONDecoder().decode(String.self, from: Data(text.utf8))
                else { continue }
                pages[normal(url), default: []].append(String(key.dropFirst(5).dropLast(2)))
            }
            return pages
        }

        /// Samples by the window of ours: added for pageviews, the greatest for devices.
        private static func samples(
            _ dimension: String, _ ids: [String], _ tier: String, _ length: Int64, _ metric: String
        ) async throws -> [Series.Point] {
            let wire = try await source()
            var values: [Int64: Int64] = [:]
            for id in ids {
                let key = "TS:\(tier):\(dimension):\(id)::\(metric)"
                guard try wire.call("EXISTS", key).int == 1 else { continue }
                for sample in try wire.call("TS.RANGE", key, "-", "+").items ?? [] {
                    guard let pair = sample.items, let time = pair[0].int,
                        let value = pair[1].text.flatMap(Double.init)
                    else { continue }
                    let window = time / length * length
                    let held = values[window] ?? 0
                    values[window] = metric == "PG" ? held + Int64(value) : max(held, Int64(value))
                }
            }
            return values.map { .init(window: $0.key, value: $0.value) }
                .sorted { $0.window < $1.window }
        }

        /// Everything that a migration writes, as one text.
        private static func state(_ stage: Stage) throws -> String {
            var lines: [String] = []
            for server in stage.cluster.masters {
                let wire = try RedisWire(server.port)
                for key in try wire.call("KEYS", "*").items?.compactMap(\.text) ?? [] {
                    if key.hasPrefix("J:") {
                        lines.append("\(key) \(try wire.call("JSON.GET", key).text ?? "")")
                    } else if key.hasPrefix("TS:") {
                        lines.append("\(key) \(try wire.call("TS.RANGE", key, "-", "+"))")
                    } else if key.hasPrefix("SS:LATEST") {
                        lines.append("\(key) \(try wire.call("ZRANGE", key, "0", "-1"))")
                    }
                }
            }
            return lines.sorted().joined(separator: "\n")
        }

        @Test("documents and series are found and shown; a second run changes nothing")
        func migrated() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let node = try stage.node()
            let looked = try await Self.migrate(stage, "--dry-run")
            #expect(try Self.state(stage).isEmpty, "a dry run writes nothing")
            let first = try await Self.migrate(stage)
            #expect(first.documents.made == looked.documents.made)
            #expect(first.samples == looked.samples && first.skipped == looked.skipped)
            let pages = try await Self.pages()
            #expect(pages.count >= 25 && first.faults == 0, "\(first)")
            // With the page of the older shape; websites and sections come on top.
            #expect(first.documents.made > pages.count + 1)
            #expect(first.skipped["unreadable"] == 3 && first.skipped["url"] == 1, "\(first)")
            #expect(first.skipped["foreign"] == 1 && first.skipped["shared"] ?? 0 > 0, "\(first)")
            #expect(first.skipped["sketch"] ?? 0 > 0 && first.skipped["deviceSet"] ?? 0 > 0)
            #expect(first.skipped["trackerStream"] == 1, "\(first)")
            let state = try Self.state(stage)
            let second = try await Self.migrate(stage)
            #expect(second.documents.made == 0 && second.documents.changed == 0, "\(second)")
            #expect(second.samples.made == 0, "\(second)")
            #expect(second.samples.unchanged == first.samples.made, "\(second)")
            #expect(try Self.state(stage) == state)
            try await shown(stage, pages)
            try await series(stage, pages)
            try await stage.expectSound()
            try await node.terminate()
        }

        private func shown(_ stage: Stage, _ pages: [String: [String]]) async throws {
            var found: Answer?
            try await eventually("all pages are found", within: .seconds(40)) {
                let finished = try await stage.run([
                    "search", "-n", "1000", "-o", "json", "--since", "2024-01-01T00:00:00Z",
                ])
                guard finished.code == 0 else { return false }
                let answer = try JSONDecoder().decode(
                    Answer.self, from: Data(finished.output.utf8))
                found = answer
                return answer.rows.count == pages.count + 1
            }
            let rows = try #require(found).rows
            #expect(
                Set(rows.map(\.url))
                    == Set(pages.keys).union(["www.rtl.lu/kultur/theater/a/555.html"]))
            #expect(rows.count { $0.title?.hasPrefix("L'été à Esch") == true } > 5)
            for (words, count) in [("élections ETE", 6), ("faust", 1), ("CREME café", 1)] {
                let text = try await stage.must(["search", words, "-o", "name"]).output
                #expect(text.split(separator: "\n").count >= count, "\(words): \(text)")
            }
            let page = try await stage.must([
                "show", "page", "www.rtl.lu/kultur/theater/a/555.html",
            ])
            for part in ["\"Faust\"", "1721800000000", "\"kultur/theater\"", "\"RTL\"", "555"] {
                #expect(page.output.contains(part), "\(page.output)")
            }
            let website = try await stage.must(["show", "website", "RTL"])
            #expect(website.output.contains("actu/monde") && website.output.contains("a/555.html"))
            let section = try await stage.must(["show", "section", "TODAY/news/luxembourg"])
            #expect(section.output.contains("1963501"), "\(section.output)")
        }

        private func series(_ stage: Stage, _ pages: [String: [String]]) async throws {
            func shown(_ words: [String]) async throws -> [Series.Point] {
                let finished = try await stage.must(
                    ["series", "--tier", "5MINUTES", "-o", "json"] + words + [
                        "--from", "2024-07-24T12:00:00Z", "--to", "2024-07-24T16:00:00Z",
                    ])
                return try JSONDecoder().decode(Series.self, from: Data(finished.output.utf8))
                    .points
            }
            func sha1(_ text: String) async throws -> String {
                let wire = try await Self.source()
                return try wire.call("EVAL", "return redis.sha1hex(ARGV[1])", "0", text).text ?? ""
            }
            let length: Int64 = 300_000
            // One of several spellings, one of a single one, a few others.
            for (url, ids) in pages.sorted(by: {
                ($1.value.count, $0.key) < ($0.value.count, $1.key)
            })
            .prefix(6) {
                let expected = try await Self.samples("P", ids, "5MINUTES", length, "PG")
                #expect(try await shown(["--page", url]) == expected, "\(url)")
            }
            #expect(pages.values.contains { $0.count == 2 })
            let website = try await Self.samples("W", [sha1("rtl")], "5MINUTES", length, "PG")
            #expect(website.count > 20)
            #expect(try await shown(["--website", "RTL"]) == website)
            let section = try await Self.samples(
                "S", [sha1("news/luxembourg")], "5MINUTES", length, "PG")
            #expect(try await shown(["--section", "TODAY/news/luxembourg"]) == section)
            // Devices of every tier, with their labels.
            let layout = try ShardLayout(count: 64)
            let id = try #require(RecordID(hex: try await sha1("RTL")))
            for (tier, hours) in [("5MINUTES", 12), ("10MINUTES", 6), ("1HOUR", 1)] {
                let key = "TS:\(tier):W:{\(layout.tag(of: layout.shard(of: id)))}\(id.hex)::UD"
                let wire = try stage.cluster.wire(of: key)
                let samples = try wire.call("TS.RANGE", key, "-", "+").items ?? []
                let points = samples.map {
                    Series.Point(
                        window: $0.items?[0].int ?? 0,
                        value: Int64(Double($0.items?[1].text ?? "") ?? -1))
                }
                let expected = try await Self.samples(
                    "W", [sha1("rtl")], tier, 3_600_000 / Int64(hours), "UD")
                #expect(points == expected && !points.isEmpty, "\(tier)")
                let labels = "\(try wire.call("TS.INFO", key)["labels"] ?? .null)"
                #expect(!labels.isEmpty)
            }
            let found = try stage.cluster.masters.flatMap { server in
                try RedisWire(server.port).call("TS.QUERYINDEX", "website_name=RTL", "M=UD").items
                    ?? []
            }
            #expect(found.count > 10, "series are found by their labels")
        }

        @Test("killed at any moment and run again, it ends as one that ran through")
        func resumed() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            _ = try await Self.migrate(stage)
            let expected = try Self.state(stage)
            let source = try await Self.original.value
            for patience in [1, 40, 200] {
                let again = try await Stage.fresh()
                try await again.initialise([])
                let child = try again.start([
                    "migrate", "-q", "--from-original", source.seeds,
                ])
                try await eventually("some keys are written") {
                    let keys = try again.cluster.masters.reduce(Int64(0)) { sum, server in
                        sum + (try RedisWire(server.port).call("DBSIZE").int ?? 0)
                    }
                    return child.code != nil || keys >= Int64(patience)
                }
                child.send(SIGKILL)
                _ = try await child.finish()
                _ = try await Self.migrate(again)
                #expect(try Self.state(again) == expected, "killed after \(patience) keys")
            }
        }

        @Test("what was counted here stays: newer visits, metadata, samples")
        func kept() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            _ = try await Self.migrate(stage)
            let page = "www.rtl.lu/kultur/theater/a/555.html"
            let layout = try ShardLayout(count: 64)
            let wire = try await Self.source()
            let hex = try wire.call("EVAL", "return redis.sha1hex(ARGV[1])", "0", page).text ?? ""
            let id = try #require(RecordID(hex: hex))
            let tag = layout.tag(of: layout.shard(of: id))
            let document = RedisKeys.document(.page, tag, id)
            let ours = try stage.cluster.wire(of: document)
            try ours.call("JSON.SET", document, "$.last_visited", "1800000000000")
            try ours.call("JSON.SET", document, "$.metadata.title", "\"Mine\"")
            let summary = try await Self.migrate(stage)
            #expect(summary.documents.changed == 0, "\(summary)")
            #expect(try ours.call("JSON.GET", document, "$.metadata.title").text == "[\"Mine\"]")
            #expect(try ours.call("JSON.GET", document, "$.last_visited").text == "[1800000000000]")
        }

        @Test("a Redis that is not there, or no Redis of the original's")
        func others() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let gone = try await stage.run([
                "migrate", "--from-original", "redis://127.0.0.1:1", "--timeout", "300ms",
            ])
            #expect(gone.code == 2 && gone.errors.contains("127.0.0.1:1"), "\(gone.errors)")
            let wrong = try await stage.run(["migrate", "--from-original", "ftp://x"])
            #expect(wrong.code == 78 && wrong.errors.contains("ftp"), "\(wrong.errors)")
            #expect(try await stage.run(["migrate"]).code == 64)
            // Its own cluster: a deployment's keys are not the original's. An administrator reads.
            let own = try await stage.must(
                ["migrate", "-o", "json", "-q", "--from-original", stage.cluster.seeds],
                environment: stage.cluster.asOther.filter { $0.key.hasSuffix("CACERT") })
            let summary = try JSONDecoder().decode(Summary.self, from: Data(own.output.utf8))
            #expect(summary.documents.made == 0 && summary.series == 0, "\(summary)")
        }
    }
}
