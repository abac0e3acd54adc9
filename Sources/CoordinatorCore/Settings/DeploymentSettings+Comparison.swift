extension DeploymentSettings {
    /// How many differing sites are named one by one; a whole table would bury the other lines.
    private static let namedSites = 10

    /// What these settings have other than `stored` has, one plain sentence each; none when equal.
    public func differences(from stored: DeploymentSettings) -> [String] {
        var lines: [String] = []
        func compare(_ name: String, _ here: String, _ there: String) {
            guard !here.utf8.elementsEqual(there.utf8) else { return }
            lines.append("\(name) is \(here) here and \(there) in the deployment")
        }
        compare("schema", "\(schema)", "\(stored.schema)")
        compare("shards", "\(shards)", "\(stored.shards)")
        compare("tiers", tiers, stored.tiers)
        compare(
            "grace", TimeSpan.format(graceMilliseconds), TimeSpan.format(stored.graceMilliseconds))
        compare(
            "outage allowance", TimeSpan.format(outageAllowanceMilliseconds),
            TimeSpan.format(stored.outageAllowanceMilliseconds))
        compare("start", start.description, stored.start.description)
        compare("pageviews", pageviewsText, stored.pageviewsText)
        compare("series-labels", seriesLabelsText, stored.seriesLabelsText)
        compare("device-key", deviceKeyText, stored.deviceKeyText)
        return lines + siteDifferences(from: stored.sites)
    }

    /// `exact`, or `sketch` with how many are counted.
    public var pageviewsText: String {
        heaviest.map { "sketch of the heaviest \($0)" } ?? "exact"
    }

    /// `full` or `compact`.
    public var seriesLabelsText: String { seriesLabels?.rawValue ?? "full" }

    /// The key's name, or `none`.
    public var deviceKeyText: String { deviceKey ?? "none" }

    /// One text for equal settings, whatever order the tables are held in.
    ///
    /// - Shape: `name TAB value` lines; the tables' entries sorted by their bytes.
    /// - Invariant: settings that validate and differ give different texts: no tab and no line end
    ///   is in any of their names.
    public var canonicalText: String {
        var lines = [
            "schema\t\(schema)", "shards\t\(shards)", "tiers\t\(tiers)",
            "grace\t\(graceMilliseconds)", "outage-allowance\t\(outageAllowanceMilliseconds)",
            "start\t\(start)",
        ]
        // Not for exact ones: their digest is the same as before there were others.
        if let heaviest { lines.append("heaviest\t\(heaviest)") }
        // Not for full ones: their digest is the same as before there were others.
        if let seriesLabels { lines.append("series-labels\t\(seriesLabels.rawValue)") }
        // Not without a key: their digest is the same as before there were any.
        if let deviceKey { lines.append("device-key\t\(deviceKey)") }
        lines += sites.hosts.map { "host\t\($0.key)\t\($0.value)" }.sorted(by: Self.bytesPrecede)
        lines += sites.keepQuery
            .flatMap { name, keys in keys.map { "keep-query\t\(name)\t\($0)" } }
            .sorted(by: Self.bytesPrecede)
        return lines.joined(separator: "\n")
    }

    /// The digest that every shard stores, so that none works under two versions of the settings.
    public func digest(by hasher: any RecordHasher) -> RecordID {
        hasher.recordID(of: canonicalText)
    }

    private func siteDifferences(from stored: SiteTable) -> [String] {
        let hosts = Set(sites.hosts.keys).union(stored.hosts.keys)
            .filter { sites.hosts[$0] != stored.hosts[$0] }.sorted(by: Self.bytesPrecede)
        let websites = Set(sites.keepQuery.keys).union(stored.keepQuery.keys)
            .filter { sites.keepQuery[$0] != stored.keepQuery[$0] }.sorted(by: Self.bytesPrecede)
        let lines =
            hosts.map { host in
                Self.sentence("site \(host)", sites.hosts[host], stored.hosts[host])
            }
            + websites.map { name in
                Self.sentence(
                    "keepQuery of \(name)", sites.keepQuery[name]?.joined(separator: ","),
                    stored.keepQuery[name]?.joined(separator: ","))
            }
        guard lines.count > Self.namedSites else { return lines }
        return lines.prefix(Self.namedSites)
            + ["\(lines.count - Self.namedSites) more entries of the site table differ"]
    }

    private static func sentence(_ name: String, _ here: String?, _ there: String?) -> String {
        "\(name) is \(here ?? "not named") here and \(there ?? "not named") in the deployment"
    }

    private static func bytesPrecede(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}
