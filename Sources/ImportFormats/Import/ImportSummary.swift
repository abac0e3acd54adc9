/// Why a line is no event.
public enum LeftOutReason: String, CaseIterable, Sendable, Hashable {
    /// No bytes, or spaces alone.
    case empty
    /// Not of the file's format.
    case unparsable
    /// Over the line limit.
    case tooLong = "too-long"
    /// Not a GET (`--count pages`).
    case method
    /// Neither 2xx nor 304 (`--count pages`).
    case status
    /// A part of a page, by its extension (`--count pages`).
    case asset
}

/// What became of a file's lines.
///
/// - Invariant: `lines` = `entries` + `alreadyThere` + the sum of `leftOut`.
public struct ImportSummary: Equatable, Sendable {
    /// All lines read, the empty ones too.
    public var lines: UInt64 = 0
    /// Handed out as events.
    public var entries: UInt64 = 0
    /// Events that the stream held already, from an earlier import of the file.
    public var alreadyThere: UInt64 = 0
    /// Lines that are no events, by reason.
    public var leftOut: [LeftOutReason: UInt64] = [:]
    /// Events without a readable time among `entries` and `alreadyThere`.
    public var untimed: UInt64 = 0

    /// A summary of nothing.
    public init() {}

    /// All lines that are no events.
    public var leftOutTotal: UInt64 { leftOut.values.reduce(0, &+) }
}
