/// Why bytes are no compiled time zone.
public enum ZoneError: Error, Equatable, CustomStringConvertible {
    /// It does not begin as a compiled zone does.
    case noZone
    /// It ends before all that its header announces.
    case truncated
    /// A transition leads to a local time that is not described.
    case unknownLocalTime(Int)
    /// The rule for the years after the last transition cannot be read.
    case unreadableRule(String)

    /// One lower-case line.
    public var description: String {
        switch self {
        case .noZone: "not a compiled time zone"
        case .truncated: "a compiled time zone that is cut short"
        case .unknownLocalTime(let index): "a transition to local time \(index), which is not there"
        case .unreadableRule(let rule): "a rule for later years that cannot be read: \(rule)"
        }
    }
}
