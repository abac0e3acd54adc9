/// The program's manual page, made from the model as the help is.
///
/// - Source: mdoc(7); checked by `mandoc -T lint` and `man --warnings`.
public struct ManualPage: Sendable {
    /// A name and what it is, in a list of the page.
    public struct Entry: Sendable {
        /// What is explained: a file, a command line.
        public let label: String
        /// A sentence without its full stop.
        public let text: String

        /// An entry.
        public init(_ label: String, _ text: String) {
            self.label = label
            self.text = text
        }
    }

    /// When the page was last changed, as mdoc writes a day: `November 26, 2026`.
    public var date: String
    /// Files that the program reads.
    public var files: [Entry]
    /// Command lines and what they do.
    public var examples: [Entry]

    /// What a page holds besides what the model says.
    public init(date: String, files: [Entry], examples: [Entry]) {
        self.date = date
        self.files = files
        self.examples = examples
    }

    /// The page's source.
    public func text(of program: Program) -> String {
        var page = Source()
        page.macro("Dd", date)
        page.macro("Dt", program.name.uppercased(), "1")
        page.macro("Os")
        page.macro("Sh", "NAME")
        page.macro("Nm", program.name)
        page.macro("Nd", program.summary)
        page.macro("Sh", "SYNOPSIS")
        page.macro("Nm", program.name)
        page.macro("Ar", "command")
        page.macro("Op", "Ar", "options")
        page.macro("Sh", "DESCRIPTION")
        page.paragraphs(program.description)
        page.macro("Pp")
        page.text(
            "Options stand before or behind a command's name once they are its own; those of every "
                + "command are at the end of this list.")
        for command in program.commands { page.command(command, [program.name]) }
        page.macro("Ss", "Options of every command")
        page.options(program.globalOptions)
        environment(&page, program)
        list("FILES", files, macro: "Pa", &page)
        page.macro("Sh", "EXIT STATUS")
        page.macro("Bl", "-tag", "-width", "Ds")
        for code in ExitCode.allCases {
            page.macro("It", "\(code.rawValue)")
            page.text(code.meaning + ".")
        }
        page.macro("El")
        examples(&page)
        return page.text
    }

    private func environment(_ page: inout Source, _ program: Program) {
        var seen: Set<String> = []
        page.macro("Sh", "ENVIRONMENT")
        page.text(
            "Flags win over the environment, the environment over the file of")
        page.macro("Fl", "-config", ",")
        page.text("the file over defaults.")
        page.macro("Bl", "-tag", "-width", "Ds")
        for option in program.allOptions {
            for variable in option.environment where seen.insert(variable).inserted {
                page.macro("It", "Ev", variable)
                if option.isEnvironmentOnly {
                    page.text(Source.sentence(option.help))
                } else {
                    page.text("The value of")
                    page.macro("Fl", "-" + option.name, ".")
                }
            }
        }
        page.macro("El")
    }

    private func list(
        _ heading: String, _ entries: [Entry], macro: String, _ page: inout Source
    ) {
        guard !entries.isEmpty else { return }
        page.macro("Sh", heading)
        page.macro("Bl", "-tag", "-width", "Ds")
        for entry in entries {
            page.macro("It", macro, entry.label)
            page.text(Source.sentence(entry.text))
        }
        page.macro("El")
    }

    private func examples(_ page: inout Source) {
        guard !examples.isEmpty else { return }
        page.macro("Sh", "EXAMPLES")
        for (index, example) in examples.enumerated() {
            if index > 0 { page.macro("Pp") }
            page.text(example.text + ":")
            page.macro("Pp")
            page.macro("Dl", example.label)
        }
    }
}

