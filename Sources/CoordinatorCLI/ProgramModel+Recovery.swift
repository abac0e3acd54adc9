import CoordinatorCore
import Terminal

/// The commands that bring back, repair and clear away.
extension ProgramModel {
    private static let letterFilter: [Option] = [
        Option("source", .value(.text), valueName: "KEY", help: "of this source alone"),
        Option(
            "reason", .value(.choice(RefusalReason.allCases.map(\.rawValue))), valueName: "WHY",
            isRepeatable: true, help: "refused for this reason; repeatable"),
        Option("from", .value(.time), valueName: "TIME", help: "refused from this time on"),
        Option("to", .value(.time), valueName: "TIME", help: "refused before this time"),
    ]
    private static let letters = Operand(
        "letter", .any, help: "these alone: SHARD/ID as `dead-letters list` shows them")

    /// Of `import`, for a stream of another deployment.
    static let copying: [Option] =
        [
            Option(
                "from-redis", .value(.text), valueName: "URL", isRepeatable: true,
                environment: ["COORDINATOR_FROM_REDIS"], group: "From another Redis",
                help: "copy from this Redis or cluster; host:port, also a comma list"),
            Option(
                "stream", .value(.text), valueName: "KEY", default: RedisKeys.defaultSource,
                group: "From another Redis", help: "the stream there"),
            Option("follow", group: "From another Redis", help: "go on until SIGTERM or Ctrl-C"),
        ] + otherRedis

    /// How to be let in by a Redis that is read once, or followed.
    static let otherRedis: [Option] = [
        Option(
            "from-user", .value(.text), valueName: "NAME", environment: ["COORDINATOR_FROM_USER"],
            group: "From another Redis", help: "the ACL user there"),
        Option(
            "from-password", .value(.text), isEnvironmentOnly: true,
            environment: ["COORDINATOR_FROM_PASSWORD"], group: "From another Redis",
            help: "the password there; never an argument"),
        Option(
            "from-password-file", .value(.text), valueName: "FILE",
            environment: ["COORDINATOR_FROM_PASSWORD_FILE"], group: "From another Redis",
            help: "a file whose first line is the password there"),
        Option(
            "from-cacert", .value(.text), valueName: "FILE",
            environment: ["COORDINATOR_FROM_CACERT"], group: "From another Redis",
            help: "the authorities to trust of a rediss:// there, PEM; default the system's"),
    ]

    /// Of `series`, for many records at once and for pictures.
    static let seriesGroup: [Option] = [
        Option(
            "dimension", .value(.choice(Dimension.counted.map(\.rawValue))), valueName: "LETTER",
            help: "all records of a dimension, within --website or --section"),
        Option(
            "number", short: "n", .value(.count(1...1_000)), valueName: "N", default: "20",
            help: "with --dimension: how many series, those with the greatest figures"),
        Option(
            "size", .value(.text), valueName: "WxH", default: "800x300",
            help: "of a picture (-o svg, -o png), in pixels"),
    ]

    static let recovery: [Command] = [
        Command(
            "rebuild", summary: "make windows again from the tier below, and say what changed",
            description:
                "While their parts are kept. The coarser windows that are made of them follow. "
                + "Begin with the finest tier that `audit` names.",
            group: "Recovery",
            options: [
                Option(
                    "tier", .value(.text), valueName: "TIER", isRequired: true,
                    help: "a tier but the base, such as 5MINUTES"),
                Option(
                    "from", .value(.time), valueName: "TIME", isRequired: true,
                    help: "windows that end after this time"),
                Option(
                    "to", .value(.time), valueName: "TIME", default: "now",
                    help: "windows that start before this time"),
            ] + consent),
        Command(
            "dead-letters", summary: "events that were refused: look, replay, purge",
            description: "Every refused event is kept with its reason, some 100,000 a shard.",
            group: "Recovery",
            subcommands: [
                Command(
                    "list", summary: "the newest refused events, with reason and source",
                    options: letterFilter + [
                        Option(
                            "number", short: "n", .value(.count(1...10_000)), valueName: "N",
                            default: "20", help: "how many rows")
                    ]),
                Command(
                    "show", summary: "all that is kept of some of them",
                    operands: [
                        Operand("letter", .oneOrMore, help: "SHARD/ID as in `dead-letters list`")
                    ]),
                Command(
                    "replay", summary: "send refused events through counting again",
                    description:
                        "Each is moved to a source of its own in one step and counted once. What "
                        + "is refused again is a letter of the replay, and stays one until "
                        + "--again.",
                    operands: [letters],
                    options: letterFilter + [
                        Option(
                            "at-arrival",
                            help: "count at the first arrival, whatever time the event names"),
                        Option("again", help: "also those that were replayed before"),
                    ] + consent),
                Command(
                    "purge", summary: "delete refused events for good",
                    description: "They stay counted as refused.", operands: [letters],
                    options: letterFilter + consent),
            ]),
    ]
}
