/// The site table made ready for look-ups on bytes: `String` keys would join spellings.
struct SiteLookup: Sendable {
    /// Where a website's name came from.
    enum Origin: Sendable {
        /// The table names the host.
        case table
        /// The table names it for all other hosts.
        case tableDefault
        /// It is the host itself.
        case host
    }

    private let names: [[UInt8]: String]
    private let defaultName: String?
    private let queryKeys: [[UInt8]: [[UInt8]]]

    /// Prepares a table.
    init(_ sites: SiteTable) {
        var hosts = sites.hosts
        defaultName = hosts.removeValue(forKey: SiteTable.defaultHost)
        var names: [[UInt8]: String] = [:]
        for (host, name) in hosts { names[Array(host.utf8)] = name }
        var queryKeys: [[UInt8]: [[UInt8]]] = [:]
        for (name, keys) in sites.keepQuery {
            queryKeys[Array(name.utf8)] = keys.map { Array($0.utf8) }
        }
        self.names = names
        self.queryKeys = queryKeys
    }

    /// The website of a normalised host: the table's, the table's default, or the host itself in
    /// upper case without a leading `www.`.
    func website(of host: [UInt8]) -> (name: String, origin: Origin) {
        if let name = names[host] { return (name, .table) }
        if let defaultName { return (defaultName, .tableDefault) }
        let prefix = Array("www.".utf8)
        let shown = host.starts(with: prefix) ? host[prefix.count...] : host[...]
        return (String(decoding: shown, as: UTF8.self).uppercased(), .host)
    }

    /// The query that stays part of a page's URL, its pairs sorted; empty when nothing stays.
    ///
    /// Keys are compared decoded; pairs are kept percent-normalised, and repeated ones all stay.
    func keptQuery(of website: String, _ query: some Collection<UInt8>) -> [UInt8] {
        guard !queryKeys.isEmpty, let keys = queryKeys[Array(website.utf8)] else { return [] }
        let pairs = PercentEncoding.normalised(query).split(separator: UInt8(ascii: "&"))
            .map(QueryPair.init).filter { keys.contains(PercentEncoding.decoded($0.key)) }
        return Array(pairs.sorted().map(\.bytes).joined(separator: [UInt8(ascii: "&")]))
    }
}

/// One `key=value` of a query; sorts by key, then by value.
private struct QueryPair: Comparable {
    let bytes: ArraySlice<UInt8>
    let key: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        key = bytes.prefix { $0 != UInt8(ascii: "=") }
    }

    static func < (left: QueryPair, right: QueryPair) -> Bool {
        left.key == right.key
            ? left.bytes.lexicographicallyPrecedes(right.bytes)
            : left.key.lexicographicallyPrecedes(right.key)
    }
}
