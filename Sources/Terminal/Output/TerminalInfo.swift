import Glibc

/// What is known of the terminal behind a file descriptor.
public struct TerminalInfo: Sendable {
    /// The width where there is no terminal to ask.
    public static let defaultWidth = 80
    /// The height where there is no terminal to ask.
    public static let defaultHeight = 24
    /// Narrower reports are errors of terminals that do not know their size.
    private static let narrowestWidth = 20

    /// Whether there is a terminal at all.
    public let isTerminal: Bool
    /// In columns.
    public let width: Int
    /// In lines.
    public let height: Int
    /// Whether the cursor can be moved about.
    public let isScreen: Bool
    /// Whether the terminal shows colours; see `init(descriptor:environment:)`.
    public let hasColour: Bool

    /// Asks about a file descriptor.
    ///
    /// Colour needs a terminal that is not `dumb` and `NO_COLOR` unset or empty.
    ///
    /// - Source: no-color.org.
    public init(descriptor: Int32, environment: [String: String]) {
        isTerminal = isatty(descriptor) == 1
        var size = winsize()
        let answered = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0
        let columns = answered ? Int(size.ws_col) : 0
        width = columns >= Self.narrowestWidth ? columns : Self.defaultWidth
        height = answered && size.ws_row > 0 ? Int(size.ws_row) : Self.defaultHeight
        isScreen = isTerminal && environment["TERM"] != "dumb"
        hasColour =
            isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }
}

/// The process's environment as a value, so that what reads it can be tested.
public enum ProcessEnvironment {
    /// Every variable; of one set twice the first counts, as in getenv.
    public static func read() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                let name = String(pair[..<equals])
                if variables[name] == nil {
                    variables[name] = String(pair[pair.index(after: equals)...])
                }
            }
            entry += 1
        }
        return variables
    }
}
