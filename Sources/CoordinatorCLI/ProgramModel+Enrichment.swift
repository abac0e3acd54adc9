import Terminal

/// Enrichment of pages from an article API: its command, and the settings of a node for it.
extension ProgramModel {
    static let enrichmentCommand = Command(
        "enrichment", summary: "pages' titles from an article API: what waits, and asking again",
        group: "Operations",
        subcommands: [
            Command(
                "status", summary: "what waits, what came of requests, what was given up",
                options: [
                    Option(
                        "number", short: "n", .value(.count(0...1_000)), valueName: "N",
                        default: "10", help: "how many of the pages given up to list")
                ]),
            Command(
                "retry", summary: "ask again for the pages that were given up, or for one page",
                options: [
                    Option(
                        "page", .value(.text), valueName: "URL|ID",
                        help: "this page only, whatever is known of it")
                ]),
        ])

    private static let group = "Enrichment from an article API"

    /// The settings of `run`; all nodes are to have the same.
    static let enrichment: [Option] = [
        Option(
            "enrich-url", .value(.text), valueName: "URL", environment: ["COORDINATOR_ENRICH_URL"],
            group: group, help: "https://…/{article_id}; without it enrichment is off"),
        Option(
            "enrich-allow", .value(.text), valueName: "HOST", isRepeatable: true,
            environment: ["COORDINATOR_ENRICH_ALLOW"], group: group,
            help: "a host that may be asked, also a comma list; that of the URL has to be one"),
        Option(
            "enrich-allow-private", environment: ["COORDINATOR_ENRICH_ALLOW_PRIVATE"],
            group: group, help: "also at private addresses and on this machine"),
        Option(
            "enrich-timeout", .value(.span), valueName: "SPAN", default: "10s",
            environment: ["COORDINATOR_ENRICH_TIMEOUT"], group: group,
            help: "until an answer is whole"),
        Option(
            "enrich-concurrency", .value(.count(1...256)), valueName: "N", default: "8",
            environment: ["COORDINATOR_ENRICH_CONCURRENCY"], group: group,
            help: "requests under way at once, of all nodes"),
        Option(
            "enrich-rate", .value(.text), valueName: "RATE", default: "10",
            environment: ["COORDINATOR_ENRICH_RATE"], group: group,
            help: "requests a second, of all nodes; also 300/m or 5000/h"),
        Option(
            "enrich-attempts", .value(.count(1...100)), valueName: "N", default: "12",
            environment: ["COORDINATOR_ENRICH_ATTEMPTS"], group: group,
            help: "failures of a page after which it is given up"),
        Option(
            "enrich-refresh", .value(.span), valueName: "SPAN", default: "24h",
            environment: ["COORDINATOR_ENRICH_REFRESH"], group: group,
            help: "ask again for pages that are still read after this; 0s: never"),
        Option(
            "enrich-title", .value(.text), valueName: "PATH", default: "title",
            environment: ["COORDINATOR_ENRICH_TITLE"], group: group,
            help: "where the answer's JSON has it, such as data.title"),
        Option(
            "enrich-kicker", .value(.text), valueName: "PATH", default: "kicker",
            environment: ["COORDINATOR_ENRICH_KICKER"], group: group, help: "likewise"),
        Option(
            "enrich-display-date", .value(.text), valueName: "PATH", default: "display_date",
            environment: ["COORDINATOR_ENRICH_DISPLAY_DATE"], group: group,
            help: "likewise; ISO-8601"),
    ]
}
