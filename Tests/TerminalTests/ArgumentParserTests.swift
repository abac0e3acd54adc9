import Testing

@testable import Terminal

/// A small program with one of everything.
let sample = Program(
    name: "coordinator", summary: "audience figures",
    commands: [
        Command(
            "top", summary: "the most visited", group: "Look",
            operands: [
                Operand("KIND", kind: .choice(["pages", "sections", "websites"]), help: "what")
            ],
            options: [
                Option("website", .value(.text), valueName: "NAME", help: "only of this website"),
                Option(
                    "number", short: "n", .value(.count(1...1_000)), valueName: "COUNT",
                    default: "20",
                    help: "rows"),
                Option(
                    "last", .value(.span), valueName: "SPAN", default: "1h", help: "how far back"),
            ]),
        Command(
            "run", summary: "a node", group: "Work",
            options: [
                Option(
                    "lease", .value(.span), default: "3s", environment: ["COORDINATOR_LEASE"],
                    help: "how long a lease holds"),
                Option(
                    "admin-token", .value(.text), isEnvironmentOnly: true,
                    environment: ["COORDINATOR_ADMIN_TOKEN"], help: "for the admin address"),
                Option("init", environment: ["COORDINATOR_INIT"], help: "write settings"),
            ]),
        Command(
            "import", summary: "read files", group: "Work",
            operands: [Operand("FILE", .oneOrMore, help: "logs")],
            options: [Option("host", .value(.text), isRequired: true, help: "the site's host")]),
        Command(
            "config", summary: "settings", group: "Work",
            subcommands: [
                Command("show", summary: "print them"),
                Command(
                    "validate", summary: "check them",
                    operands: [Operand("FILE", .optional, help: "f")]),
            ]),
    ],
    globalOptions: [
        Option(
            "redis-url", .value(.text), valueName: "URL", isRepeatable: true,
            environment: ["COORDINATOR_REDIS_URL", "REDIS_URL"], help: "seeds"),
        Option(
            "output", short: "o", .value(.choice(["table", "json"])), default: "table",
            help: "format"),
        Option("watch", short: "w", .optionalValue(.span, bare: "2s"), help: "again and again"),
        Option("quiet", short: "q", help: "no messages"),
        Option("verbose", short: "v", help: "more messages"),
        Option("no-color", help: "no colour"),
        Option("at", .value(.time), default: "now", help: "when"),
        Option("config", .value(.text), valueName: "FILE", help: "settings file"),
    ])

func parse(
    _ line: String, environment: [String: String] = [:], file: String = ""
) throws(ArgumentError) -> ParseOutcome {
    let parser = ArgumentParser(sample, environment: environment) { path throws(ArgumentError) in
        try ConfigurationFile(path: path, text: file)
    }
    return try parser.parse(line.split(separator: " ").map(String.init))
}

func arguments(
    _ line: String, environment: [String: String] = [:], file: String = ""
) throws -> ParsedArguments {
    guard case .run(let parsed) = try parse(line, environment: environment, file: file) else {
        throw ArgumentError.unsuitable("not a command to run: \(line)")
    }
    return parsed
}

func sentence(
    _ line: String, environment: [String: String] = [:], file: String = ""
) -> String {
    do {
        return "no error: \(try parse(line, environment: environment, file: file))"
    } catch {
        return error.description
    }
}

@Suite("Reading a command line")
struct ArgumentParserTests {
    @Test(
        "a count is read however it is written",
        arguments: [
            "top pages -n20", "top pages -n 20", "top pages -n=20", "top pages --number 20",
            "top pages --number=20", "top -qn20 pages", "top --number=20 -- pages",
        ])
    func counts(line: String) throws {
        let parsed = try arguments(line)
        #expect(parsed.integer("number") == 20)
        #expect(parsed.operand("KIND") == "pages")
        #expect(parsed.origin("number") == .commandLine)
    }

    @Test(
        "global options stand before or after the command",
        arguments: ["-o json --no-color top pages", "top pages --output=json --no-color"])
    func globals(line: String) throws {
        let parsed = try arguments(line)
        #expect(parsed.command == ["top"])
        #expect(parsed.text("output") == "json")
        #expect(parsed.flag("no-color"))
        #expect(!parsed.flag("quiet"))
    }

