/// What is wrong with the settings of a deployment: one line that names it and the way out.
public enum SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The number of shards is no power of two from 1 to 16384.
    case shardCount(Int)
    /// The ladder has too few or too many tiers.
    case tierCount(Int)
    /// An entry of the ladder is not a span, or not span/span.
    case tierNotReadable(entry: String)
    /// A window would be shorter than a second.
    case tierTooShort(entry: String)
    /// A length or keep is longer than ten years.
    case tierTooLong(entry: String)
    /// The first entry of the ladder names a keep.
    case baseWithKeep(entry: String)
    /// An entry after the first names no keep.
    case tierWithoutKeep(entry: String)
    /// A tier's length is no multiple of the finer tier's.
    case tierNotMultiple(tier: String, finer: String)
    /// A tier would drop windows before the next tier has merged them.
    case keepTooShort(tier: String, neededMilliseconds: Int64)
    /// A span is negative or longer than allowed.
    case spanOutOfRange(setting: String, milliseconds: Int64, limitMilliseconds: Int64)
    /// A text that should be a span is none.
    case spanNotReadable(setting: String, text: String)
    /// A host of the site table can never match, as URLs are normalised before.
    case siteHost(String)
    /// The name of a website is empty, too long, or holds a slash or a control byte.
    case siteName(String)
    /// `keepQuery` names a website that no host has, or a key that is empty or too long.
    case siteQuery(website: String, key: String)
    /// The site table has more entries than a node should hold.
    case siteCount(Int)
    /// `--start` is neither now, oldest nor a time.
    case startNotReadable(String)
    /// So many counters of a window are too few or too many; the bounds follow from the ladder.
    case heaviest(Int, fewest: Int, most: Int)
    /// What should be a device key's name is none.
    case deviceKeyName
    /// The settings were written by another version.
    case schema(Int)

    /// One lower-case line that names the thing and the way out.
    public var description: String {
        switch self {
        case .shardCount(let count):
            "shards \(count) is no power of two from 1 to 16384: use 64, or another power of two"
        case .tierCount(let count):
            "tiers has \(count) entries: give a base and 1 to \(Ladder.maximumTiers - 1) more, "
                + "as in \(Ladder.standard.text)"
        case .tierNotReadable(let entry):
            "tier \(quoted(entry)) is not readable: write length/keep, as in 5m/30m"
        case .tierTooShort(let entry):
            "tier \(quoted(entry)) is shorter than a second: use 1s or more"
        case .tierTooLong(let entry):
            "tier \(quoted(entry)) is longer than "
                + "\(TimeSpan.format(Ladder.longestKeepAllowedMilliseconds)): use less"
        case .baseWithKeep(let entry):
            "the first tier \(quoted(entry)) has a keep: give its length only, as its windows go "
                + "when they have been merged"
        case .tierWithoutKeep(let entry):
            "tier \(quoted(entry)) has no keep: write length/keep, as in 5m/30m"
        case .tierNotMultiple(let tier, let finer):
            "tier \(tier) is no multiple of \(finer): make each length a multiple of the one before"
        case .keepTooShort(let tier, let needed):
            "tier \(tier) keeps too little to fill a window: keep it \(TimeSpan.format(needed)) "
                + "or longer"
        case .spanOutOfRange(let setting, let milliseconds, let limit):
            "\(setting) \(TimeSpan.format(milliseconds)) is out of range: use 0s to "
                + TimeSpan.format(limit)
        case .spanNotReadable(let setting, let text):
            "\(setting) \(quoted(text)) is not a span of time: write it as 30s, 5m or 6h"
        case .siteHost(let host):
            "site host \(quoted(host)) can never match: write it in lower case, without scheme, "
                + "port, control characters or a dot at the end"
        case .siteName(let name):
            "website name \(quoted(name)) is not usable: use 1 to \(SiteTable.maximumNameBytes) "
                + "bytes without slashes and control characters"
        case .siteQuery(let website, let key):
            "keepQuery \(quoted(website)) \(quoted(key)) is not usable: name a website of the "
                + "table and a key of 1 to \(SiteTable.maximumNameBytes) bytes"
        case .siteCount(let count):
            "the site table has \(count) entries: use \(SiteTable.maximumEntries) at most"
        case .startNotReadable(let text):
            "start \(quoted(text)) is not readable: use now, oldest, or a time with a zone, as in "
                + "2024-07-24T21:58:20Z"
        case .heaviest(let count, let fewest, let most):
            "heaviest \(count) is out of range for these tiers: use \(fewest) to \(most)"
        case .deviceKeyName:
            "the name of the device key is not 16 hex digits: the settings were changed by hand"
        case .schema(let number):
            "the settings have schema \(number), this program knows "
                + "\(DeploymentSettings.currentSchema): run the version that wrote them"
        }
    }

    /// The text in quotation marks, escaped and cut: it came from outside and goes to a terminal.
    private func quoted(_ text: String) -> String {
        var shown = "\""
        for scalar in text.unicodeScalars.prefix(80) { shown += scalar.escaped(asASCII: true) }
        return shown + (text.unicodeScalars.count > 80 ? "…\"" : "\"")
    }
}
