/// What the arguments ask for.
public enum ParseOutcome: Sendable {
    case run(ParsedArguments)
    /// Help was asked for, of the command at this path (empty: of the program).
    case help(path: [String])
    /// Nothing at all was given: the program's help belongs on stderr, and the exit code is 64.
    case nothing
}

/// Reads a command line by a program's model.
///
/// Ranks: command line, environment, configuration file, default. An empty variable counts as not
/// set, as compose files and unit files leave them.
public struct ArgumentParser {
    private let program: Program
    private let environment: [String: String]
    private let configurationOption: String
    private let readConfiguration: (String) throws(ArgumentError) -> ConfigurationFile

    /// A parser; `configurationOption` names the global option that holds the path of a
    /// configuration file, if any.
    public init(
        _ program: Program, environment: [String: String], configurationOption: String = "config",
        readConfiguration: @escaping (String) throws(ArgumentError) -> ConfigurationFile =
            ConfigurationFile.read
    ) {
        self.program = program
        self.environment = environment
        self.configurationOption = configurationOption
        self.readConfiguration = readConfiguration
    }

    /// Parses what follows the program's name.
    ///
    /// - Errors: the first thing that is wrong; but `-h` anywhere after it still gives help, for
    ///   that is what somebody adds who sees a mistake.
    public func parse(_ arguments: [String]) throws(ArgumentError) -> ParseOutcome {
        if arguments.isEmpty { return .nothing }
        var line = CommandLineReader(program: program, arguments: arguments)
        do {
            if let helpPath = try line.readAll() { return .help(path: helpPath) }
            return .run(try completed(line))
        } catch {
            let asksForHelp = arguments.prefix { $0 != "--" }.contains {
                $0 == "-h" || $0 == "--help"
            }
            if asksForHelp { return .help(path: line.path) }
            throw error
        }
    }

    private func completed(_ line: CommandLineReader) throws(ArgumentError) -> ParsedArguments {
        guard let command = line.command else {
            throw .missingSubcommand(of: program.name, choices: ["COMMAND"])
        }
        let title = ([program.name] + line.path).joined(separator: " ")
        if !command.subcommands.isEmpty {
            throw .missingSubcommand(of: title, choices: command.subcommands.map(\.name))
        }
        let operands = try OperandAssignment(command: command, title: title).assign(line.words)
        var parsed = ParsedArguments(
            command: line.path, options: line.visibleOptions, operands: operands)
        for option in line.visibleOptions {
            if let values = line.values[option.name] {
                parsed.set(option.name, values, from: .commandLine)
            } else if let (variable, value) = try environmentValue(option) {
                parsed.set(option.name, [value], from: .environment(variable))
            } else if let text = option.defaultText {
                parsed.set(option.name, [defaultValue(option, text)], from: .defaultValue)
            }
        }
        try apply(configurationOf: line.visibleOptions, to: &parsed)
        for option in line.visibleOptions
        where option.isRequired && parsed.origin(option.name) == nil {
            throw .missingOption("--" + option.name, command: title)
        }
        return parsed
    }

    private func environmentValue(
        _ option: Option
    ) throws(ArgumentError) -> (variable: String, value: ArgumentValue)? {
        for variable in option.environment {
            guard let text = environment[variable], !text.isEmpty else { continue }
            return (variable, try option.value(of: text, writtenAs: variable))
        }
        return nil
    }

    private func defaultValue(_ option: Option, _ text: String) -> ArgumentValue {
        do {
            return try option.value(of: text, writtenAs: "--" + option.name)
        } catch {
            preconditionFailure("the default of --\(option.name) does not fit its kind: \(error)")
        }
    }

    /// Takes from the configuration file what neither the command line nor the environment gives. A
    /// setting of another command is passed over (one file serves all), a name that no command
    /// knows is a mistake.
    private func apply(
        configurationOf visible: [Option], to parsed: inout ParsedArguments
    ) throws(ArgumentError) {
        guard visible.contains(where: { $0.name == configurationOption }),
            let path = parsed.text(configurationOption)
        else { return }
        let file = try readConfiguration(path)
        var found: [String: [ArgumentValue]] = [:]
        for entry in file.entries {
            guard let option = visible.first(where: { $0.name == entry.name }) else {
                if program.allOptions.contains(where: { $0.name == entry.name }) { continue }
                throw unknownName(entry, in: file)
            }
            if found[option.name] != nil, !option.isRepeatable {
                throw .invalidFileLine(
                    file: path, line: entry.line, reason: "\(entry.name) is set more than once")
            }
            let place = "\(path), line \(entry.line), \(entry.name)"
            found[option.name, default: []].append(
                try option.value(of: entry.value, writtenAs: place))
        }
        for (name, values) in found where !parsed.isGiven(name) {
            parsed.set(name, values, from: .file(path))
        }
    }

    private func unknownName(
        _ entry: ConfigurationFile.Entry, in file: ConfigurationFile
    ) -> ArgumentError {
        let nearest = Suggestion.nearest(to: entry.name, among: program.allOptions.map(\.name))
        let name = TerminalText.escaped(entry.name)
        let hint = nearest.map { "; did you mean \($0)?" } ?? ""
        return .invalidFileLine(
            file: file.path, line: entry.line, reason: "there is no setting '\(name)'" + hint)
    }
}

extension Program {
    /// The options of all commands, and the global ones.
    var allOptions: [Option] {
        func options(of command: Command) -> [Option] {
            command.options + command.subcommands.flatMap(options)
        }
        return globalOptions + commands.flatMap(options)
    }
}

extension Option {
    /// The checked value of a text that came from outside; `place` is what the error names.
    func value(of text: String, writtenAs place: String) throws(ArgumentError) -> ArgumentValue {
        guard let kind else {
            switch text.lowercased() {
            case "1", "true", "yes", "on": return .flag(true)
            case "0", "false", "no", "off": return .flag(false)
            default:
                throw .invalidValue(
                    argument: place, value: text, expected: "true or false", suggestion: nil)
            }
        }
        return try kind.value(of: text, writtenAs: place)
    }
}

extension ValueKind {
    /// The checked value of a text; `place` is what the error names.
    func value(of text: String, writtenAs place: String) throws(ArgumentError) -> ArgumentValue {
        if let value = value(of: text) { return value }
        throw .invalidValue(
            argument: place, value: text, expected: expectation,
            suggestion: Suggestion.nearest(to: text, among: choices))
    }
}

/// Gives the words of the command line to the operands of a command.
private struct OperandAssignment {
    let command: Command
    let title: String

    func assign(_ words: [String]) throws(ArgumentError) -> [String: [String]] {
        var assigned: [String: [String]] = [:]
        var rest = words[...]
        let usage = HelpText.usage(of: command, title: title)
        for operand in command.operands {
            let taken = operand.takesMany ? rest : rest.prefix(1)
            if taken.isEmpty, operand.isNeeded { throw .missingOperand(operand.name, usage: usage) }
            for word in taken { _ = try operand.kind.value(of: word, writtenAs: operand.name) }
            assigned[operand.name] = Array(taken)
            rest = rest.dropFirst(taken.count)
        }
        if let surplus = rest.first { throw .surplusOperand(surplus, usage: usage) }
        return assigned
    }
}
