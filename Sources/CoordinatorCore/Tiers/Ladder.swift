/// The tiers of a deployment, from the base to the coarsest.
///
/// - Shape: `1m,5m/30m,10m/1h,1h/24h,3h/7d`: the base's length, then length/keep for each tier.
/// - Invariant: each length is a multiple of the one before and longer; each keep covers a window
///   of the next tier, so that no child is gone before it can be merged.
/// - Source: semantics.md §6.
public struct Ladder: Hashable, Sendable, CustomStringConvertible {
    /// More tiers than anybody has screens for; each costs every event a fold at worst.
    public static let maximumTiers = 12
    /// Shorter windows would be sealed more often than a shard can be asked.
    public static let shortestLengthMilliseconds: Int64 = 1_000
    /// Ten years: far beyond use, and far from where sums of times would overflow.
    public static let longestKeepAllowedMilliseconds: Int64 = 3_653 * 86_400_000

    /// The ladder of the original system, and the default.
    public static let standard = Ladder(checked: [
        Tier(index: 0, lengthMilliseconds: 60_000, keepMilliseconds: 0),
        Tier(index: 1, lengthMilliseconds: 300_000, keepMilliseconds: 1_800_000),
        Tier(index: 2, lengthMilliseconds: 600_000, keepMilliseconds: 3_600_000),
        Tier(index: 3, lengthMilliseconds: 3_600_000, keepMilliseconds: 86_400_000),
        Tier(index: 4, lengthMilliseconds: 10_800_000, keepMilliseconds: 604_800_000),
    ])

    /// The tiers; the first is the base. There are at least two.
    public let tiers: [Tier]

    /// Reads a ladder and checks it.
    ///
    /// - Errors: what is wrong with the first entry that is.
    public init(parsing text: String) throws(SettingsError) {
        let entries = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard (2...Self.maximumTiers).contains(entries.count) else {
            throw .tierCount(entries.count)
        }
        var tiers: [Tier] = []
        for entry in entries {
            tiers.append(try Self.tier(entry, index: tiers.count))
        }
        try Self.check(tiers)
        self.init(checked: tiers)
    }

    /// The tier that events are counted in.
    public var base: Tier { tiers[0] }

    /// The coarsest tier.
    public var top: Tier { tiers[tiers.count - 1] }

    /// The ladder as `init(parsing:)` reads it, each span in its one canonical spelling.
    public var text: String {
        tiers.map { tier in
            let length = TimeSpan.format(tier.lengthMilliseconds)
            return tier.index == 0
                ? length : length + "/" + TimeSpan.format(tier.keepMilliseconds)
        }.joined(separator: ",")
    }

    /// The ladder as text.
    public var description: String { text }

    /// The longest time that any tier keeps a window from its end, without the outage allowance.
    public var longestKeepMilliseconds: Int64 {
        tiers.map(\.keepMilliseconds).max() ?? 0
    }

    /// The tier of that name, as it stands in keys; nil when the ladder has none.
    public func tier(named name: String) -> Tier? {
        tiers.first { $0.name.utf8.elementsEqual(name.utf8) }
    }

    private init(checked tiers: [Tier]) {
        self.tiers = tiers
    }

    private static func tier(_ entry: String, index: Int) throws(SettingsError) -> Tier {
        let parts = entry.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if index == 0, parts.count > 1 { throw .baseWithKeep(entry: entry) }
        if index > 0, parts.count == 1 { throw .tierWithoutKeep(entry: entry) }
        guard parts.count <= 2, let length = TimeSpan.parse(parts[0]),
            let keep = index == 0 ? 0 : TimeSpan.parse(parts[1])
        else { throw .tierNotReadable(entry: entry) }
        guard length >= shortestLengthMilliseconds else { throw .tierTooShort(entry: entry) }
        guard max(length, keep) <= longestKeepAllowedMilliseconds else {
            throw .tierTooLong(entry: entry)
        }
        return Tier(index: index, lengthMilliseconds: length, keepMilliseconds: keep)
    }

    private static func check(_ tiers: [Tier]) throws(SettingsError) {
        for (finer, coarser) in zip(tiers, tiers.dropFirst()) {
            guard coarser.lengthMilliseconds > finer.lengthMilliseconds,
                coarser.lengthMilliseconds % finer.lengthMilliseconds == 0
            else { throw .tierNotMultiple(tier: coarser.name, finer: finer.name) }
        }
        for tier in tiers.dropFirst() {
            let covered = tier.index + 1 < tiers.count ? tiers[tier.index + 1] : tier
            guard tier.keepMilliseconds >= covered.lengthMilliseconds else {
                throw .keepTooShort(tier: tier.name, neededMilliseconds: covered.lengthMilliseconds)
            }
        }
    }
}
