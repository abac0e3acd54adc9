/// Something that must hold in a deployment, and does not.
public struct Violation: Sendable, Equatable {
    /// What kind of promise is broken.
    public enum Kind: String, Sendable, CaseIterable {
        /// Pages, sections and websites of a window do not add up to the same.
        case conservation
        /// A window is not the sum of its parts.
        case rollup
        /// The devices of a window are not the union of those of its parts.
        case devices
        /// A series does not show what its window holds.
        case series
        /// A window is listed and holds nothing, or is there before it was sealed.
        case window
        /// What was read is not what was counted and refused.
        case ledger
        /// A watermark was moved by something else than counting.
        case watermark
        /// Entries are gone that a shard does not hold.
        case hole
        /// A shard's owner is not the one that leads.
        case owner
        /// A shard's fencing token is not readable, or not the one that the map names.
        case token
        /// A shard was started with other settings.
        case settings
        /// Sealed-to and done-to of the tiers contradict each other.
        case progress
        /// A rotation under way contradicts what is left of it.
        case rotation
    }

    public let kind: Kind
    /// Nil where it concerns no tier.
    public let tier: String?
    /// Start, ms; nil where it concerns no window.
    public let window: Int64?
    /// One line that names shard, record and figures.
    public let detail: String

    init(_ kind: Kind, tier: String? = nil, window: Int64? = nil, _ detail: String) {
        self.kind = kind
        self.tier = tier
        self.window = window
        self.detail = detail
    }
}

/// The ledger of one source over all shards.
public struct SourceLedger: Sendable {
    public let key: String
    public let name: String?
    public let read: Int64
    public let counted: Int64
    public let refused: Int64
    /// Entries that some shard has still to take: read by one and not by another, or by none.
    public let pending: Int64
    /// Nil where it cannot be judged: too much is still to be read.
    public let isBalanced: Bool?
}

/// What an audit found.
public struct AuditReport: Sendable {
    /// Windows that were looked at, over all tiers.
    public let windows: Int
    /// Kept violations; at most `Audit.maximumViolations`.
    public let violations: [Violation]
    /// Violations beyond those.
    public let more: Int
    public let sources: [SourceLedger]
    /// Who did not answer.
    public let missing: [String]
    /// What could not be judged, one sentence each.
    public let notes: [String]

    public var isOK: Bool { violations.isEmpty && more == 0 }
}
