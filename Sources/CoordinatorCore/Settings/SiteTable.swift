/// Which host belongs to which website, and which query keys tell a website's pages apart.
///
/// - Shape: `{"hosts": {"www.rtl.lu": "RTL", "*": "OTHER"}, "keepQuery": {"RTL": ["id"]}}`; the host
///   `*` stands for all that are not named; without it a host is its own website.
/// - Source: semantics.md §3.
public struct SiteTable: Equatable, Sendable, Codable {
    /// The host that stands for all others.
    public static let defaultHost = "*"
    /// More hosts and query keys than any publisher has; every node holds the table in memory.
    public static let maximumEntries = 10_000
    /// The longest name of a website or a query key: it is in labels and in every document.
    public static let maximumNameBytes = 256

    /// No table: every host is its own website, no query is kept.
    public static let empty = SiteTable(hosts: [:])

    /// The table of the original system.
    public static let original = SiteTable(hosts: [
        "www.rtl.lu": "RTL", "5minutes.rtl.lu": "5MINUTES", "today.rtl.lu": "TODAY",
        "www.eldo.lu": "ELDO",
    ])

    /// Website names by host; hosts as URLs have them after normalising.
    public var hosts: [String: String]
    /// The query keys that stay part of a page's URL, by website name.
    public var keepQuery: [String: [String]]

    /// A table; what it holds is checked by the settings that it is part of.
    public init(hosts: [String: String], keepQuery: [String: [String]] = [:]) {
        self.hosts = hosts
        self.keepQuery = keepQuery
    }

    /// Reads a table; `hosts` and `keepQuery` may each be missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        hosts = try container.decodeIfPresent([String: String].self, forKey: .hosts) ?? [:]
        keepQuery = try container.decodeIfPresent([String: [String]].self, forKey: .keepQuery) ?? [:]
    }
}
