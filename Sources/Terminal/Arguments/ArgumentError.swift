/// What is wrong with the arguments: one sentence that names the argument and the way out. Exit
/// code 64.
public enum ArgumentError: Error, Equatable, Sendable {
    case unknownCommand(String, group: String, suggestion: String?)
    case missingSubcommand(of: String, choices: [String])
    case unknownOption(String, command: String, suggestion: String?)
    /// The option exists, but for a command whose name has not been read yet.
    case optionBeforeCommand(String)
    case missingValue(option: String, valueName: String)
    case unexpectedValue(option: String)
    case invalidValue(argument: String, value: String, expected: String, suggestion: String?)
    case repeatedOption(String)
    case missingOption(String, command: String)
    case missingOperand(String, usage: String)
    case surplusOperand(String, usage: String)
    /// A password or token was given where every user of the machine can read it.
    case notOnCommandLine(option: String, environment: [String])
    case invalidFileLine(file: String, line: Int, reason: String)
    /// What a command itself finds wrong with a combination; the sentence as it is to be shown.
    case unsuitable(String)
}

extension ArgumentError: CustomStringConvertible {
    /// One line, with what came from outside escaped.
    public var description: String {
        switch self {
        case .unknownCommand(let name, let group, let suggestion):
            return "there is no command '\(group)\(shown(name))'" + didYouMean(suggestion)
        case .missingSubcommand(let command, let choices):
            return "'\(command)' needs one of: " + choices.joined(separator: ", ")
        case .unknownOption(let option, let command, let suggestion):
            return "'\(command)' has no option \(shown(option))" + didYouMean(suggestion)
        case .optionBeforeCommand(let option):
            return "\(shown(option)) belongs to a command: write it after the command's name"
        case .missingValue(let option, let valueName):
            return "\(option) needs a value: write \(option)=\(valueName)"
        case .unexpectedValue(let option):
            return "\(option) takes no value: leave out what follows the '='"
        case .invalidValue(let argument, let value, let expected, let suggestion):
            return "\(argument): '\(shown(value))' is not \(expected)" + didYouMean(suggestion)
        case .repeatedOption(let option):
            return "\(option) is given more than once: leave one"
        case .missingOption(let option, let command):
            return "'\(command)' needs the option \(option)"
        case .missingOperand(let name, let usage):
            return "\(name) is missing; usage: \(usage)"
        case .surplusOperand(let value, let usage):
            return "'\(shown(value))' is one argument too many; usage: \(usage)"
        case .notOnCommandLine(let option, let environment):
            return "\(option) is never an argument, others could read it: set "
                + environment.joined(separator: " or ")
        case .invalidFileLine(let file, let line, let reason):
            return "\(shown(file)), line \(line): \(reason)"
        case .unsuitable(let sentence):
            return sentence
        }
    }

    private func didYouMean(_ suggestion: String?) -> String {
        suggestion.map { "; did you mean \($0)?" } ?? ""
    }

    private func shown(_ text: String) -> String {
        TerminalText.escaped(TerminalText.shortened(text, toWidth: Self.longestShownValue))
    }

    /// A pasted file as an argument must not fill the screen.
    private static let longestShownValue = 80
}
