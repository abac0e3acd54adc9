/// One refused event: the reason that it is counted under, and what exactly was wrong.
public struct RefusalError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason, as it is counted and stands in the dead-letter stream.
    public let reason: RefusalReason
    /// One lower-case line for people; a constant, so that a flood of refusals costs no memory.
    public let detail: String

    /// A refusal.
    public init(_ reason: RefusalReason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }

    /// Reason and detail.
    public var description: String { "\(reason.rawValue): \(detail)" }
}
