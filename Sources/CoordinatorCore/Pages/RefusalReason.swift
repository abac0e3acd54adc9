/// Why an event is not counted. Nothing else may ever keep one from being counted.
///
/// - Source: semantics.md §2.
public enum RefusalReason: String, CaseIterable, Sendable {
    /// The URL is missing, not absolute http(s), has no host, or is over 2 KiB.
    case url
    /// The event time is not readable, or too far ahead of the entry's arrival.
    case time
    /// The event is older than every tier keeps.
    case expired
    /// A field is not UTF-8.
    case encoding
    /// A field is over 2 KiB.
    case size
    /// The event is of a kind that nobody knows.
    case kind
    /// A play does not say what was played.
    case id
}
