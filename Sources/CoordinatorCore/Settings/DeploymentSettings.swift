/// What all nodes of a deployment must agree on: written once by `init`, read by every node.
///
/// - Invariant: what `validated()` gives validates to itself.
/// - Source: interface.md, "Settings of a deployment".
public struct DeploymentSettings: Equatable, Sendable, Codable {
    /// The schema that this program writes and reads.
    public static let currentSchema = 1
    /// A rotation later than a day after its window helps nobody.
    public static let longestGraceMilliseconds: Int64 = 86_400_000
    /// Windows of all tiers are kept this much longer; more would be a second retention.
    public static let longestOutageAllowanceMilliseconds: Int64 = 30 * 86_400_000

    /// The schema of these settings.
    public var schema: Int
    /// How many shards there are; fixed for the life of the deployment.
    public var shards: Int
    /// The ladder, as `Ladder` reads it.
    public var tiers: String
    /// How long after a window's end it is sealed, in milliseconds.
    public var graceMilliseconds: Int64
    /// How much longer windows are kept so that an outage loses nothing, in milliseconds.
    public var outageAllowanceMilliseconds: Int64
    /// Which hosts are which websites.
    public var sites: SiteTable
    /// The first windows to rotate.
    public var start: StartPolicy
    /// Which series carry labels; nil for all.
    public var seriesLabels: SeriesLabels?

    /// The name of the key under which device ids are stored; nil where they are stored as they
    /// come.
    public var deviceKey: String?

    /// Fewer labels than usual.
    public enum SeriesLabels: String, Sendable, Codable {
        /// Websites and sections alone: pages and items are many, and labels the most of a series.
        case compact
    }

    /// Whether the series of a dimension carry labels.
    public func hasSeriesLabels(_ dimension: Dimension) -> Bool {
        seriesLabels == nil || dimension == .website || dimension == .section
    }
    /// How many records of a dimension a window of a shard counts, the heaviest ones; nil for all,
    /// exactly.
    public var heaviest: Int?

    /// Settings; every parameter has the documented default.
    public init(
        schema: Int = currentSchema, shards: Int = 64, tiers: String = Ladder.standard.text,
        graceMilliseconds: Int64 = 30_000, outageAllowanceMilliseconds: Int64 = 21_600_000,
        sites: SiteTable = .empty, start: StartPolicy = .now, heaviest: Int? = nil,
        seriesLabels: SeriesLabels? = nil, deviceKey: String? = nil
    ) {
        self.schema = schema
        self.shards = shards
        self.tiers = tiers
        self.graceMilliseconds = graceMilliseconds
        self.outageAllowanceMilliseconds = outageAllowanceMilliseconds
        self.sites = sites
        self.start = start
        self.heaviest = heaviest
        self.seriesLabels = seriesLabels
        self.deviceKey = deviceKey
    }

    /// The settings with the ladder in its canonical spelling, if a node can work with them.
    ///
    /// - Errors: the first thing that is wrong.
    public func validated() throws(SettingsError) -> DeploymentSettings {
        guard schema == Self.currentSchema else { throw .schema(schema) }
        _ = try layout()
        try Self.check("grace", graceMilliseconds, upTo: Self.longestGraceMilliseconds)
        try Self.check(
            "outage allowance", outageAllowanceMilliseconds,
            upTo: Self.longestOutageAllowanceMilliseconds)
        try sites.validate()
        try Self.checkHeaviest(heaviest, try ladder())
        guard deviceKey.map(Self.isKeyName) ?? true else { throw .deviceKeyName }
        var settings = self
        settings.tiers = try ladder().text
        return settings
    }

    /// The shards.
    public func layout() throws(SettingsError) -> ShardLayout {
        try ShardLayout(count: shards)
    }

    /// The tiers.
    public func ladder() throws(SettingsError) -> Ladder {
        try Ladder(parsing: tiers)
    }

    /// The rules for events under these settings.
    public func eventRules(hasher: any RecordHasher) throws(SettingsError) -> EventRules {
        let keep = try ladder().longestKeepMilliseconds
        return EventRules(
            resolver: PageResolver(sites: sites, hasher: hasher),
            longestKeepMilliseconds: keep &+ outageAllowanceMilliseconds)
    }

    /// A span as `--grace` and `--outage-allowance` take it, in milliseconds.
    ///
    /// - Errors: `.spanNotReadable` with the setting's name.
    public static func span(_ text: String, for setting: String) throws(SettingsError) -> Int64 {
        guard let span = TimeSpan.parse(text) else {
            throw .spanNotReadable(setting: setting, text: text)
        }
        return span
    }

    /// Fewer tell nobody who is among the first.
    static let fewestHeaviest = 16
    /// Counters of the parts of one window, which one call of a script chooses from.
    static let mostCountersOfParts = 2_400
    /// What `--pageviews sketch` takes without `--heaviest`: 16,384 pages with 64 shards.
    public static let standardHeaviest = 256

    /// Sixteen hex digits, as `DeviceKey` makes them.
    private static func isKeyName(_ name: String) -> Bool {
        name.utf8.count == 16
            && name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private static func checkHeaviest(
        _ heaviest: Int?, _ ladder: Ladder
    ) throws(SettingsError) {
        guard let heaviest else { return }
        let parts =
            zip(ladder.tiers.dropFirst(), ladder.tiers).map {
                Int($0.lengthMilliseconds / $1.lengthMilliseconds)
            }.max() ?? 1
        let most = max(fewestHeaviest, mostCountersOfParts / parts)
        guard (fewestHeaviest...most).contains(heaviest) else {
            throw .heaviest(heaviest, fewest: fewestHeaviest, most: most)
        }
    }

    private static func check(
        _ setting: String, _ milliseconds: Int64, upTo limit: Int64
    ) throws(SettingsError) {
        guard (0...limit).contains(milliseconds) else {
            throw .spanOutOfRange(
                setting: setting, milliseconds: milliseconds, limitMilliseconds: limit)
        }
    }
}
