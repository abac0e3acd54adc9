import CoordinatorCore
import Foundation
import Glibc
import RedisClient
import Testing

extension ServerSuites {
    /// Series of many records at once agree with the windows, with labels and without, and pictures
    /// of them are pictures.
    @Suite("Series", .serialized)
    struct SeriesTests {
        private static let usage: Int32 = 64
        private static let partial: Int32 = 6
        private static let lines = Result { try Traffic.lines(Traffic.options(1_500, seed: 21)) }
        private static let from = "2000-01-01T00:00:00Z"

        private struct Point: Decodable, Hashable {
            let window: Int64
            let value: Int64

            init(window: Int64, value: Int64) {
                self.window = window
                self.value = value
            }

            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: Keys.self)
                window = Int64(try container.decode(Ledger.Count.self, forKey: .window).value)
                value = Int64(try container.decode(Ledger.Count.self, forKey: .value).value)
            }

            private enum Keys: String, CodingKey { case window, value }
        }

        private struct Line: Decodable {
            let id: String
            let name: String
            let points: [Point]
        }

        private struct Group: Decodable { let series: [Line] }

        private struct Row: Decodable {
            let id: String
            let name: String?
            let window: Int64
            let pageviews: Int64
            let devices: Int64
        }

        /// What the windows of a tier hold, by record.
        private func windows(
            _ stage: Stage, _ tier: String, _ dimension: String, _ metric: String
        ) async throws -> [String: Set<Point>] {
            let output = try await stage.must(
                ["export", "--tier", tier, "--dimension", dimension, "-o", "ndjson"]
            ).output
            var found: [String: Set<Point>] = [:]
            for line in output.split(separator: "\n") {
                let row = try JSONDecoder().decode(Row.self, from: Data(line.utf8))
                let value = metric == "PG" ? row.pageviews : min(row.devices, row.pageviews)
                // Where only views without a device came, there are no devices to show.
                guard value > 0 else { continue }
                found[row.id, default: []].insert(Point(window: row.window, value: value))
            }
            return found
        }

        private func group(_ stage: Stage, _ words: [String]) async throws -> [Line] {
            let output = try await stage.must(["series", "-o", "json"] + words).output
            return try JSONDecoder().decode(Group.self, from: Data(output.utf8)).series
        }

        private func begin(_ words: [String]) async throws -> (Stage, RunningNode, [String]) {
            let lines = try Self.lines.get()
            let stage = try await Stage.fresh()
            try await stage.initialise(
                ["--start", "oldest", "--grace", "1s", "--shards", "16"] + words)
            let node = try stage.node()
            try await stage.importFiles(try Traffic.file(lines))
            try await stage.wait()
            // The stretch that the windows lie in: a year of 5MINUTES would be too many at once.
            var newest: Int64 = 0
            let output = try await stage.must(
                ["export", "--tier", "3HOURS", "--dimension", "W", "-o", "ndjson"]
            ).output
            for line in output.split(separator: "\n") {
                let row = try JSONDecoder().decode(Row.self, from: Data(line.utf8))
                newest = max(newest, row.window)
            }
            let span = ["--from", "\(newest - 30 * 86_400_000)", "--to", "\(newest + 10_800_000)"]
            return (stage, node, span)
        }

        @Test("all sections of a website, all websites, and pages agree with their windows")
        func labelled() async throws {
            let (stage, node, span) = try await begin([])
            for (dimension, tier, metric) in [
                ("W", "1HOUR", "PG"), ("S", "1HOUR", "UD"), ("P", "3HOURS", "UD"),
                ("P", "5MINUTES", "PG"),
            ] {
                let truth = try await windows(stage, tier, dimension, metric)
                let found = try await group(
                    stage,
                    span + [
                        "--dimension", dimension, "--tier", tier, "--metric", metric, "-n", "1000",
                    ])
                #expect(!found.isEmpty && found.count == min(1_000, truth.count), "\(dimension)")
                for line in found {
                    #expect(Set(line.points) == truth[line.id], "\(dimension) \(tier) \(line.name)")
                }
            }
            let all = try await group(stage, span + ["--dimension", "S", "-n", "1000"])
            let own = try await group(
                stage, span + ["--website", "RTL", "--dimension", "S", "-n", "1000"])
            #expect(!own.isEmpty && own.count < all.count)
            let ids = Set(all.map(\.id))
            #expect(own.allSatisfy { ids.contains($0.id) })
            let first = try #require(own.first)
            let pages = try await group(
                stage,
                span + ["--website", "RTL", "--section", first.name, "--dimension", "P"])
            #expect(!pages.isEmpty && pages.count <= 20)
            #expect(pages.allSatisfy { $0.name.contains("/") }, "\(pages.map(\.name))")

            try await pictures(stage, span)
            try await silence(stage, span)
            try await node.terminate()
        }

        private func pictures(_ stage: Stage, _ span: [String]) async throws {
            let svg = try await stage.must(
                ["series", "--website", "RTL", "-o", "svg", "--size", "640x240"] + span)
            #expect(svg.output.hasPrefix("<svg") && svg.output.contains("width=\"640\""))
            #expect(svg.output.contains("pageviews of RTL") && svg.errors.isEmpty, "\(svg.errors)")
            let png = try stage.start(
                ["series", "--website", "RTL", "--dimension", "S", "-o", "png"] + span)
            #expect(try await png.finish().code == 0)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: png.outputFile))
            #expect(Array(bytes.prefix(4)) == [0x89, 0x50, 0x4E, 0x47] && bytes.count > 3_000)
            for line in [
                "top pages -o svg", "series --website RTL -o png --size 10x10",
                "series --website RTL -o svg --size big", "series --dimension S --page x",
                "series --dimension W --website RTL", "series --dimension S --section x",
                "series --dimension Q",
            ] {
                let finished = try await stage.run(line.split(separator: " ").map(String.init))
                #expect(finished.code == Self.usage, "\(line): \(finished.errors)")
            }
        }

        /// A master that does not answer is said, and what the others have is right.
        private func silence(_ stage: Stage, _ span: [String]) async throws {
            let server = try #require(stage.cluster.masters.last)
            kill(server.pid, SIGSTOP)
            let finished = try await stage.run(
                ["series", "--dimension", "S", "--timeout", "1s", "-o", "json"] + span)
            kill(server.pid, SIGCONT)
            // The control slot may lie there: then nothing can be said at all.
            #expect([Self.partial, 2].contains(finished.code), "\(finished.errors)")
            if finished.code == Self.partial {
                #expect(finished.errors.contains("partial"), "\(finished.errors)")
                _ = try JSONDecoder().decode(Group.self, from: Data(finished.output.utf8))
            }
        }

        @Test("without labels pages have none, and those with most views are shown all the same")
        func compact() async throws {
            let (stage, node, span) = try await begin(["--series-labels", "compact"])
            var sizes: [String: Int] = [:]
            for server in stage.cluster.masters {
                let wire = try RedisWire(server.port)
                for key in try wire.call("KEYS", "TS:*").items?.compactMap(\.text) ?? [] {
                    let info = try wire.call("TS.INFO", key)
                    let labels = info["labels"]?.items?.count ?? -1
                    let hasLabels = key.contains(":W:") || key.contains(":S:")
                    #expect(hasLabels ? labels > 3 : labels == 0, "\(key): \(labels)")
                    let chunk = info["chunkSize"]?.int
                    let isShort = key.contains(":1HOUR:") || key.contains(":3HOURS:")
                    #expect(chunk == (isShort ? 64 : 128), "\(key)")
                    sizes[hasLabels ? "labels" : "none", default: 0] += 1
                }
            }
            #expect(sizes.count == 2, "\(sizes)")
            let truth = try await windows(stage, "3HOURS", "P", "PG")
            let recent = [span[2], span[3], "--from", "\((Int64(span[3]) ?? 0) - 6 * 3_600_000)"]
            let pages = try await group(
                stage, recent + ["--dimension", "P", "--tier", "3HOURS", "-n", "50"])
            #expect(pages.count == 50)
            for page in pages {
                let known = truth[page.id] ?? []
                #expect(!page.points.isEmpty && known.isSuperset(of: page.points), "\(page.name)")
            }
            let sections = try await group(stage, span + ["--dimension", "S"])
            #expect(!sections.isEmpty)
            let refused = try await stage.run(["init"])
            #expect(refused.code == 78 && refused.errors.contains("series-labels"))
            try await node.terminate()
        }
    }
}
