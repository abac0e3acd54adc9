/// What may stand at the end of an unfinished command line.
///
/// The shells' scripts ask the program itself, so that they know nothing of its commands and never
/// grow old.
public struct Completion: Sendable, Equatable {
    /// One word that may stand there.
    public struct Candidate: Sendable, Equatable {
        /// The whole word, with `--name=` in front where that is typed already.
        public let word: String
        /// What it is, in a line; empty where nobody needs telling.
        public let help: String
    }

    /// The words that may stand there and begin as what is typed.
    public private(set) var candidates: [Candidate] = []
    /// Whether a file's name may stand there.
    public private(set) var wantsFiles = false

    /// Completes the last of `words`, which may be empty; the program's name is not among them.
    ///
    /// - Parameter hints: words for values that any text may be, by the name that the help gives
    ///   the value.
    public init(of words: [String], in program: Program, hints: [String: [String]] = [:]) {
        let word = words.last ?? ""
        var line = Line(program: program)
        for word in words.dropLast() { line.read(word) }
        if let option = line.waiting {
            offer(option.kind, option.valueName, hints, behind: "", word)
        } else if line.isOperandsOnly {
            offerOperands(line, hints, word)
        } else if word.hasPrefix("--"), let equals = word.firstIndex(of: "=") {
            let name = word[word.index(word.startIndex, offsetBy: 2)..<equals]
            guard let option = line.options.first(where: { $0.name == name }) else { return }
            offer(
                option.kind ?? .choice(["true", "false"]), option.valueName, hints,
                behind: String(word[...equals]), word)
        } else if word.hasPrefix("-") {
            offerOptions(line, word)
        } else {
            offerOperands(line, hints, word)
        }
    }

    /// One candidate a line, word and help separated by a tab; `:files` where files may stand, too.
    public var text: String {
        candidates.map { $0.word + "\t" + $0.help + "\n" }.joined()
            + (wantsFiles ? Self.filesMark + "\n" : "")
    }

    static let filesMark = ":files"

    private mutating func add(_ word: String, _ help: String = "", typed: String) {
        guard word.hasPrefix(typed) else { return }
        candidates.append(Candidate(word: word, help: help))
    }

    private mutating func offerOptions(_ line: Line, _ typed: String) {
        for option in line.options where !option.isEnvironmentOnly {
            if line.given.contains(option.name), !option.isRepeatable { continue }
            add("--" + option.name, option.help, typed: typed)
        }
        add("--help", "explain", typed: typed)
    }

    private mutating func offerOperands(
        _ line: Line, _ hints: [String: [String]], _ typed: String
    ) {
        guard let command = line.command, command.subcommands.isEmpty else {
            for next in line.command?.subcommands ?? line.program.commands {
                add(next.name, next.summary, typed: typed)
            }
            return
        }
        // Behind `help` stand the names of commands.
        if command.name == "help", line.path.count == 1 {
            var commands = line.program.commands
            for word in line.operands {
                commands = commands.first { $0.name == word }?.subcommands ?? []
            }
            for next in commands { add(next.name, next.summary, typed: typed) }
            return
        }
        let place = line.operands.count
        let last = command.operands.last
        guard
            let operand = place < command.operands.count
                ? command.operands[place] : last?.takesMany == true ? last : nil
        else { return }
        offer(operand.kind, operand.name.uppercased(), hints, behind: "", typed)
    }

    private mutating func offer(
        _ kind: ValueKind?, _ valueName: String, _ hints: [String: [String]], behind prefix: String,
        _ typed: String
    ) {
        switch kind {
        case .choice(let words), .spanOrWord(let words):
            for word in words { add(prefix + word, typed: typed) }
        case .text where valueName == Self.fileName: wantsFiles = true
        case .text, .time:
            for word in hints[valueName] ?? [] { add(prefix + word, typed: typed) }
        case .count, .span, .bytes, nil: break
        }
    }

    /// What the help calls the value that is a file.
    private static let fileName = "FILE"
}

extension Completion {
    /// What the words before the unfinished one say; wrong ones are passed over, for they may be
    /// mended later.
    private struct Line {
        let program: Program
        private(set) var path: [String] = []
        private(set) var command: Command?
        private(set) var options: [Option]
        private(set) var operands: [String] = []
        private(set) var given: Set<String> = []
        /// The option whose value comes next.
        private(set) var waiting: Option?
        private(set) var isOperandsOnly = false

        init(program: Program) {
            self.program = program
            options = program.globalOptions
        }

        mutating func read(_ word: String) {
            if waiting != nil {
                waiting = nil
            } else if isOperandsOnly {
                take(word)
            } else if word == "--" {
                isOperandsOnly = true
            } else if word.hasPrefix("--") {
                let body = word.dropFirst(2)
                note(.long(String(body.prefix { $0 != "=" })), hasValue: body.contains("="))
            } else if word.hasPrefix("-"), let letter = word.dropFirst().first {
                note(.short(letter), hasValue: word.count > 2)
            } else {
                take(word)
            }
        }

        private mutating func note(_ written: WrittenName, hasValue: Bool) {
            guard let option = options.first(where: { $0.matches(written) }) else { return }
            given.insert(option.name)
            if case .value = option.form, !hasValue { waiting = option }
        }

        private mutating func take(_ word: String) {
            if let command, command.subcommands.isEmpty {
                operands.append(word)
                return
            }
            let choices = command?.subcommands ?? program.commands
            guard let next = choices.first(where: { $0.name == word }) else { return }
            command = next
            path.append(word)
            options = next.options + options
        }
    }
}
