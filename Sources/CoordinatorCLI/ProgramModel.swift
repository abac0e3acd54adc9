import CoordinatorCore
import Terminal

/// Every command with its operands and options, as data: the parser, the help and the tests read
/// it.
enum ProgramModel {
    static let program = Program(
        name: "coordinator",
        summary: "exact pageviews and unique devices, rolled up on a Redis Cluster",
        description:
            "One stream entry per page view becomes figures per website, section and page, "
            + "in windows of 1 minute to 3 hours.",
        commands: deployment + observation + questions + figures + checks + operations + recovery
            + other,
        globalOptions: globals,
        epilogue: "Exit codes:\n" + ExitCode.helpTable)

    // MARK: Options of several commands

    private static let outputs =
        OutputFormat.allCases.map(\.rawValue) + SeriesPicture.Format.allCases.map(\.rawValue)

    static let globals: [Option] =
        [
            Option(
                "redis-url", .value(.text), valueName: "URL", isRepeatable: true,
                environment: ["COORDINATOR_REDIS_URL", "REDIS_URL"], group: "Redis",
                help: "redis[s]://[user@]host:port or a comma list; default 127.0.0.1:6379"),
            Option(
                "user", .value(.text), valueName: "NAME", environment: ["COORDINATOR_REDIS_USER"],
                group: "Redis", help: "the ACL user"),
            Option(
                "password", .value(.text), isEnvironmentOnly: true,
                environment: ["COORDINATOR_REDIS_PASSWORD", "REDISCLI_AUTH"], group: "Redis",
                help: "the password; never an argument"),
            Option(
                "password-file", .value(.text), valueName: "FILE",
                environment: ["COORDINATOR_REDIS_PASSWORD_FILE"], group: "Redis",
                help: "a file whose first line is the password; read again at each connection"),
            Option("askpass", group: "Redis", help: "ask for the password on the terminal"),
        ] + tls + [
            Option(
                "timeout", .value(.span), valueName: "SPAN", environment: ["COORDINATOR_TIMEOUT"],
                group: "Redis", help: "how long a command waits for Redis; default 5s"),
            Option(
                "output", short: "o", .value(.choice(outputs)),
                valueName: "FORMAT", default: "table", group: "Output",
                help: "the form of the output; svg, png: of series"),
            Option(
                "watch", short: "w", .optionalValue(.span, bare: "2s"), valueName: "SPAN",
                group: "Output", help: "show it again and again"),
            Option("no-headers", group: "Output", help: "tables and csv without headings"),
            Option("no-color", group: "Output", help: "no colours on a terminal"),
            Option(
                "quiet", short: "q", group: "Output", help: "no messages, no progress on stderr"),
            Option("verbose", short: "v", group: "Output", help: "more messages on stderr"),
            Option(
                "config", .value(.text), valueName: "FILE", environment: ["COORDINATOR_CONFIG"],
                group: "Other", help: "a file of `name = value` lines; flags and environment win"),
        ]

    /// Named as redis-cli names them.
    private static let tls: [Option] = [
        Option(
            "tls", environment: ["COORDINATOR_REDIS_TLS"], group: "Redis",
            help: "speak TLS 1.2 or newer to every server, as with rediss://"),
        Option(
            "cacert", .value(.text), valueName: "FILE", environment: ["COORDINATOR_REDIS_CACERT"],
            group: "Redis", help: "the authorities to trust, PEM; default the system's"),
        Option(
            "cert", .value(.text), valueName: "FILE", environment: ["COORDINATOR_REDIS_CERT"],
            group: "Redis", help: "the client's certificate, PEM"),
        Option(
            "key", .value(.text), valueName: "FILE", environment: ["COORDINATOR_REDIS_KEY"],
            group: "Redis", help: "its key, PEM; default the certificate's file"),
        Option(
            "sni", .value(.text), valueName: "NAME", environment: ["COORDINATOR_REDIS_SNI"],
            group: "Redis",
            help: "the name servers have to prove, in place of their address"),
        Option(
            "insecure", environment: ["COORDINATOR_REDIS_INSECURE"], group: "Redis",
            help: "take any certificate; for trying only"),
    ]

