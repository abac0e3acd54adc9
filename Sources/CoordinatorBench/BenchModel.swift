import CoordinatorCore
import Terminal

/// The commands of `coordinator-bench`.
enum BenchModel {
    static let program = Program(
        name: "coordinator-bench",
        summary: "traffic of a news publisher, and benchmarks that run on it",
        commands: [
            Command(
                "generate", summary: "seeded events as ndjson on standard output",
                description: "The same options give the same bytes on every machine.",
                options: traffic),
            Command(
                "ingest", summary: "events a second and Redis CPU an event, against raw commands",
                options: redis + traffic + [
                    Option(
                        "baseline-events", .value(.count(1_000...10_000_000)), valueName: "N",
                        default: "50000", help: "how many events the raw commands get")
                ]),
            Command(
                "enrich",
                summary: "what asking an article API costs ingest, in turn with and without",
                description: "The API is to run already; Tests/ArticleAPI/api.py is one.",
                options: redis + traffic + [
                    Option(
                        "pairs", .value(.count(2...1_000)), valueName: "N", default: "10",
                        help: "how many runs with and as many without"),
                    Option(
                        "enrich-url", .value(.text), valueName: "URL",
                        default: "http://127.0.0.1:8099/items/urn:newstool:article:{article_id}",
                        help: "the article's URL, as `coordinator run` takes it"),
                ]),
            Command(
                "rotate", summary: "records a second of rotation, against bare commands",
                options: redis + traffic),
            Command(
                "read", summary: "latencies of the questions, and bytes of a page",
                options: redis + traffic),
            Command(
                "flood", summary: "memory under a flood of URLs that never return",
                description: "Among them some pages that are read, whose figures are checked.",
                options: redis + [
                    Option(
                        "urls", .value(.count(1_000...100_000_000)), valueName: "N",
                        default: "1000000", help: "URLs a minute, each of them new"),
                    Option(
                        "minutes", .value(.count(1...5)), valueName: "N", default: "3",
                        help: "how many minutes of it"),
                    Option(
                        "pageviews", .value(.choice(["exact", "sketch"])), valueName: "HOW",
                        default: "sketch", help: "how the deployment counts"),
                    Option(
                        "heaviest", .value(.count(16...400)), valueName: "K", default: "256",
                        help: "with sketch: records counted by window, dimension and shard"),
                ]),
            Command(
                "search", summary: "latencies of searches over every page, with three nodes",
                options: redis + traffic + [
                    Option(
                        "questions", .value(.count(20...100_000)), valueName: "N",
                        default: "200", help: "how many of each kind")
                ]),
            Command(
                "plan", summary: "milliseconds of planning who owns which shard, without Redis",
                options: [
                    Option(
                        "shards", .value(.count(1...Int64(HashSlot.count))), valueName: "N",
                        default: "16384", help: "how many shards"),
                    Option(
                        "nodes", .value(.count(2...10_000)), valueName: "N", default: "100",
                        help: "how many nodes there are before one is lost or joins"),
                ]),
        ],
        globalOptions: [
            Option(
                "output", short: "o", .value(.choice(["table", "json"])), valueName: "FORMAT",
                default: "table", help: "a table, or one JSON document")
        ])

    private static let redis = [
        Option(
            "redis-url", .value(.text), valueName: "URL", isRepeatable: true,
            environment: ["COORDINATOR_REDIS_URL", "REDIS_URL"], group: "Redis",
            help: "the cluster to use"),
        Option(
            "cacert", .value(.text), valueName: "FILE", environment: ["COORDINATOR_REDIS_CACERT"],
            group: "Redis", help: "the authorities to trust with rediss://"),
        Option(
            "flush", group: "Redis", help: "empty the cluster first; it must be empty otherwise"),
    ]

    private static func share(_ name: String, _ help: String) -> Option {
        Option(
            name, .value(.text), valueName: "SHARE", default: "0", group: "Traffic",
            help: "\(help), such as 0.05")
    }

    private static let traffic = [
        Option(
            "events", .value(.count(1...1_000_000_000)), valueName: "N", default: "100000",
            group: "Traffic", help: "how many"),
        Option(
            "start", .value(.time), valueName: "TIME", group: "Traffic",
            help: "when they begin; default 2024-07-24T06:00:00Z, benchmarks: until now"),
        Option(
            "span", .value(.span), valueName: "SPAN", default: "24h", group: "Traffic",
            help: "over how long"),
        Option(
            "sites", .value(.count(1...64)), valueName: "N", default: "4", group: "Traffic",
            help: "websites"),
        Option(
            "sections", .value(.count(1...10_000)), valueName: "N", default: "200",
            group: "Traffic",
            help: "sections"),
        Option(
            "pages", .value(.count(1...10_000_000)), valueName: "N", default: "20000",
            group: "Traffic",
            help: "pages"),
        Option(
            "devices", .value(.count(1...100_000_000)), valueName: "N", default: "40000",
            group: "Traffic", help: "devices"),
        Option(
            "exponent", .value(.text), valueName: "S", default: "1.0", group: "Traffic",
            help: "how steeply pages fall off (Zipf)"),
        Option(
            "seed", .value(.count(0...Int64.max)), valueName: "N", default: "1", group: "Traffic",
            help: "the seed"),
        share("late", "events that arrive up to 2 h late"),
        share("duplicate", "events sent twice"),
        share("malformed", "events that will be refused"),
        share("plays", "events that play an audio, a video or a podcast"),
        Option("shuffle", group: "Traffic", help: "in random order; dt stays"),
    ]
}
