/// The first windows to rotate; what is earlier is folded.
///
/// - Shape: stored as one text: `now`, `oldest`, or the time as ISO-8601 in UTC.
public enum StartPolicy: Equatable, Sendable, Codable, CustomStringConvertible {
    /// From the moment the deployment is initialised.
    case now
    /// From the oldest event of the sources.
    case oldest
    /// From a time, in milliseconds since 1970; each tier from the start of the window that holds
    /// it.
    case time(Int64)

    /// Reads `--start`: `now`, `oldest`, ISO-8601 with a zone, milliseconds since 1970 or, when
    /// `now` is given, a span back from it.
    ///
    /// - Errors: `.startNotReadable`.
    public static func parse(
        _ text: String, now: Timestamp? = nil
    ) throws(SettingsError) -> StartPolicy {
        switch text {
        case "now": return .now
        case "oldest": return .oldest
        default: break
        }
        if now == nil, TimeSpan.parse(text) != nil, Decimal.signed(text.utf8) == nil {
            throw .startNotReadable(text)
        }
        guard let time = Timestamp(parsing: text, now: now ?? Timestamp(milliseconds: 0)) else {
            throw .startNotReadable(text)
        }
        return .time(time.milliseconds)
    }

    /// The policy as `parse` reads it.
    public var description: String {
        switch self {
        case .now: "now"
        case .oldest: "oldest"
        case .time(let milliseconds): Timestamp(milliseconds: milliseconds).iso8601
        }
    }

    /// Reads the stored text.
    public init(from decoder: any Decoder) throws {
        self = try StartPolicy.parse(try decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the text to store.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