    static let at = Option(
        "at", .value(.time), valueName: "TIME", default: "now",
        help: "as of this time: ISO-8601, ms since 1970, or a span back such as 2h")
    static let website = Option("website", .value(.text), valueName: "NAME", help: "a website")
    static let section = Option(
        "section", .value(.text), valueName: "NAME", help: "a section, such as actu/monde")
    static let page = Option("page", .value(.text), valueName: "URL|ID", help: "a page")
    /// What is played, by its own id.
    static let items = Dimension.played.compactMap(\.kind).map { kind in
        Option(kind, .value(.text), valueName: "ID", help: "\(kind) by its player's id")
    }
    static let tier = Option(
        "tier", .value(.text), valueName: "TIER", help: "a tier, such as 5MINUTES")
    static let from = Option("from", .value(.time), valueName: "TIME", help: "from this time on")
    static let to = Option("to", .value(.time), valueName: "TIME", help: "before this time")

    // MARK: Commands

    private static let deployment: [Command] = [
        Command(
            "init", summary: "write the deployment's settings",
            description:
                "The same settings again change nothing; other ones are refused.",
            group: "Deployment", options: settings),
        Command(
            "run", summary: "a node: reads, counts and rotates until SIGTERM", group: "Deployment",
            options: node + serving
                + [Option("init", help: "write the settings if there are none")] + settings),
        Command(
            "import", summary: "web-server logs or ndjson events into the deployment",
            description:
                "Combined and common logs, ndjson; also gzip. The same file again, or grown, adds "
                + "nothing twice. With --from-redis the entries of a tracker's stream elsewhere.",
            group: "Deployment",
            operands: [Operand("file", .any, help: "a file, or - for standard input")],
            options: [
                Option(
                    "format", .value(.choice(["auto", "combined", "common", "vhost", "ndjson"])),
                    valueName: "FORMAT", default: "auto", help: "the form of the lines"),
                Option(
                    "host", .value(.text), valueName: "NAME",
                    help: "the host of log lines that name none"),
                Option(
                    "count", .value(.choice(["pages", "all"])), valueName: "WHAT",
                    default: "pages", help: "which lines of a log are page views"),
                Option(
                    "device", .value(.choice(["address-agent", "address"])), valueName: "HOW",
                    default: "address-agent", help: "what tells devices of a log apart"),
                Option(
                    "source-name", .value(.text), valueName: "NAME",
                    help: "names the source; default: the file's first 1,024 bytes"),
                deviceKey,
            ] + copying),
        Command(
            "migrate", summary: "take over documents and series of the original system",
            description:
                "Only adds, and changes nothing the second time: run it again when it was ended.",
            group: "Deployment",
            options: [
                Option(
                    "from-original", .value(.text), valueName: "URL", isRequired: true,
                    help: "the Redis that the original system filled: redis://host:port"),
                Option("dry-run", help: "say what would be taken, write nothing"),
            ] + otherRedis),
        Command(
            "wait", summary: "until everything read is applied and every due window is done",
            description: "--timeout is how long it waits in all; default 1h.",
            group: "Deployment"),
    ]

    private static let observation: [Command] = [
        Command(
            "status", summary: "leader, nodes, shards, tiers, sources: one screen",
            group: "Observation",
            options: [Option("exit-code", help: "exit 5 when the deployment is not healthy")]),
        Command(
            "nodes", summary: "state, shards and last heartbeat of every node",
            group: "Observation"),
        Command(
            "shards", summary: "owner, progress and place of every shard", group: "Observation"),
        Command("tiers", summary: "how far every tier is", group: "Observation"),
        Command(
            "sources", summary: "how far every source is read; add and forget sources",
            description:
                "Without a sub-command: the list.", group: "Observation",
            operands: [
                Operand("action", .optional, kind: .choice(["add", "forget"]), help: "what to do"),
                Operand("key", .optional, help: "the stream's key"),
            ]),
        Command(
            "leader", summary: "the leader's id; exit 5 when there is none", group: "Observation"),
        Command(
            "history", summary: "elections, maps, nodes, runs, orders: what happened last",
            description: "The newest is the last line, as in a log.", group: "Observation",
            options: [
                Option(
                    "number", short: "n", .value(.count(1...10_000)), valueName: "N",
                    default: "20", help: "how many entries")
            ]),
    ]

    static let consent: [Option] = [
        Option("dry-run", help: "say what would happen, change nothing"),
        Option("yes", short: "y", help: "do not ask; needed where there is no terminal"),
    ]
    private static let pausable = Operand(
        "tier", help: "a tier but the base, such as 5MINUTES or 5m")

