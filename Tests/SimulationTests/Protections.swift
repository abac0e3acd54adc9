/// What keeps figures right. The checker is proved by taking one away.
struct Protections: OptionSet, Hashable {
    let rawValue: UInt32

    /// Shards compare the token of claims and of rotations with the one they hold.
    static let tokenCheck = Protections(rawValue: 1 << 0)
    /// `apply` compares the watermark.
    static let compareAndSet = Protections(rawValue: 1 << 1)
    /// No script runs while its slot is in two places.
    static let guardKey = Protections(rawValue: 1 << 2)
    /// A leader counts its lease from before it asked, on its own clock, and stops by itself.
    static let monotonicDeadline = Protections(rawValue: 1 << 3)
    /// A reader reads again what a shard has lost.
    static let replayAfterGoingBack = Protections(rawValue: 1 << 4)
    /// A shard's progress lies in the shard's own slot.
    static let progressInSlot = Protections(rawValue: 1 << 5)
    /// The script that stores a map looks whose the lease is.
    static let publicationCheck = Protections(rawValue: 1 << 6)
    /// What was read of the source counts only when a replica holds it.
    static let durableReads = Protections(rawValue: 1 << 7)
    /// "Nothing more" moves the stream's last id first.
    static let lastIDMoves = Protections(rawValue: 1 << 8)
    /// Tokens are made of epoch, time and nonce, not counted.
    static let mintedTokens = Protections(rawValue: 1 << 9)

    /// A read that waits for no replica is looked at again with a fresh topology.
    static let topologyAfterRead = Protections(rawValue: 1 << 10)

    /// A release names the term that it ends.
    static let releaseByToken = Protections(rawValue: 1 << 11)
    /// A start that is silent gives its place back to the one that it took it from.
    static let placeGivenBack = Protections(rawValue: 1 << 12)

    /// What one server showed is not made sure of by another one.
    static let oneServer = Protections(rawValue: 1 << 13)

    static let all = Protections(rawValue: (1 << 14) - 1)
}

/// The rules that are checked at every step, and after all was healed.
enum Rule: String, Hashable {
    case oneEffectPerWindow = "one accepted effect per tier, window and shard"
    case noEffectUnderOldToken = "no effect under an old token"
    case watermarkNeverRetreats = "a watermark goes back only with the whole slot"
    case tokenNeverRetreats = "a token goes back only with the whole slot"
    case progressNeverRetreats = "sealed-to and done-to go back only with the whole slot"
    case eventsCountOnce = "every event up to the watermark counts once"
    case oneWorkerPerToken = "one node works on a shard under one token"
    case termsNeverRepeat = "terms never repeat"
    case mapVersionsRise = "map versions rise and never repeat"
    case publishedUnderLease = "a map is published by the holder of the lease"
    case oneLeader = "two nodes lead at once only after a fault of Redis"
    case noBusyLoop = "nobody works without end"
    case figuresAreExact = "after healing every figure is exact"
    case progressIsMade = "after healing everything is done within the bound"
}

/// The first rule that was broken.
struct Violation: Error, CustomStringConvertible {
    let rule: Rule
    let detail: String

    var description: String { "\(rule.rawValue): \(detail)" }
}
