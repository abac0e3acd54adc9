/// One option as it stands after all ranks, for people.
public struct ArgumentSetting: Sendable, Equatable {
    /// The option's long name.
    public let name: String
    /// As it would be written; several values of a repeatable option are joined by commas. Nil
    /// where it has none.
    public let value: String?
    /// Where the value comes from; nil where it has none.
    public let origin: ValueOrigin?
    /// The value is a secret: never to be shown.
    public let isSecret: Bool
}

extension ParsedArguments {
    /// All options of the command, in the order of their names.
    public var settings: [ArgumentSetting] {
        declaredOptions.map { option in
            let values = texts(ofAny: option.name)
            return ArgumentSetting(
                name: option.name, value: values.isEmpty ? nil : values.joined(separator: ","),
                origin: origin(option.name), isSecret: option.isEnvironmentOnly)
        }
    }

    private func texts(ofAny name: String) -> [String] {
        values(of: name).map { value in
            switch value {
            case .flag(let isSet): isSet ? "true" : "false"
            case .text(let text): text
            case .integer(let number): String(number)
            case .span(let span): SpanText.text(span)
            case .time(.now): "now"
            case .time(.instant(let milliseconds)): ISO8601Text.text(milliseconds)
            case .time(.back(let span)): SpanText.text(span)
            }
        }
    }
}

extension ValueOrigin {
    /// For people: where to look for the value.
    public var text: String {
        switch self {
        case .commandLine: "argument"
        case .environment(let variable): variable
        case .file(let path): path
        case .defaultValue: "default"
        }
    }
}

extension SpanText {
    /// The span as ``parse(_:)`` reads it, from long units to short ones: `1h30m`; `0s` for none.
    public static func text(_ span: Duration) -> String {
        let (seconds, attoseconds) = span.components
        var rest = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
        var text = ""
        for (name, milliseconds) in [
            ("d", Int64(86_400_000)), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
        ] where rest >= milliseconds {
            text += "\(rest / milliseconds)\(name)"
            rest %= milliseconds
        }
        return text.isEmpty ? "0s" : text
    }
}