    @Test("an optional value is taken after '=' only")
    func optionalValue() throws {
        #expect(try arguments("top pages -w").span("watch") == .seconds(2))
        #expect(try arguments("top -w pages").span("watch") == .seconds(2))
        #expect(try arguments("top pages -w=500ms").span("watch") == .milliseconds(500))
        #expect(try arguments("top pages --watch=1m").span("watch") == .seconds(60))
        #expect(try arguments("top pages -qw").span("watch") == .seconds(2))
        #expect(try arguments("top pages").span("watch") == nil)
    }

    @Test("command line, environment, file and default rank in this order")
    func ranks() throws {
        let variables = ["COORDINATOR_LEASE": "4s"]
        let file = "# node\nlease = 5s\n"
        let bare = try arguments("run")
        #expect(bare.requiredSpan("lease") == .seconds(3) && !bare.isGiven("lease"))
        let fromFile = try arguments("run --config f", file: file)
        #expect(fromFile.span("lease") == .seconds(5) && fromFile.origin("lease") == .file("f"))
        let fromEnvironment = try arguments("run --config f", environment: variables, file: file)
        #expect(fromEnvironment.span("lease") == .seconds(4))
        #expect(fromEnvironment.origin("lease") == .environment("COORDINATOR_LEASE"))
        let fromLine = try arguments(
            "run --lease 6s --config f", environment: variables, file: file)
        #expect(fromLine.span("lease") == .seconds(6))
    }

    @Test("the first variable that is set and not empty counts")
    func environmentNames() throws {
        let both = ["COORDINATOR_REDIS_URL": "redis://a", "REDIS_URL": "redis://b"]
        #expect(try arguments("run", environment: both).texts("redis-url") == ["redis://a"])
        let second = ["COORDINATOR_REDIS_URL": "", "REDIS_URL": "redis://b"]
        #expect(try arguments("run", environment: second).texts("redis-url") == ["redis://b"])
        #expect(try arguments("run", environment: ["COORDINATOR_INIT": "yes"]).flag("init"))
        #expect(try !arguments("run", environment: ["COORDINATOR_INIT": "0"]).flag("init"))
    }

    @Test("a repeatable option keeps all its values, a file's as well")
    func repeated() throws {
        let parsed = try arguments("run --redis-url a --redis-url=b")
        #expect(parsed.texts("redis-url") == ["a", "b"])
        let fromFile = try arguments("run --config f", file: "redis-url = a\nredis-url=b")
        #expect(fromFile.texts("redis-url") == ["a", "b"])
    }

    @Test("one file serves all commands: another command's setting is passed over")
    func foreignSettings() throws {
        #expect(try arguments("top pages --config f", file: "lease = 5s").integer("number") == 20)
    }

    @Test("operands are given out in order, and a dash or a number is no option")
    func operands() throws {
        #expect(try arguments("import --host h a - b").operands("FILE") == ["a", "-", "b"])
        #expect(try arguments("import --host h -- -x --y").operands("FILE") == ["-x", "--y"])
        #expect(try arguments("config validate").operand("FILE") == nil)
        #expect(try arguments("config validate f").operand("FILE") == "f")
        #expect(try arguments("config show").command == ["config", "show"])
    }

    @Test("times are read in all their forms")
    func times() throws {
        #expect(try arguments("top pages").requiredTime("at") == .now)
        #expect(try arguments("top pages --at 2h").time("at") == .back(.seconds(7_200)))
        let instant = try arguments("top pages --at=2024-07-24T21:58:20Z").time("at")
        #expect(instant == .instant(milliseconds: 1_721_858_300_000))
        #expect(TimeArgument.back(.seconds(1)).milliseconds(now: 5_000) == 4_000)
    }

    @Test(
        "help is asked for in any of its ways, after a mistake as well",
        arguments: [
            ("help", []), ("-h", []), ("--help", []), ("help top", ["top"]), ("top -h", ["top"]),
            ("top --bogus -h", ["top"]), ("config show --help", ["config", "show"]),
            ("help config show", ["config", "show"]), ("top -qh", ["top"]),
            ("help config", ["config"]),
        ] as [(String, [String])])
    func help(line: String, path: [String]) throws {
        guard case .help(let found) = try parse(line) else {
            Issue.record("no help for \(line)")
            return
        }
        #expect(found == path)
    }

