/// The forms of output, `-o`.
public enum OutputFormat: String, CaseIterable, Sendable {
    /// For people: cut to the terminal's width.
    case table
    /// For people with a wide terminal: every column, nothing cut.
    case wide
    /// One document.
    case json
    /// One document a line.
    case ndjson
    /// RFC 4180, every column, plain numbers.
    case csv
    /// The names alone, a line each, for `xargs`.
    case name
}

/// How a table is shown.
public struct RenderingStyle: Sendable {
    /// Which form.
    public var format: OutputFormat
    /// The columns of the terminal; what is longer is cut, except in `wide`.
    public var width: Int
    /// Whether tones become colours.
    public var hasColour: Bool
    /// Whether tables and csv begin with their headings.
    public var showsHeaders: Bool

    /// A style; without arguments the plain one of a pipe.
    public init(
        format: OutputFormat = .table, width: Int = TerminalInfo.defaultWidth,
        hasColour: Bool = false, showsHeaders: Bool = true
    ) {
        self.format = format
        self.width = width
        self.hasColour = hasColour
        self.showsHeaders = showsHeaders
    }
}

/// What a piece of text wants to say by its colour. The text says it too: colour is never the only
/// sign.
public enum Tone: Sendable, Hashable {
    case plain, strong, faint, good, warning, bad

    /// The text with the colour around it, if there is to be colour.
    public func applied(to text: String, hasColour: Bool) -> String {
        guard hasColour, let code else { return text }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }

    private var code: String? {
        switch self {
        case .plain: return nil
        case .strong: return "1"
        case .faint: return "2"
        case .good: return "32"
        case .warning: return "33"
        case .bad: return "31"
        }
    }
}
