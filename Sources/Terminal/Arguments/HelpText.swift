/// Help made from the model.
public enum HelpText {
    /// Help is 80 columns wide everywhere, so that it reads the same in a terminal, a pipe and a
    /// manual.
    static let width = 80
    /// Where the explanations of options and commands begin at most; longer names push theirs to
    /// the next line.
    private static let widestLabel = 30

    /// The program's help: commands by group, global options, epilogue.
    public static func program(_ program: Program) -> String {
        var parts = [
            "\(program.name) – \(program.summary)", "Usage: \(program.name) COMMAND [options]",
        ]
        if !program.description.isEmpty { parts.append(paragraphs(program.description)) }
        let column = column(for: program.commands.map(\.name))
        for group in ordered(program.commands.map(\.group)) {
            let rows = program.commands.filter { $0.group == group }.map {
                (label: $0.name, text: $0.summary)
            }
            parts.append(group + ":\n" + list(rows, column: column))
        }
        parts += optionSections(program.globalOptions, heading: "Options of every command")
        if !program.epilogue.isEmpty { parts.append(program.epilogue) }
        parts.append("'\(program.name) help COMMAND' explains one command.")
        return parts.joined(separator: "\n\n") + "\n"
    }

    /// One command's help, or nil if there is none at this path.
    public static func command(at path: [String], of program: Program) -> String? {
        guard let command = program.command(at: path) else { return nil }
        let title = ([program.name] + path).joined(separator: " ")
        var parts = ["\(title) – \(command.summary)", "Usage: " + usage(of: command, title: title)]
        if !command.description.isEmpty { parts.append(paragraphs(command.description)) }
        if !command.subcommands.isEmpty {
            parts.append("Commands:\n" + list(command.subcommands.map { ($0.name, $0.summary) }))
        }
        if !command.operands.isEmpty {
            parts.append("Arguments:\n" + list(command.operands.map { ($0.name, explanation($0)) }))
        }
        parts += optionSections(inherited(path, program), heading: "Options")
        parts += optionSections(program.globalOptions, heading: "Options of every command")
        return parts.joined(separator: "\n\n") + "\n"
    }

    /// `coordinator top pages|sections|websites [options]`.
    static func usage(of command: Command, title: String) -> String {
        if !command.subcommands.isEmpty { return title + " COMMAND [options]" }
        var words = [title]
        for operand in command.operands {
            let choices = operand.kind.choices
            let name = choices.isEmpty ? operand.name : choices.joined(separator: "|")
            switch operand.arity {
            case .one: words.append(name)
            case .optional: words.append("[\(name)]")
            case .oneOrMore: words.append("\(name)…")
            case .any: words.append("[\(name)…]")
            }
        }
        return (words + ["[options]"]).joined(separator: " ")
    }

    private static func inherited(_ path: [String], _ program: Program) -> [Option] {
        path.indices.reversed().flatMap { program.command(at: Array(path[...$0]))?.options ?? [] }
    }

    private static func explanation(_ operand: Operand) -> String {
        let choices = operand.kind.choices
        return choices.isEmpty
            ? operand.help : operand.help + ": " + choices.joined(separator: ", ")
    }

    private static func optionSections(_ options: [Option], heading: String) -> [String] {
        ordered(options.map { $0.group ?? heading }).map { group in
            let rows = options.filter { ($0.group ?? heading) == group }.map {
                (label: label($0), text: explanation($0))
            }
            return group + ":\n" + list(rows)
        }
    }

    /// `-n, --number COUNT`; without a short name the long names still stand in one column.
    static func label(_ option: Option) -> String {
        let short = option.short.map { "-\($0), " } ?? "    "
        let name = option.isEnvironmentOnly ? option.environment.first ?? "" : "--" + option.name
        switch option.form {
        case .flag: return short + name
        case .value: return short + name + (option.isEnvironmentOnly ? "" : " " + option.valueName)
        case .optionalValue: return short + name + "[=\(option.valueName)]"
        }
    }

    static func explanation(_ option: Option) -> String {
        var notes: [String] = []
        if let choices = option.kind?.choices, !choices.isEmpty {
            notes.append(choices.joined(separator: ", "))
        }
        if option.isRequired { notes.append("required") }
        if option.isRepeatable { notes.append("repeatable") }
        if let text = option.defaultText, option.kind != nil { notes.append("default \(text)") }
        if case .optionalValue(_, let bare) = option.form {
            notes.append("\(bare) if no value is given")
        }
        if !option.environment.isEmpty, !option.isEnvironmentOnly {
            notes.append(option.environment.joined(separator: ", "))
        }
        return notes.isEmpty
            ? option.help : option.help + " [" + notes.joined(separator: "; ") + "]"
    }

    private static func ordered(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    /// Where the explanations of these labels begin.
    private static func column(for labels: [String]) -> Int {
        let widths = labels.map { TerminalText.width(of: $0) }.filter { $0 <= widestLabel }
        return (widths.max() ?? widestLabel) + 4
    }

    private static func list(_ rows: [(label: String, text: String)], column fixed: Int? = nil)
        -> String
    {
        let column = fixed ?? column(for: rows.map(\.label))
        let indent = String(repeating: " ", count: column)
        return rows.map { row in
            let lines = wrapped(row.text, to: width - column)
            let label = "  " + row.label
            let labelWidth = TerminalText.width(of: label)
            let body = lines.joined(separator: "\n" + indent)
            if labelWidth + 2 > column { return label + "\n" + indent + body }
            return label + String(repeating: " ", count: column - labelWidth) + body
        }.joined(separator: "\n")
    }

    /// Wraps each paragraph; lines that begin with a space are examples and stay as they are.
    private static func paragraphs(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix(" ")
                ? String(line) : wrapped(String(line), to: width).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    static func wrapped(_ text: String, to columns: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        var used = 0
        for word in text.split(separator: " ") {
            let wordWidth = TerminalText.width(of: String(word))
            if !line.isEmpty, used + 1 + wordWidth > columns {
                lines.append(line)
                (line, used) = ("", 0)
            }
            if !line.isEmpty {
                line += " "
                used += 1
            }
            line += word
            used += wordWidth
        }
        return lines + [line]
    }
}