extension ManualPage {
    /// Lines of mdoc source.
    fileprivate struct Source {
        private(set) var text = ""
        /// Lines of source, which people read, too.
        private static let width = 72

        /// A line of a macro with its arguments.
        mutating func macro(_ name: String, _ arguments: String...) {
            text += "." + ([name] + arguments.map(Self.argument)).joined(separator: " ") + "\n"
        }

        /// Words that flow; a sentence a line, as mdoc wants it.
        mutating func text(_ words: String) {
            for sentence in Self.sentences(words) {
                for line in HelpText.wrapped(sentence, to: Self.width) {
                    text += Self.flowing(line) + "\n"
                }
            }
        }

        /// Paragraphs; lines that begin with a space are shown as they are.
        mutating func paragraphs(_ words: String) {
            for line in words.split(separator: "\n") {
                if line.hasPrefix(" ") {
                    macro("Dl", line.drop { $0 == " " }.description)
                } else {
                    text(String(line))
                }
            }
        }

        mutating func command(_ command: Command, _ path: [String]) {
            let path = path + [command.name]
            if command.subcommands.isEmpty {
                let usage = HelpText.usage(of: command, title: path.joined(separator: " "))
                // Without the mark the last bracket would count as punctuation behind the title.
                macro("Ss", usage.replacing("…", with: "...") + "\\&")
                text(Self.sentence(command.summary))
                if !command.description.isEmpty {
                    macro("Pp")
                    paragraphs(command.description)
                }
                operands(command.operands)
                options(command.options)
            }
            for next in command.subcommands { self.command(next, path) }
        }

        private mutating func operands(_ operands: [Operand]) {
            guard !operands.isEmpty else { return }
            macro("Bl", "-tag", "-width", "Ds")
            for operand in operands {
                macro("It", "Ar", operand.name)
                let choices = operand.kind.choices
                text(
                    Self.sentence(
                        choices.isEmpty
                            ? operand.help
                            : operand.help + ": " + choices.joined(separator: ", ")))
            }
            macro("El")
        }

        mutating func options(_ options: [Option]) {
            let shown = options.filter { !$0.isEnvironmentOnly }
            guard !shown.isEmpty else { return }
            macro("Bl", "-tag", "-width", "Ds")
            for option in shown {
                item(option)
                text(Self.sentence(HelpText.explanation(option)))
            }
            macro("El")
        }

        private mutating func item(_ option: Option) {
            var words = ["It"]
            if let short = option.short {
                words += ["Fl", String(short), ",", "Fl"]
            } else {
                words.append("Fl")
            }
            switch option.form {
            case .flag: words.append("-" + option.name)
            case .value: words += ["-" + option.name, "Ar", option.valueName]
            case .optionalValue:
                words += ["-" + option.name + "Ns", "Op", "=", "Ns", "Ar", option.valueName]
            }
            text += "." + words.map(Self.argument).joined(separator: " ") + "\n"
        }

        static func sentence(_ words: String) -> String {
            // A line that begins with an address, or an option, begins as that is written.
            let isName = words.prefix { $0 != " " }.contains { ":-=".contains($0) }
            let first = isName ? words : words.prefix(1).uppercased() + words.dropFirst()
            return first.hasSuffix(".") || first.hasSuffix("]") ? first : first + "."
        }

        /// Cuts behind each full stop that ends a sentence.
        private static func sentences(_ words: String) -> [String] {
            words.replacing(". ", with: ".\n").split(separator: "\n").map(String.init)
        }

        /// Characters that roff would take for its own.
        private static func plain(_ words: String) -> String {
            words.replacing("\\", with: "\\e").replacing("\\e&", with: "\\&")
        }

        /// A line that begins with a dot or an apostrophe would be a request.
        private static func flowing(_ line: String) -> String {
            let text = plain(line)
            return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
        }

        /// One argument of a macro: quoted where it has blanks or quotes.
        private static func argument(_ word: String) -> String {
            let text = plain(word).replacing("\"", with: "\\(dq")
            return text.isEmpty || text.contains(" ") ? "\"\(text)\"" : text
        }
    }
}
