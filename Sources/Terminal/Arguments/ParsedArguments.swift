/// Where an option's value comes from; the earlier case wins.
public enum ValueOrigin: Sendable, Hashable {
    case commandLine
    /// The name of the variable.
    case environment(String)
    /// The path of the configuration file.
    case file(String)
    case defaultValue
}

/// The checked arguments of one command.
///
/// Every value was checked against its kind, so reading one cannot fail. Asking for a name that the
/// command does not declare is a programmer error and stops the program with that name.
public struct ParsedArguments: Sendable {
    /// The command's path: `["top"]`, `["config", "show"]`.
    public let command: [String]
    private let options: [String: Option]
    private var values: [String: (values: [ArgumentValue], origin: ValueOrigin)] = [:]
    private var operandValues: [String: [String]] = [:]

    init(command: [String], options: [Option], operands: [String: [String]]) {
        self.command = command
        self.options = Dictionary(options.map { ($0.name, $0) }) { inner, _ in inner }
        operandValues = operands
    }

    mutating func set(_ name: String, _ newValues: [ArgumentValue], from origin: ValueOrigin) {
        values[name] = (newValues, origin)
    }

    /// Whether the flag is set.
    public func flag(_ name: String) -> Bool {
        guard case .flag(let isSet) = last(name) else { return false }
        return isSet
    }

    /// The value as text (text and choice).
    public func text(_ name: String) -> String? { texts(name).last }

    /// Every value of a repeatable option, in order; empty where none is given.
    public func texts(_ name: String) -> [String] {
        all(name).compactMap { value in
            guard case .text(let text) = value else { return nil }
            return text
        }
    }

    /// The value of a count.
    public func integer(_ name: String) -> Int64? {
        guard case .integer(let number) = last(name) else { return nil }
        return number
    }

    /// The value of a size, in bytes.
    public func bytes(_ name: String) -> Int64? { integer(name) }

    /// The value of a time span.
    public func span(_ name: String) -> Duration? {
        guard case .span(let span) = last(name) else { return nil }
        return span
    }

    /// The value of a time.
    public func time(_ name: String) -> TimeArgument? {
        guard case .time(let time) = last(name) else { return nil }
        return time
    }

    /// The text of an option that has a default or is required, so that it always has one.
    public func requiredText(_ name: String) -> String { always(name, text(name)) }

    /// The number of an option that has a default or is required.
    public func requiredInteger(_ name: String) -> Int64 { always(name, integer(name)) }

    /// The span of an option that has a default or is required.
    public func requiredSpan(_ name: String) -> Duration { always(name, span(name)) }

    /// The time of an option that has a default or is required.
    public func requiredTime(_ name: String) -> TimeArgument { always(name, time(name)) }

    /// Where the option's value comes from; nil where it has none.
    public func origin(_ name: String) -> ValueOrigin? {
        checkDeclared(name)
        return values[name]?.origin
    }

    /// Whether somebody gave the option, by whatever way.
    public func isGiven(_ name: String) -> Bool {
        guard let origin = origin(name) else { return false }
        return origin != .defaultValue
    }

    /// A positional argument, or nil where it is optional and left out.
    public func operand(_ name: String) -> String? { operands(name).first }

    /// A positional argument of which there is always one.
    public func requiredOperand(_ name: String) -> String { always(name, operand(name)) }

    /// All positional arguments of a name.
    public func operands(_ name: String) -> [String] {
        guard let found = operandValues[name] else {
            preconditionFailure("'\(command.joined(separator: " "))' declares no operand \(name)")
        }
        return found
    }

    /// The options of the command, by name.
    var declaredOptions: [Option] { options.values.sorted { $0.name < $1.name } }

    func values(of name: String) -> [ArgumentValue] { all(name) }

    private func all(_ name: String) -> [ArgumentValue] {
        checkDeclared(name)
        return values[name]?.values ?? []
    }

    private func last(_ name: String) -> ArgumentValue? { all(name).last }

    private func checkDeclared(_ name: String) {
        precondition(
            options[name] != nil, "'\(command.joined(separator: " "))' declares no option --\(name)"
        )
    }

    private func always<Value>(_ name: String, _ value: Value?) -> Value {
        guard let value else {
            preconditionFailure(
                "\(name) has neither a default nor is it required, or is another kind")
        }
        return value
    }
}
