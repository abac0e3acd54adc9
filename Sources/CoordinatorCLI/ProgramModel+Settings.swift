import Terminal

/// The settings of a deployment and those of a node.
extension ProgramModel {
    /// Under which device ids are stored; of every command that stores some.
    static let deviceKey = Option(
        "device-key-file", .value(.text), valueName: "FILE",
        environment: ["COORDINATOR_DEVICE_KEY_FILE"], group: "Settings of the deployment",
        help: "a file with a secret under which device ids are stored; the same for all, for ever")

    /// The settings of a deployment, for `init` and `run --init`.
    static let settings: [Option] = [
        Option(
            "shards", .value(.count(1...16_384)), valueName: "N", default: "64",
            group: "Settings of the deployment", help: "a power of two, fixed for ever"),
        Option(
            "tiers", .value(.text), valueName: "LADDER", default: "1m,5m/30m,10m/1h,1h/24h,3h/7d",
            group: "Settings of the deployment", help: "base, then length/keep, finest first"),
        Option(
            "grace", .value(.span), valueName: "SPAN", default: "30s",
            group: "Settings of the deployment", help: "how long a window waits for late events"),
        Option(
            "outage-allowance", .value(.span), valueName: "SPAN", default: "6h",
            group: "Settings of the deployment", help: "how much longer windows are kept"),
        Option(
            "sites", .value(.text), valueName: "FILE", group: "Settings of the deployment",
            help: "JSON: {\"hosts\":{\"www.rtl.lu\":\"RTL\"},\"keepQuery\":{\"RTL\":[\"id\"]}}"),
        Option(
            "source", .value(.text), valueName: "KEY", isRepeatable: true,
            default: "ST:TRACKER::::", group: "Settings of the deployment",
            help: "a stream that trackers write to"),
        Option(
            "start", .value(.text), valueName: "now|oldest|TIME", default: "now",
            group: "Settings of the deployment", help: "the first window to rotate"),
        Option(
            "series-labels", .value(.choice(["full", "compact"])), valueName: "HOW",
            default: "full", group: "Settings of the deployment",
            help: "compact: series of pages and items carry none"),
        Option(
            "pageviews", .value(.choice(["exact", "sketch"])), valueName: "HOW", default: "exact",
            group: "Settings of the deployment",
            help: "all records exactly, or the heaviest with bounds, in bounded memory"),
        Option(
            "heaviest", .value(.count(1...100_000)), valueName: "K",
            group: "Settings of the deployment",
            help: "with sketch: records counted by window, dimension and shard; default 256"),
        deviceKey,
    ]

    /// The settings of a node, for `run` and `config`.
    static let node: [Option] =
        [
            Option(
                "node-name", .value(.text), valueName: "NAME",
                environment: ["COORDINATOR_NODE_NAME"], help: "default: the host's name"),
            Option(
                "lease", .value(.span), valueName: "SPAN", default: "3s",
                environment: ["COORDINATOR_LEASE"],
                help: "how long a silent leader keeps the lead"),
            Option(
                "renew-interval", .value(.span), valueName: "SPAN",
                environment: ["COORDINATOR_RENEW_INTERVAL"],
                help: "how often a leader renews; default a quarter of the lease"),
            Option(
                "node-ttl", .value(.span), valueName: "SPAN",
                environment: ["COORDINATOR_NODE_TTL"],
                help: "how long a silent node keeps its shards; default the lease, at least 1s"
            ),
            Option(
                "heartbeat-interval", .value(.span), valueName: "SPAN",
                environment: ["COORDINATOR_HEARTBEAT_INTERVAL"],
                help: "how often a node reports; default 1s, at most a third of --node-ttl"),
            Option(
                "hold-down", .value(.span), valueName: "SPAN", default: "2s",
                environment: ["COORDINATOR_HOLD_DOWN"],
                help: "how long a node that was lost waits for shards"),
            Option(
                "join-delay", .value(.span), valueName: "SPAN", default: "15s",
                environment: ["COORDINATOR_JOIN_DELAY"],
                help: "how long a node that joined has only shards that lost their owner"),
            Option(
                "drain-timeout", .value(.span), valueName: "SPAN", default: "20s",
                environment: ["COORDINATOR_DRAIN_TIMEOUT"],
                help: "how long a node that stops waits for others to take its shards"),
            Option(
                "weight", .value(.count(1...1_000)), valueName: "N", default: "1",
                environment: ["COORDINATOR_WEIGHT"],
                help: "its share of the shards beside others: 2 owns twice as many"),
            Option(
                "source-retention", .value(.span), valueName: "SPAN", default: "1h",
                environment: ["COORDINATOR_SOURCE_RETENTION"],
                help: "how long trackers' entries stay after every shard holds them; 10s at least"),
            Option(
                "log-level", .value(.choice(["debug", "info", "warning", "error"])),
                valueName: "LEVEL", default: "info", environment: ["COORDINATOR_LOG_LEVEL"],
                help: "the least important lines to log"),
            Option(
                "log-format", .value(.choice(["logfmt", "json"])), valueName: "FORMAT",
                default: "logfmt", environment: ["COORDINATOR_LOG_FORMAT"],
                help: "the form of the log's lines"),
        ] + enrichment
}
