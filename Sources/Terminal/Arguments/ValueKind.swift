/// What a value on the command line must look like.
///
/// Values are checked when they are parsed, so that a command starts with arguments that hold, and
/// a mistake in any of them costs exit code 64 before anything was sent to Redis.
public enum ValueKind: Sendable, Hashable {
    /// Any text that is not empty.
    case text
    /// A whole number in the range.
    case count(ClosedRange<Int64>)
    /// A length of time: `500ms`, `2s`, `1h30m`.
    case span
    /// A length of time, or one of these words.
    case spanOrWord([String])
    /// A point in time: `now`, ISO-8601 with a zone, milliseconds since 1970, or a span back.
    case time
    /// A size: `4096`, `64k`, `16MiB`; k, M, G are powers of 1,024.
    case bytes
    /// One of these words.
    case choice([String])

    /// The text with its meaning, or nil where it does not fit.
    func value(of text: String) -> ArgumentValue? {
        switch self {
        case .text:
            return text.isEmpty ? nil : .text(text)
        case .count(let range):
            guard let number = Int64(text), range.contains(number) else { return nil }
            return .integer(number)
        case .span:
            return SpanText.parse(text).map { .span($0) }
        case .spanOrWord(let words):
            if words.contains(text) { return .text(text) }
            return SpanText.parse(text).map { .span($0) }
        case .time:
            return TimeArgument(text).map { .time($0) }
        case .bytes:
            return ByteSizeText.parse(text).map { .integer($0) }
        case .choice(let words):
            return words.contains(text) ? .text(text) : nil
        }
    }

    /// What the value must be, as the end of the sentence "… is not".
    var expectation: String {
        switch self {
        case .text: return "a text that is not empty"
        case .count(let range) where range.upperBound == Int64.max:
            return "a whole number from \(range.lowerBound) on"
        case .count(let range):
            return "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .span: return "a time span such as 500ms, 30s, 2h or 1h30m"
        case .spanOrWord(let words):
            return
                "a time span such as 30m, 2h or 7d, or one of " + words.joined(separator: ", ")
        case .time:
            return
                "a time: write now, 2024-07-24T21:58:20Z, ms since 1970, or a span back such as 2h"
        case .bytes: return "a size such as 4096, 64k or 16M"
        case .choice(let words): return "one of " + words.joined(separator: ", ")
        }
    }

    /// The words a value may be, if there is a list of them; for completions and suggestions.
    public var choices: [String] {
        if case .choice(let words) = self { return words }
        return []
    }
}

/// A checked value.
enum ArgumentValue: Sendable, Equatable {
    case flag(Bool)
    case text(String)
    case integer(Int64)
    case span(Duration)
    case time(TimeArgument)
}
