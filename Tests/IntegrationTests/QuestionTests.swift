import CoordinatorCore
import Foundation
import Testing
import TrafficGenerator

extension ServerSuites {
    /// Whatever is asked of `top`, `report`, `series` and `export`: an independent count of the
    /// same events gives the same figures.
    @Suite("Questions and their truth", .serialized)
    struct QuestionTests {
        /// 2024-10-26: the second of its days has 25 hours in Luxembourg.
        private static let start: Int64 = 1_729_900_800_000
        private static let hour: Int64 = 3_600_000
        private static let questions = Package.number("COORDINATOR_TEST_QUESTIONS") ?? 500

        /// What there is to ask about.
        private struct World {
            var websites: [String] = []
            var sections: [(website: String, name: String)] = []
            var pages: [String] = []
            var items: [(kind: String, name: String)] = []
        }

        private struct Rows: Decodable {
            struct Row: Decodable {
                let name: String?
                let url: String?
                let website: String?
            }

            let rows: [Row]
        }

        private static func options() -> TrafficOptions {
            var options = Traffic.options(12_000, seed: 20_261_124)
            options.startMilliseconds = start
            options.spanMilliseconds = 60 * hour
            options.pages = 1_500
            options.devices = 4_000
            options.playFraction = 0.05
            return options
        }

