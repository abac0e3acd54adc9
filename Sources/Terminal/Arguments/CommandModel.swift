/// One option: `--name VALUE`, `-n VALUE`, or a flag.
///
/// The model is plain data that can be walked: the parser, the help, the completions and the manual
/// page are all read from it, so they cannot disagree.
public struct Option: Sendable, Hashable {
    /// Whether a value follows.
    public enum Form: Sendable, Hashable {
        /// No value: given or not.
        case flag
        /// A value is required: `--last 1h`, `--last=1h`.
        case value(ValueKind)
        /// A value may follow, after `=` only (else `-w pages` would be ambiguous): `-w`, `-w=2s`.
        case optionalValue(ValueKind, bare: String)
    }

    /// The long name, without dashes.
    public var name: String
    /// The one-letter name, without its dash.
    public var short: Character?
    /// Whether a value follows, and of what kind.
    public var form: Form
    /// What the help calls the value.
    public var valueName: String
    /// Whether it may be given several times; all its values are kept.
    public var isRepeatable: Bool
    /// Whether the command cannot do without it.
    public var isRequired: Bool
    /// Never taken from the command line, where other users of the machine could read it
    /// (passwords, tokens).
    public var isEnvironmentOnly: Bool
    /// The value where none is given, as it would be written.
    public var defaultText: String?
    /// The environment's names for it; the first that is set and not empty counts.
    public var environment: [String]
    /// The heading in the help; nil for the command's plain list.
    public var group: String?
    /// What it is, in a line or two.
    public var help: String

    /// An option; see the properties for what each part means.
    public init(
        _ name: String, short: Character? = nil, _ form: Form = .flag, valueName: String = "VALUE",
        isRepeatable: Bool = false, isRequired: Bool = false, isEnvironmentOnly: Bool = false,
        default defaultText: String? = nil, environment: [String] = [], group: String? = nil,
        help: String
    ) {
        self.name = name
        self.short = short
        self.form = form
        self.valueName = valueName
        self.isRepeatable = isRepeatable
        self.isRequired = isRequired
        self.isEnvironmentOnly = isEnvironmentOnly
        self.defaultText = defaultText
        self.environment = environment
        self.group = group
        self.help = help
    }

    /// The value's kind; nil for a flag.
    public var kind: ValueKind? {
        switch form {
        case .flag: return nil
        case .value(let kind), .optionalValue(let kind, _): return kind
        }
    }

    func matches(_ written: WrittenName) -> Bool {
        switch written {
        case .long(let long): return name == long
        case .short(let letter): return short == letter
        }
    }
}

/// How an option was written.
enum WrittenName: Equatable {
    case long(String)
    case short(Character)

    var text: String {
        switch self {
        case .long(let name): return "--" + name
        case .short(let letter): return "-" + String(letter)
        }
    }
}

/// One positional argument.
public struct Operand: Sendable, Hashable {
    /// How many of them.
    public enum Arity: Sendable, Hashable {
        case one, optional, oneOrMore, any
    }

    /// In capitals, as in the usage line.
    public var name: String
    /// How many of them there may be.
    public var arity: Arity
    /// What each must look like.
    public var kind: ValueKind
    /// What it is, in a line or two.
    public var help: String

    /// A positional argument; only the last of a command may take more than one.
    public init(_ name: String, _ arity: Arity = .one, kind: ValueKind = .text, help: String) {
        self.name = name
        self.arity = arity
        self.kind = kind
        self.help = help
    }

    var takesMany: Bool { arity == .oneOrMore || arity == .any }
    var isNeeded: Bool { arity == .one || arity == .oneOrMore }
}

/// A command, or a group of sub-commands (`config show`).
public struct Command: Sendable, Hashable {
    /// As it is typed.
    public var name: String
    /// One line for the list of commands: no full stop, lower case.
    public var summary: String
    /// Paragraphs for the command's own help, separated by empty lines.
    public var description: String
    /// The heading under which the program's help lists it.
    public var group: String
    /// The positional arguments, in order.
    public var operands: [Operand]
    /// Its own options; the global ones come on top.
    public var options: [Option]
    /// What a group of commands holds.
    public var subcommands: [Command]

    /// A command; one with sub-commands has neither operands nor a meaning of its own.
    public init(
        _ name: String, summary: String, description: String = "", group: String = "Commands",
        operands: [Operand] = [], options: [Option] = [], subcommands: [Command] = []
    ) {
        self.name = name
        self.summary = summary
        self.description = description
        self.group = group
        self.operands = operands
        self.options = options
        self.subcommands = subcommands
    }
}

/// The whole program: its commands, and the options that every command takes.
public struct Program: Sendable {
    /// As it is typed.
    public var name: String
    /// One line on what it is for.
    public var summary: String
    /// Paragraphs for its help.
    public var description: String
    /// Its commands, in the order of the help.
    public var commands: [Command]
    /// Understood before or after the command's name.
    public var globalOptions: [Option]
    /// What the program's help ends with (exit codes, where the manual is).
    public var epilogue: String

    /// A program; `help` and `-h` need not be declared.
    public init(
        name: String, summary: String, description: String = "", commands: [Command],
        globalOptions: [Option] = [], epilogue: String = ""
    ) {
        self.name = name
        self.summary = summary
        self.description = description
        self.commands = commands
        self.globalOptions = globalOptions
        self.epilogue = epilogue
    }

    /// The command at a path such as `["config", "show"]`.
    public func command(at path: [String]) -> Command? {
        var found: Command?
        for name in path {
            guard let next = (found?.subcommands ?? commands).first(where: { $0.name == name })
            else {
                return nil
            }
            found = next
        }
        return found
    }
}
