/// Turns the URL of an event into the website, section and page that it counts for.
///
/// A pure function of the URL's bytes and the site table: another node, on another day, gives the
/// same answer. Control characters, braces, colons and NULs in a path are data like any other byte.
///
/// - Invariant: resolving `"http://" + address.url` gives the same address.
/// - Not guaranteed: that two sections of one website never share an id: a level that holds an
///   encoded slash reads like two levels (`/a%2Fb` and `/a/b/c` are both in `a/b`).
/// - Source: semantics.md §3.
public struct PageResolver: Sendable {
    /// The site table, ready for look-ups.
    let sites: SiteLookup
    /// What makes the ids.
    public let hasher: any RecordHasher

    /// A resolver for one version of the site table.
    public init(sites: SiteTable, hasher: any RecordHasher) {
        self.sites = SiteLookup(sites)
        self.hasher = hasher
    }

    /// What `url` stands for.
    ///
    /// - Errors: refused as `url` when it is missing (empty), over 2 KiB, not absolute http(s) or
    ///   without a host; as `encoding` when it is not UTF-8.
    public func resolve(_ url: UnsafeRawBufferPointer) throws(RefusalError) -> PageAddress {
        try check(url)
        let parts = try URLParts(parsing: url)
        let host = HostName.normalised(url[parts.host])
        let website = sites.website(of: host).name
        var path = PagePath(splitting: PercentEncoding.normalised(url[parts.path]))
        path.resolveDotSegments()
        let query = parts.query.map { sites.keptQuery(of: website, url[$0]) } ?? []
        let pageURL = pageURL(host: host, port: parts.keptPort(in: url), path: path, query: query)
        return address(website: website, path: path, url: pageURL)
    }

    /// What `url` stands for; see the method on bytes.
    public func resolve(_ url: String) throws(RefusalError) -> PageAddress {
        var url = url
        // A `Result`, as `withUTF8` would forget the type of the error.
        return try url.withUTF8 { bytes in
            Result { () throws(RefusalError) in try resolve(UnsafeRawBufferPointer(bytes)) }
        }.get()
    }

    /// Refuses what is not worth taking apart.
    func check(_ url: UnsafeRawBufferPointer) throws(RefusalError) {
        guard !url.isEmpty else { throw RefusalError(.url, "the url is missing") }
        guard url.count <= EventRules.maximumFieldBytes else {
            throw RefusalError(.url, "the url is over 2 KiB")
        }
        guard UTF8Check.isValid(url) else { throw RefusalError(.encoding, "the url is not utf-8") }
    }

    /// The page's URL of its normalised parts.
    func pageURL(host: [UInt8], port: UInt16?, path: PagePath, query: [UInt8]) -> String {
        var text = host
        if let port { text += ":\(port)".utf8 }
        text += path.text
        if !query.isEmpty {
            text.append(UInt8(ascii: "?"))
            text += query
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Names the section, finds the article and makes the ids.
    func address(website: String, path: PagePath, url: String) -> PageAddress {
        let count = path.segments.count
        let levels = (0..<min(count, PageAddress.maximumLevels)).map(path.level)
        let section =
            switch count {
            case 0: PageAddress.homeSection
            case 1, 2: levels[0]
            default: levels[0] + "/" + levels[1]
            }
        let article = count == 0 ? nil : Decimal.unsigned(path.level(count - 1).utf8)
        return PageAddress(
            website: website, websiteID: hasher.recordID(of: website), section: section,
            sectionID: hasher.recordID(of: website + "/" + section), levels: levels, url: url,
            pageID: hasher.recordID(of: url), articleID: article)
    }
}