    @Test("no arguments at all are told apart from asking for help")
    func nothing() throws {
        guard case .nothing = try parse("") else {
            Issue.record("expected .nothing")
            return
        }
    }

    @Test(
        "a mistake is one sentence that names the argument and the way out",
        arguments: [
            ("tpo", "there is no command 'tpo'; did you mean top?"),
            ("stat", "there is no command 'stat'"),
            ("config shwo", "there is no command 'config shwo'; did you mean show?"),
            ("config", "'coordinator config' needs one of: show, validate"),
            ("-q", "'coordinator' needs one of: COMMAND"),
            (
                "top pages --wesbite x",
                "'coordinator top' has no option --wesbite; did you mean --website?"
            ),
            ("top pages -z", "'coordinator top' has no option -z"),
            (
                "--website x top",
                "--website belongs to a command: write it after the command's name"
            ),
            ("top pages --website", "--website needs a value: write --website=NAME"),
            ("top pages --website --last 1h", "--website needs a value: write --website=NAME"),
            ("top pages -q=1", "-q takes no value: leave out what follows the '='"),
            ("top pages --quiet=1", "--quiet takes no value: leave out what follows the '='"),
            (
                "top page",
                "KIND: 'page' is not one of pages, sections, websites; did you mean pages?"
            ),
            ("top pages -o jsno", "-o: 'jsno' is not one of table, json; did you mean json?"),
            ("top pages -n 0", "-n: '0' is not a whole number from 1 to 1000"),
            (
                "top pages --last 1",
                "--last: '1' is not a time span such as 500ms, 30s, 2h or 1h30m"
            ),
            ("top pages -n 1 -n 2", "-n is given more than once: leave one"),
            ("top", "KIND is missing; usage: coordinator top pages|sections|websites [options]"),
            (
                "top pages x",
                "'x' is one argument too many; usage: "
                    + "coordinator top pages|sections|websites [options]"
            ),
            ("import f", "'coordinator import' needs the option --host"),
            (
                "run --admin-token x",
                "--admin-token is never an argument, others could read it: "
                    + "set COORDINATOR_ADMIN_TOKEN"
            ),
            ("top pages --website=\u{1B}[2J=", "no error"),
            ("top pages --last=\u{1B}[2J", "--last: '\\u{1B}[2J' is not a time span"),
        ] as [(String, String)])
    func mistakes(line: String, expected: String) {
        #expect(sentence(line).hasPrefix(expected), "\(sentence(line))")
    }

    @Test("mistakes of the environment and of the file name their place")
    func placesOfMistakes() {
        #expect(
            sentence("run", environment: ["COORDINATOR_LEASE": "soon"])
                .hasPrefix("COORDINATOR_LEASE: 'soon' is not a time span"))
        #expect(
            sentence("run --config f", file: "\nlaese = 3s")
                == "f, line 2: there is no setting 'laese'; did you mean lease?")
        #expect(sentence("run --config f", file: "lease").contains("f, line 1: write name = value"))
        #expect(sentence("run --config f", file: "lease = x").hasPrefix("f, line 1, lease: 'x'"))
        #expect(
            sentence("run --config f", file: "lease = 1s\nlease = 2s")
                == "f, line 2: lease is set more than once")
    }

    @Test("a configuration file that is not there is an error that names it")
    func missingFile() {
        #expect(throws: ArgumentError.self) { try ConfigurationFile.read("/nonexistent/file") }
    }
}

@Suite("Values")
struct ValueTests {
    @Test(
        "spans",
        arguments: [
            ("500ms", 500), ("2s", 2_000), ("1h30m", 5_400_000), ("7d", 604_800_000),
            ("1w", 604_800_000),
            ("0s", 0), ("", nil), ("5", nil), ("s", nil), ("1m1h", nil), ("1s1s", nil),
            ("-1s", nil),
            ("99999999999999999999s", nil), ("9223372036854775807d", nil), ("1 s", nil),
            ("1.5h", nil),
        ] as [(String, Int64?)])
    func spans(text: String, milliseconds: Int64?) {
        #expect(SpanText.parse(text) == milliseconds.map { Duration.milliseconds($0) })
    }

