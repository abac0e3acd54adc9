import Terminal

/// The options by which a node is asked over HTTP.
extension ProgramModel {
    static let http = Option(
        "http", .value(.text), valueName: "ADDRESS:PORT|off", default: "127.0.0.1:8080",
        environment: ["COORDINATOR_HTTP"], group: "HTTP",
        help: "where status, figures, probes and metrics are served; off for nowhere")

    static let serving: [Option] = [
        http,
        Option(
            "http-host", .value(.text), valueName: "NAME", isRepeatable: true,
            environment: ["COORDINATOR_HTTP_HOST"], group: "HTTP",
            help: "a host name that requests may use; addresses and localhost always may"),
        Option(
            "read-token", .value(.text), isEnvironmentOnly: true,
            environment: ["COORDINATOR_READ_TOKEN"], group: "HTTP",
            help: "a token that all but probes has to show; never an argument"),
        Option(
            "read-token-file", .value(.text), valueName: "FILE",
            environment: ["COORDINATOR_READ_TOKEN_FILE"], group: "HTTP",
            help: "a file with that token"),
        Option(
            "admin", .value(.text), valueName: "ADDRESS:PORT|off", default: "off",
            environment: ["COORDINATOR_ADMIN"], group: "HTTP",
            help: "where a node takes orders (drain, step-down, …); needs a token"),
        Option(
            "admin-token", .value(.text), isEnvironmentOnly: true,
            environment: ["COORDINATOR_ADMIN_TOKEN"], group: "HTTP",
            help: "the token that orders have to show; never an argument"),
        Option(
            "admin-token-file", .value(.text), valueName: "FILE",
            environment: ["COORDINATOR_ADMIN_TOKEN_FILE"], group: "HTTP",
            help: "a file with that token"),
    ]

    static let health = Command(
        "health", summary: "ask a node of this machine how it is, for images without curl",
        description:
            "Exit 0 when it is, 5 when it is not, 2 when it does not answer. Without a flag: "
            + "--ready.",
        group: "Checks",
        options: [
            Option("live", help: "its loop turns"),
            Option("ready", help: "it takes part: Redis seen, registered, not draining"),
            Option("leader", help: "it leads"), http,
        ])
}