    private static let operations: [Command] = [
        Command(
            "drain", summary: "take all shards from a node, until --undo",
            description:
                "Its shards go to the other nodes without a gap. It holds for the node's name, "
                + "also after a restart.",
            group: "Operations",
            operands: [Operand("node", help: "a node's name, or its id as in `nodes`")],
            options: [Option("undo", help: "let it have shards again")] + consent),
        Command(
            "step-down", summary: "end the leader's term: another node takes over",
            description: "Shards stay where they are. Only the term that was read is ended.",
            group: "Operations", options: consent),
        Command(
            "rebalance", summary: "give nodes that are held back their shards now",
            description:
                "Shards are balanced by themselves; a node that was lost and came back waits for "
                + "its --hold-down, one that joined for its --join-delay. This ends both.",
            group: "Operations", options: consent),
        Command(
            "pause", summary: "seal no windows of a tier",
            description:
                "Coarser tiers wait for it; events are counted on. Finer windows are kept until "
                + "they are merged, so nothing is lost, and memory grows meanwhile.",
            group: "Operations", operands: [pausable], options: consent),
        Command(
            "resume", summary: "seal the windows of a paused tier again", group: "Operations",
            operands: [pausable], options: consent),
        enrichmentCommand,
    ]

    private static let figures: [Command] = [
        Command(
            "series", summary: "one figure over time", group: "Figures",
            options: [
                website, section, page, tier, from, to, at,
                Option(
                    "metric", .value(.choice(["PG", "UD"])), valueName: "METRIC", default: "PG",
                    help: "PG pageviews or plays, UD unique devices"),
            ] + items + seriesGroup),
        Command(
            "export", summary: "every window there is, a line each", group: "Figures",
            options: [
                tier, from, to,
                Option(
                    "dimension", .value(.choice(Dimension.counted.map(\.rawValue))),
                    valueName: "LETTER",
                    help: "W websites, S sections, P pages, A audio, V video, PC podcasts"),
            ]),
        Command(
            "show", summary: "one record's document, keys, slot and shard", group: "Figures",
            operands: [
                Operand(
                    "what",
                    kind: .choice(
                        ["website", "section", "page"] + Dimension.played.compactMap(\.kind)),
                    help: "what it is"),
                Operand("record", help: "a name, a URL or an id"),
            ], options: [website]),
        Command(
            "search", summary: "pages by words in title and URL; sections, websites by name",
            group: "Figures",
            operands: [
                Operand("words", .any, help: "all must occur; a word finds those it begins")
            ],
            options: [
                Option(
                    "what", .value(.choice(["pages", "sections", "websites"])), valueName: "WHAT",
                    default: "pages", help: "what to look for"),
                Option(
                    "website", .value(.text), valueName: "NAME", help: "of this website"),
                Option(
                    "section", .value(.text), valueName: "NAME",
                    help: "in this section and those below; of websites, that have it"),
                Option(
                    "level", .value(.text), valueName: "NAME|N=NAME", isRepeatable: true,
                    help: "a level of the path, anywhere or as the Nth from 0"),
                Option(
                    "since", .value(.time), valueName: "TIME",
                    help: "visited at or after this time, such as 2h"),
                Option(
                    "sort", .value(.choice(["relevance", "last_visited"])), valueName: "ORDER",
                    default: "relevance", help: "best fit or newest visit first"),
                Option(
                    "number", short: "n", .value(.count(1...Int64(1_000))), valueName: "N",
                    default: "20", help: "how many rows"),
            ]),
        Command(
            "explain", summary: "website, section, page and shard of a URL, step by step",
            group: "Figures", operands: [Operand("url", help: "an absolute URL")]),
    ]

    private static let checks: [Command] = [
        health,
        Command(
            "check", summary: "cluster, modules, versions, memory policy, replicas, clock",
            group: "Checks"),
        Command(
            "acl", summary: "the least that Redis has to allow: a rule for nodes, one for readers",
            description:
                "Exact commands and key patterns, for redis-cli. The reader's user can ask every "
                + "question and change nothing.",
            group: "Checks",
            operands: [
                Operand(
                    "role", .optional, kind: .choice(["daemon", "reader"]), help: "default: both")
            ],
            options: [Option("as", .value(.text), valueName: "NAME", help: "the user's name")]
                + settings.filter { $0.name == "source" }),
        Command(
            "audit", summary: "conservation of every kept window, ledgers, owners and tokens",
            group: "Checks"),
    ]

    private static let other: [Command] =
        [
            Command(
                "config", summary: "the settings in force", group: "Other",
                subcommands: [
                    Command(
                        "show",
                        summary: "a node's settings with their origin, then the deployment's",
                        options: node + settings),
                    Command(
                        "validate", summary: "whether settings would be accepted",
                        options: node + settings),
                ])
        ] + aboutItself
}