        @Test("500 random questions agree with an independent count, devices to the unit")
        func agree() async throws {
            let seed = UInt64(Package.number("COORDINATOR_TEST_SEED") ?? 4)
            let file = try Traffic.file(Traffic.lines(Self.options()))
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "oldest", "--grace", "1s"])
            let node = try stage.node()
            try await stage.importFiles(file)
            try await stage.wait()
            let world = try await Self.world(stage)
            var random = SplitMix64(seed: seed)
            var questions: [[String]] = []
            for _ in 0..<Self.questions {
                questions.append(Self.question(world, &random))
            }
            let answers = try await Self.answers(questions, stage)
            let sites = try Scratch.file("sites.json", Array(Truth.sites.utf8))
            let plain = try await TestCluster.plain.value
            let child = try Child([
                "/usr/bin/env", "python3", Package.root + "/Tests/Truth/questions.py", "--sites",
                sites, "--pfcount", plain.seeds, answers, file,
            ])
            let finished = try await child.finish(within: .seconds(300))
            print("questions of seed \(seed):", finished.output)
            #expect(finished.code == 0, "\(finished.output)\(finished.errors)")
            try await node.terminate()
        }

        /// A line for each question with the program's own JSON, four of them at a time.
        private static func answers(
            _ questions: [[String]], _ stage: Stage
        ) async throws -> String {
            var lines: [UInt8] = []
            for part in stride(from: 0, to: questions.count, by: 4) {
                let some = questions[part..<min(part + 4, questions.count)]
                let children = try some.map { try stage.start($0 + ["-o", "json"]) }
                for (words, child) in zip(some, children) {
                    let finished = try await child.finish()
                    guard finished.code == 0 else {
                        throw Trouble("\(words.joined(separator: " ")): \(finished.errors)")
                    }
                    let object = try JSONSerialization.data(
                        withJSONObject: [
                            "words": words,
                            "answer": try JSONSerialization.jsonObject(
                                with: Data(finished.output.utf8)),
                        ])
                    lines += object + [0x0A]
                }
            }
            return try Scratch.file("answers.ndjson", lines)
        }

        private static func world(_ stage: Stage) async throws -> World {
            var world = World()
            func rows(_ what: String) async throws -> [Rows.Row] {
                let words = [
                    "top", what, "--last", "7d", "-n", "400", "--at", "\(start + 61 * hour)",
                    "-o", "json",
                ]
                let text = try await stage.must(words).output
                return try JSONDecoder().decode(Rows.self, from: Data(text.utf8)).rows
            }
            world.websites = try await rows("websites").compactMap(\.name)
            world.sections = try await rows("sections").compactMap { row in
                row.website.flatMap { website in row.name.map { (website, $0) } }
            }
            world.pages = try await rows("pages").compactMap(\.url)
            for kind in ["audio", "video", "podcast"] {
                world.items += try await rows(kind).compactMap { row in
                    row.name.map { (kind, $0) }
                }
            }
            try #require(world.websites.count > 2 && world.sections.count > 20)
            try #require(world.pages.count == 400 && world.items.count > 10)
            return world
        }

        // MARK: Questions

        private static func pick<Value>(_ values: [Value], _ random: inout SplitMix64) -> Value {
            values[Int.random(in: 0..<values.count, using: &random)]
        }

        private static func question(_ world: World, _ random: inout SplitMix64) -> [String] {
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<9: top(world, &random)
            case 9..<16: report(world, &random)
            case 16..<19: series(world, &random)
            default: export(&random)
            }
        }

        /// A time within the last day and a half of the events, and how far back from there.
        private static func period(_ random: inout SplitMix64) -> [String] {
            let at = start + Int64.random(in: 25 * hour...61 * hour, using: &random)
            let spans = ["30m", "1h", "90m", "5h", "24h", "2d", "7d"]
            let zones = ["UTC", "Europe/Luxembourg", "Asia/Kolkata", "America/New_York"]
            let day = ["today", "yesterday"][Int.random(in: 0...1, using: &random)]
            if Int.random(in: 0..<4, using: &random) == 0 {
                let zone = pick(zones, &random)
                return ["--last", day, "--tz", zone, "--at", "\(at)"]
            }
            return ["--last", pick(spans, &random), "--at", "\(at)"]
        }

        private static func top(_ world: World, _ random: inout SplitMix64) -> [String] {
            let lists = [
                "pages", "pages", "pages", "sections", "sections", "websites", "audio", "video",
                "podcast",
            ]
            let what = pick(lists, &random)
            var words = ["top", what] + period(&random)
            words += ["-n", "\(Int.random(in: 1...30, using: &random))"]
            if Int.random(in: 0..<3, using: &random) == 0 { words += ["--by", "devices"] }
            // A day and a half of events has no week before it, nor two days of two days.
            let isLong = words.contains("2d") || words.contains("7d")
            if !isLong, Int.random(in: 0..<3, using: &random) == 0 {
                words += ["--compare", ["previous", "day"][Int.random(in: 0...1, using: &random)]]
            }
            guard ["pages", "sections"].contains(what) else { return words }
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                words += ["--website", pick(world.websites, &random)]
            case 1:
                let section = pick(world.sections, &random)
                // Often the level above: a section that may have no page of its own.
                let isAbove = Bool.random(using: &random)
                let name = isAbove ? String(section.name.split(separator: "/")[0]) : section.name
                words += ["--section", section.website + "/" + name]
            default: break
            }
            return words
        }

        private static func report(_ world: World, _ random: inout SplitMix64) -> [String] {
            var words = ["report"] + period(&random)
            let count = [1, 1, 2, 5, 20][Int.random(in: 0..<5, using: &random)]
            if Int.random(in: 0..<8, using: &random) == 0 {
                for _ in 0..<count {
                    let item = pick(world.items, &random)
                    words += ["--\(item.kind)", item.name]
                }
                return words
            }
            var websites = 0
            for _ in 0..<count {
                switch Int.random(in: 0..<7, using: &random) {
                case 0 where count != 2:
                    // One website beside sections would say whose they are.
                    websites += 1
                    words += ["--website", pick(world.websites, &random)]
                case 1, 2:
                    let section = pick(world.sections, &random)
                    words += ["--section", section.website + "/" + section.name]
                default:
                    words += ["--page", pick(world.pages, &random)]
                }
            }
            if websites == 1, words.contains("--section") {
                let other = pick(world.websites, &random)
                words += ["--website", other]
            }
            return words
        }

        private static func series(_ world: World, _ random: inout SplitMix64) -> [String] {
            let tiers = ["5MINUTES", "10MINUTES", "1HOUR", "3HOURS"]
            let from = start + Int64.random(in: 0...50 * hour, using: &random)
            let to = from + Int64.random(in: hour / 4...30 * hour, using: &random)
            var words = [
                "series", "--tier", pick(tiers, &random), "--metric",
                ["PG", "UD"][Int.random(in: 0...1, using: &random)], "--from", "\(from)", "--to",
                "\(to)",
            ]
            switch Int.random(in: 0..<5, using: &random) {
            case 0: words += ["--website", pick(world.websites, &random)]
            case 4:
                let item = pick(world.items, &random)
                words += ["--\(item.kind)", item.name]
            case 1:
                let section = pick(world.sections, &random)
                words += ["--website", section.website, "--section", section.name]
            default: words += ["--page", pick(world.pages, &random)]
            }
            return words
        }

        private static func export(_ random: inout SplitMix64) -> [String] {
            let tiers = ["5MINUTES", "10MINUTES", "1HOUR", "3HOURS"]
            let from = start + Int64.random(in: 0...55 * hour, using: &random)
            return [
                "export", "--tier", pick(tiers, &random), "--dimension",
                pick(["W", "S", "P", "A", "V", "PC"], &random), "--from",
                "\(from)",
                "--to", "\(from + Int64.random(in: 0...5 * hour, using: &random))",
            ]
        }
    }
}
