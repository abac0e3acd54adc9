import CoordinatorCore
import Foundation
import RedisClient
import Testing

extension ServerSuites {
    /// What was stored to take over a terminal or a spreadsheet is shown by every command in every
    /// format, and obeyed by none.
    @Suite("Hostile output", .serialized)
    struct HostileOutputTests {
        /// Clears the screen, sets a title, goes back a line, reorders, hides, ends a text.
        private static let poison =
            "\u{1B}[2J\u{1B}]0;owned\u{7}\u{9B}31m"
            + "\u{85}\u{202E}\u{2066}\u{200F}\u{FEFF}\u{2028}\r\n\t\0"
        private static let tracker = RedisKeys.defaultSource
        private static let formats = ["table", "wide", "json", "ndjson", "csv", "name"]

        private static let readers: [[String]] = [
            ["status"], ["nodes"], ["shards"], ["tiers"], ["sources"], ["leader"], ["history"],
            ["check"], ["audit"], ["config", "show"], ["top", "pages"], ["top", "sections"],
            ["top", "websites"], ["top", "video"], ["top", "pages", "--compare", "previous"],
            ["trending", "pages", "--floor", "1"], ["live"], ["export"],
            ["report", "--page", url], ["report", "--video", "=2+2" + poison],
            ["show", "page", url], ["explain", url], ["search", "clip"],
            ["series", "--dimension", "P", "--tier", "5MINUTES"],
            ["dead-letters", "list"], ["dead-letters", "list", "--source", poison],
            ["enrichment", "status"], ["acl"], ["version"],
        ]
        private static let url = "https://site.example/clip/=1+1\(poison)/x"

        /// An argument cannot hold a NUL.
        private static func argument(_ text: String) -> String { text.replacing("\0", with: "") }

        /// Characters of an output that a terminal would obey; line ends are the format's own.
        private static func obeyed(_ bytes: Data, isCSV: Bool) -> [String] {
            guard var text = String(validating: bytes, as: UTF8.self) else { return ["not UTF-8"] }
            if isCSV { text = text.replacing("\r\n", with: "\n") }
            var found: Set<String> = []
            for scalar in text.unicodeScalars where scalar != "\n" {
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator:
                    found.insert("U+" + String(scalar.value, radix: 16))
                default: break
                }
            }
            return found.sorted()
        }

        @Test("every reading command, in every format")
        func shown() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise(["--start", "now", "--grace", "1s"])
            let node = try stage.node(["--node-name", "n\u{202E}\u{9B}de"])
            try await fill(stage)
            for command in Self.readers {
                for format in Self.formats {
                    let child = try stage.start(command.map(Self.argument) + ["-o", format])
                    let finished = try await child.finish(within: .seconds(30))
                    let place = "\(command.prefix(2)) -o \(format)"
                    #expect([0, 5, 64].contains(finished.code), "\(place): \(finished.errors)")
                    let output = try Data(contentsOf: URL(fileURLWithPath: child.outputFile))
                    #expect(Self.obeyed(output, isCSV: format == "csv") == [], "\(place)")
                    let errors = Data(finished.errors.utf8)
                    #expect(Self.obeyed(errors, isCSV: false) == [], "\(place), messages")
                    guard format == "csv" else { continue }
                    for line in finished.output.split(whereSeparator: \.isNewline) {
                        let cells = line.split(separator: ",").filter {
                            "=+@".contains($0.first ?? " ")
                        }
                        #expect(cells.isEmpty, "\(place): \(line)")
                    }
                }
            }
            let picture = try await stage.must([
                "series", "--dimension", "P", "--tier", "5MINUTES", "-o", "svg",
            ])
            #expect(Self.obeyed(Data(picture.output.utf8), isCSV: false) == [])
            for words in [
                [Self.poison], ["top", Self.poison], ["help", Self.poison],
                ["top", "pages", "--\(Self.poison)"], ["status", "--config", Self.poison],
                ["status", "--redis-url", Self.poison], ["import", "/nonexistent/" + Self.poison],
                ["pause", Self.poison, "--yes"], ["drain", Self.poison, "--yes"],
            ].map({ $0.map(Self.argument) }) {
                let finished = try await stage.run(words, within: .seconds(30))
                #expect(finished.code != 0)
                #expect(Self.obeyed(Data(finished.errors.utf8), isCSV: false) == [], "\(words)")
            }
            try await node.terminate()
            #expect(Self.obeyed(Data(node.child.errors.utf8), isCSV: false) == [], "the log")
        }

        /// Page views, plays, refused events, an import and a document with all of it.
        private func fill(_ stage: Stage) async throws {
            let wire = try stage.cluster.wire(of: Self.tracker)
            let url = Array(Self.url.utf8)
            func add(_ fields: [(String, [UInt8])]) throws {
                try wire.call(
                    ["XADD", Self.tracker, "*"].map { Array($0.utf8) }
                        + fields.flatMap { [Array($0.0.utf8), $0.1] })
            }
            for number in 0..<5 {
                try add([("url", url), ("uui", Array("\(Self.poison)\(number)".utf8))])
                try add([("kind", Array("video".utf8)), ("id", Array(("=2+2" + Self.poison).utf8))])
            }
            try add([("url", url), ("dt", Array(("=3+3" + Self.poison).utf8))])
            try add([("url", [0xFF, 0x1B]), ("uui", [0x9B, 0xFF])])
            try add([("kind", Array(Self.poison.utf8)), ("id", [1])])
            let name = "=4+4\u{1B}[2J\u{202E}.ndjson"
            let file = try Scratch.file(
                name, Array("{\"url\":\"https://site.example/a/b\"}\n".utf8))
            let imported = try await stage.must(["import", file])
            #expect(Self.obeyed(Data((imported.output + imported.errors).utf8), isCSV: false) == [])
            try await eventually("all is read") {
                try await stage.ledgers().reduce(0) { $0 + $1.read.value } >= 14
            }
            try await stage.wait()
            // Titles come from an article API; here as it would have been stored.
            let title = String(
                decoding: try JSONEncoder().encode("=5+5 " + Self.poison), as: UTF8.self)
            for server in stage.cluster.masters {
                let wire = try RedisWire(server.port)
                for key in try wire.call("KEYS", "J::P:*").items?.compactMap(\.text) ?? [] {
                    try wire.call(
                        "JSON.MERGE", key, "$",
                        "{\"title\":\(title),\"metadata\":{\"title\":\(title),\"kicker\":\(title)}}"
                    )
                }
            }
        }
    }
}