    @Test(
        "sizes",
        arguments: [
            ("0", 0), ("4096", 4_096), ("64k", 65_536), ("16MiB", 16_777_216),
            ("1G", 1_073_741_824),
            ("", nil), ("k", nil), ("1x", nil), ("9223372036854775807k", nil), ("-1", nil),
        ] as [(String, Int64?)])
    func sizes(text: String, bytes: Int64?) {
        #expect(ByteSizeText.parse(text) == bytes)
    }

    @Test(
        "ISO-8601 there and back",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2024-07-24T21:58:20Z", 1_721_858_300_000),
            ("2024-02-29T23:59:59.250Z", 1_709_251_199_250), ("1969-12-31T23:59:59Z", -1_000),
            ("2000-03-01T00:00:00Z", 951_868_800_000), ("1900-02-28T12:00:00Z", -2_203_934_400_000),
        ] as [(String, Int64)])
    func instants(text: String, milliseconds: Int64) {
        #expect(ISO8601Text.milliseconds(text) == milliseconds)
        #expect(ISO8601Text.text(milliseconds) == text)
    }

    @Test(
        "ISO-8601 with zones, and what is none",
        arguments: [
            ("2024-07-24T23:58:20+02:00", 1_721_858_300_000),
            ("2024-07-24T16:58:20-0500", 1_721_858_300_000),
            ("2024-07-24T21:58:20.5Z", 1_721_858_300_500), ("2024-07-24T21:58:20", nil),
            ("2023-02-29T00:00:00Z", nil), ("2024-13-01T00:00:00Z", nil),
            ("2024-01-01T24:00:00Z", nil),
            ("2024-01-01T00:00:00.Z", nil), ("2024-01-01T00:00:00Zx", nil), ("", nil),
        ] as [(String, Int64?)])
    func zones(text: String, milliseconds: Int64?) {
        #expect(ISO8601Text.milliseconds(text) == milliseconds)
    }

    @Test("every day of four centuries is found again from its number")
    func calendar() {
        for days in Int64(-100_000)...60_000 {
            let date = CivilDate(daysSince1970: days)
            #expect(
                CivilDate.daysSince1970(year: date.year, month: date.month, day: date.day) == days)
            #expect(date.day <= CivilDate.days(inMonth: date.month, year: date.year))
        }
    }

    @Test(
        "distances count insertions, deletions, changes and swaps",
        arguments: [
            ("top", "top", 0), ("tpo", "top", 1), ("", "abc", 3), ("kitten", "sitting", 3),
            ("ab", "", 2),
        ])
    func distances(left: String, right: String, distance: Int) {
        #expect(Suggestion.distance(left, right) == distance)
    }

    @Test("a suggestion is a slip or a beginning, not just any word")
    func suggestions() {
        #expect(Suggestion.nearest(to: "statu", among: ["status", "start"]) == "status")
        #expect(Suggestion.nearest(to: "dead", among: ["dead-letters", "drain"]) == "dead-letters")
        #expect(Suggestion.nearest(to: "xyzzy", among: ["status", "start"]) == nil)
        #expect(Suggestion.nearest(to: String(repeating: "a", count: 9_999), among: ["a"]) == nil)
    }
}

@Suite("Help")
struct HelpTests {
    @Test("no line of any help is wider than 80 columns")
    func widths() {
        let texts =
            [HelpText.program(sample)]
            + sample.commands.compactMap { HelpText.command(at: [$0.name], of: sample) }
        for line in texts.flatMap({ $0.split(separator: "\n") }) {
            #expect(TerminalText.width(of: String(line)) <= 80, "\(line)")
        }
    }

    @Test("the program's help lists commands by group")
    func program() {
        let text = HelpText.program(sample)
        #expect(text.contains("Look:\n  top     the most visited\n\nWork:\n  run     a node"))
        #expect(text.contains("  -o, --output VALUE"))
    }

    @Test("a command's help shows usage, choices, defaults and variables")
    func command() throws {
        let top = try #require(HelpText.command(at: ["top"], of: sample))
        #expect(top.contains("Usage: coordinator top pages|sections|websites [options]"))
        #expect(top.contains("-n, --number COUNT  rows [default 20]"))
        let run = try #require(HelpText.command(at: ["run"], of: sample))
        #expect(run.contains("COORDINATOR_LEASE"))
        #expect(run.contains("    COORDINATOR_ADMIN_TOKEN"))
        #expect(HelpText.command(at: ["nothing"], of: sample) == nil)
    }
}
