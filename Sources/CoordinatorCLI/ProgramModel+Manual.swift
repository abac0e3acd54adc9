import CoordinatorService
import Terminal

/// The commands about the program itself, and what only its manual page says.
extension ProgramModel {
    static let aboutItself: [Command] = [
        Command(
            "version", summary: "the program's version, and what it was built from",
            description: "With -o json also the libraries that it runs with.", group: "Other"),
        Command(
            "completion", summary: "a script that lets a shell complete command lines",
            description:
                "For a try: source <(coordinator completion bash). The script asks the program, so "
                + "it does not grow old.",
            group: "Other",
            operands: [
                Operand(
                    "shell", kind: .choice(CompletionScript.allCases.map(\.rawValue)),
                    help: "which shell")
            ]),
        Command(
            "help", summary: "help of a command, or the manual page", group: "Other",
            operands: [Operand("command", .any, help: "a command")],
            options: [
                Option("man", help: "the manual page's source: coordinator help --man | man -l -")
            ]),
    ]

    /// Variables that building and testing look at, behind the common prefix.
    static let variablesOfTools = ["TEST_", "REQUIRE_CLUSTER", "REDIS_STACK", "COMMIT"]

    static let manual = ManualPage(
        date: Version.manualDate,
        files: [
            .init(
                "FILE of --config",
                "Lines of name = value, names as the long options; # begins a comment"),
            .init(
                "FILE of --device-key-file",
                "A secret of 16 bytes or more under which device ids are stored"),
            .init(
                "FILE of --sites",
                "Which hosts are which websites, as JSON"),
            .init("/usr/share/zoneinfo", "Time zones, for --tz"),
        ],
        examples: [
            .init("coordinator check", "Whether a cluster can carry a deployment"),
            .init("coordinator init --sites sites.json", "Write its settings, once"),
            .init("coordinator run", "A node, until SIGTERM"),
            .init(
                "coordinator import access.log.gz --host www.example.org",
                "A web server's log into it"),
            .init(
                "coordinator top pages --last 24h --website RTL.LU -n 10",
                "The ten pages of a website most read in a day"),
            .init(
                "coordinator export --tier 1HOUR -o csv", "Every hour of everything, for a table"),
        ])
}
