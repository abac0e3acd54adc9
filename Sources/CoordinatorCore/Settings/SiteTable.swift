/// Which host belongs to which website, and which query keys tell a website's pages apart.
///
/// - Shape: `{"hosts": {"www.rtl.lu": "RTL", "*": "OTHER"}, "keepQuery": {"RTL": ["id"]}}`; the
///   host `*` stands for all that are not named; without it a host is its own website.
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
        keepQuery =
            try container.decodeIfPresent([String: [String]].self, forKey: .keepQuery) ?? [:]
    }
}

extension SiteTable {
    /// Refuses a table that could not mean what it says.
    ///
    /// - Errors: the first entry, in the order of its bytes, that is not usable.
    func validate() throws(SettingsError) {
        let count = hosts.count + keepQuery.values.reduce(0) { $0 + $1.count }
        guard count <= Self.maximumEntries else { throw .siteCount(count) }
        for host in hosts.keys.sorted(by: Self.bytesPrecede) {
            guard host == Self.defaultHost || Self.canMatch(host) else { throw .siteHost(host) }
        }
        for name in hosts.values.sorted(by: Self.bytesPrecede) where !Self.isName(name) {
            throw .siteName(name)
        }
        // Without a default, a host that is not named is a website of its own, so any name may
        // occur.
        let names = hosts[Self.defaultHost] == nil ? nil : Set(hosts.values)
        for website in keepQuery.keys.sorted(by: Self.bytesPrecede) {
            for key in keepQuery[website] ?? [] {
                guard Self.isName(website), names?.contains(website) ?? true, Self.isPlain(key)
                else {
                    throw .siteQuery(website: website, key: key)
                }
            }
        }
    }

    /// Whether normalising a URL can give this host: it must be what normalising makes of itself.
    private static func canMatch(_ host: String) -> Bool {
        guard isPlain(host) else { return false }
        let url = Array("http://\(host)".utf8)
        return url.withUnsafeBytes { url in
            do throws(RefusalError) {
                let parts = try URLParts(parsing: url)
                return parts.host == 7..<url.count
                    && HostName.normalised(url[parts.host]).elementsEqual(host.utf8)
            } catch {
                return false
            }
        }
    }

    /// A slash would let a section of one website have the id of a section of another.
    private static func isName(_ name: String) -> Bool {
        isPlain(name) && !name.utf8.contains(UInt8(ascii: "/"))
    }

    /// Not empty, not too long, no control byte.
    private static func isPlain(_ text: String) -> Bool {
        (1...maximumNameBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    private static func bytesPrecede(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}
