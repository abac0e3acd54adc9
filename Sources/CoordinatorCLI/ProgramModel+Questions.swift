import CoordinatorCore
import CoordinatorService
import Terminal

/// The commands that answer questions about figures.
extension ProgramModel {
    private static let last = Option(
        "last", .value(.spanOrWord(["today", "yesterday"])), valueName: "SPAN|DAY", default: "30m",
        help: "how far back: 30m, 1h, 24h, 7d, or today, yesterday")
    private static let zone = Option(
        "tz", .value(.text), valueName: "ZONE", default: "UTC", environment: ["COORDINATOR_TZ"],
        help: "whose days and clock: UTC, Europe/Luxembourg")
    private static let number = Option(
        "number", short: "n", .value(.count(1...100_000)), valueName: "N", default: "20",
        help: "how many rows")
    private static let listed = Operand(
        "what",
        kind: .choice(["pages", "sections", "websites"] + Dimension.played.compactMap(\.kind)),
        help: "what to list")
    private static let sectionAndBelow = Option(
        "section", .value(.text), valueName: "NAME",
        help: "a section and those below: actu, actu/monde")

    private static func several(_ option: Option) -> Option {
        var option = option
        option.isRepeatable = true
        return option
    }

    /// Those that answer with a list or a figure, and the one that shows what happens now.
    static let questions: [Command] = [
        Command(
            "top", summary: "the pages, sections, websites or items with most views or devices",
            description:
                "With --compare, WAS is the place then and CHANGE that of the pageviews.",
            group: "Figures", operands: [listed],
            options: [
                website, sectionAndBelow, last, zone, at,
                Option(
                    "by", .value(.choice(["pageviews", "devices"])), valueName: "FIGURE",
                    default: "pageviews", help: "the figure to sort by"),
                Option(
                    "compare", .value(.choice(Comparison.Kind.allCases.map(\.rawValue))),
                    valueName: "WITH",
                    help: "the interval before, or the same a day or a week ago"),
                number,
            ]),
        Command(
            "report", summary: "pageviews or plays, and unique devices, of any records",
            description:
                "Each option may be given several times: then the figures of all together follow, "
                + "in which every view and every device counts once.",
            group: "Figures",
            options: ([website, section, page] + items).map(several) + [last, zone, at]),
        Command(
            "trending", summary: "what is read much more than it usually is",
            description:
                "The typical level is the median of the intervals of the same length before, over "
                + "a day or more; a level below the floor counts as the floor.",
            group: "Figures", operands: [listed],
            options: [
                website, sectionAndBelow, last, zone, at,
                Option(
                    "floor", .value(.count(1...1_000_000_000)), valueName: "VIEWS", default: "10",
                    help: "the least that a typical level counts as"),
                Option(
                    "times", .value(.count(1...1_000_000)), valueName: "N", default: "2",
                    help: "how many times the typical level is a rise"),
                number,
            ]),
        Command(
            "live", summary: "the last 30 minutes on a terminal, refreshed; q ends it",
            description:
                "Now, a bar for each minute, the pages most read. Without a terminal, or with -o "
                + "json, it is shown once.",
            group: "Figures", options: [website, sectionAndBelow, zone]),
    ]
}
