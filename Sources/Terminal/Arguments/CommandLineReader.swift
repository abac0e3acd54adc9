/// Walks the words of a command line once and sorts them into command, options and operands.
struct CommandLineReader {
    private let program: Program
    private var rest: ArraySlice<String>
    /// The names of the command read so far.
    private(set) var path: [String] = []
    private(set) var command: Command?
    /// The options understood here: the command's own, then those of the groups around it, then the
    /// global ones.
    private(set) var visibleOptions: [Option]
    private(set) var values: [String: [ArgumentValue]] = [:]
    /// The operands.
    private(set) var words: [String] = []

    init(program: Program, arguments: [String]) {
        self.program = program
        rest = arguments[...]
        visibleOptions = program.globalOptions
    }

    /// Reads to the end; returns the path of the command whose help is asked for, or nil.
    mutating func readAll() throws(ArgumentError) -> [String]? {
        while let word = rest.popFirst() {
            if word == "--" {
                for operand in rest { try take(operand) }
                return nil
            }
            if word == "-h" || word == "--help" { return path }
            if path.isEmpty, word == "help", program.command(at: ["help"])?.operands.isEmpty ?? true
            {
                return try helpPath()
            }
            if word.hasPrefix("--") {
                try readLong(word.dropFirst(2))
            } else if Self.looksLikeOption(word) {
                if try readShort(word.dropFirst()) { return path }
            } else {
                try take(word)
            }
        }
        return nil
    }

    /// A lone dash is standard input, and a dash with a digit is a number.
    private static func looksLikeOption(_ word: String) -> Bool {
        guard word.hasPrefix("-"), let second = word.dropFirst().first else { return false }
        return !second.isNumber
    }

    private mutating func helpPath() throws(ArgumentError) -> [String] {
        while let word = rest.popFirst() {
            if Self.looksLikeOption(word) { continue }
            try descend(into: word)
            if command?.subcommands.isEmpty ?? true { break }
        }
        return path
    }

    private mutating func take(_ word: String) throws(ArgumentError) {
        if let command, command.subcommands.isEmpty {
            words.append(word)
        } else {
            try descend(into: word)
        }
    }

    private mutating func descend(into name: String) throws(ArgumentError) {
        let choices = command?.subcommands ?? program.commands
        guard let next = choices.first(where: { $0.name == name }) else {
            let names = choices.map(\.name) + (command == nil ? ["help"] : [])
            throw .unknownCommand(
                name, group: path.map { $0 + " " }.joined(),
                suggestion: Suggestion.nearest(to: name, among: names))
        }
        command = next
        path.append(name)
        visibleOptions = next.options + visibleOptions
    }

    private mutating func readLong(_ body: Substring) throws(ArgumentError) {
        let equals = body.firstIndex(of: "=")
        let name = String(body[..<(equals ?? body.endIndex)])
        let inline = equals.map { String(body[body.index(after: $0)...]) }
        let option = try find(.long(name))
        switch option.form {
        case .flag:
            guard let inline else { return try record(option, .flag(true), as: .long(name)) }
            let isBoolean = inline == "true" || inline == "false"
            guard isBoolean else { throw .unexpectedValue(option: "--" + name) }
            try record(option, .flag(inline == "true"), as: .long(name))
        case .value(let kind):
            let text: String
            if let inline {
                text = inline
            } else {
                text = try followingValue(option, as: .long(name))
            }
            try record(option, try kind.value(of: text, writtenAs: "--" + name), as: .long(name))
        case .optionalValue(let kind, let bare):
            let value = try kind.value(of: inline ?? bare, writtenAs: "--" + name)
            try record(option, value, as: .long(name))
        }
    }

    /// Reads `-q`, `-qv`, `-n20`, `-n=20`, `-n 20`, `-w=2s`; true where an `h` among them asks for
    /// help.
    private mutating func readShort(_ body: Substring) throws(ArgumentError) -> Bool {
        var letters = body
        while let letter = letters.popFirst() {
            if letter == "h" { return true }
            let written = WrittenName.short(letter)
            let option = try find(written)
            let inline = letters.first == "=" ? String(letters.dropFirst()) : nil
            switch option.form {
            case .flag:
                if inline != nil { throw .unexpectedValue(option: written.text) }
                try record(option, .flag(true), as: written)
            case .value(let kind):
                let attached = inline ?? (letters.isEmpty ? nil : String(letters))
                let text: String
                if let attached {
                    text = attached
                } else {
                    text = try followingValue(option, as: written)
                }
                try record(option, try kind.value(of: text, writtenAs: written.text), as: written)
                return false
            case .optionalValue(let kind, let bare):
                let text = inline ?? bare
                try record(option, try kind.value(of: text, writtenAs: written.text), as: written)
                if inline != nil { return false }
            }
        }
        return false
    }

    /// The next word as a value. One that looks like an option is refused: `--website --last 1h` is
    /// a forgotten value far more often than a website called `--last`, and `=` still allows that.
    private mutating func followingValue(
        _ option: Option, as written: WrittenName
    ) throws(ArgumentError) -> String {
        guard let next = rest.first, next != "--", !Self.looksLikeOption(next) else {
            throw .missingValue(option: written.text, valueName: option.valueName)
        }
        rest.removeFirst()
        return next
    }

    private mutating func record(
        _ option: Option, _ value: ArgumentValue, as written: WrittenName
    ) throws(ArgumentError) {
        if option.isEnvironmentOnly {
            throw .notOnCommandLine(option: written.text, environment: option.environment)
        }
        // The same flag twice (-qq, an alias with -q in it) says nothing new; two values contradict
        // each other.
        if values[option.name] != nil, !option.isRepeatable, option.kind != nil {
            throw .repeatedOption(written.text)
        }
        values[option.name, default: []].append(value)
    }

    private func find(_ written: WrittenName) throws(ArgumentError) -> Option {
        if let option = visibleOptions.first(where: { $0.matches(written) }) { return option }
        let isReading = command.map { !$0.subcommands.isEmpty } ?? true
        if isReading, program.allOptions.contains(where: { $0.matches(written) }) {
            throw .optionBeforeCommand(written.text)
        }
        var suggestion: String?
        if case .long(let name) = written {
            suggestion = Suggestion.nearest(to: name, among: visibleOptions.map(\.name))
        }
        let title = ([program.name] + path).joined(separator: " ")
        throw .unknownOption(written.text, command: title, suggestion: suggestion.map { "--" + $0 })
    }
}
