/// Settings that cannot work: a sentence with the reason and the way out.
public struct EnrichmentError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// How a node asks the article API, checked.
///
/// Nodes of one deployment are to have the same: limits are for all of them together, and each asks
/// for its part by its own settings.
public struct EnrichmentSettings: Hashable, Sendable {
    /// What is given, before it is checked; the defaults suit an API of one's own.
    public struct Given: Hashable, Sendable {
        public var url = ""
        public var allowedHosts: [String] = []
        public var allowsPrivate = false
        public var timeout: Duration = .seconds(10)
        public var concurrency: Int64 = 8
        public var rate = "10"
        public var attempts: Int64 = 12
        /// A page that was visited since is asked for again after this; zero: never.
        public var refresh: Duration = .seconds(86_400)
        public var title = "title"
        public var kicker = "kicker"
        public var displayDate = "display_date"

        /// The defaults.
        public init() {}
    }

    public static let timeouts: ClosedRange<Duration> = .milliseconds(100) ... .seconds(60)
    public static let concurrencies: ClosedRange<Int64> = 1...256
    public static let attemptCounts: ClosedRange<Int64> = 1...100
    private static let shortestRefresh: Duration = .seconds(60)
    private static let longestRefresh: Duration = .seconds(366 * 86_400)

    public let template: ArticleTemplate
    public let allowedHosts: Set<String>
    public let addresses: AddressRules
    public let timeout: Duration
    /// Requests under way at once, of all nodes.
    public let concurrency: Int
    /// Requests begun, of all nodes.
    public let rate: RequestRate
    /// Failures of one page after which it is given up.
    public let attempts: Int
    /// Nil: a page is asked for once.
    public let refresh: Duration?
    public let fields: ArticleFields

    /// Checks what is given; nil when no URL is, which turns enrichment off.
    ///
    /// - Errors: the first thing that cannot work, and the way out.
    public init?(_ given: Given) throws(EnrichmentError) {
        guard !given.url.isEmpty else { return nil }
        template = try ArticleTemplate(parsing: given.url)
        allowedHosts = Set(given.allowedHosts.map(Self.plainHost))
        addresses = AddressRules(allowsPrivate: given.allowsPrivate)
        guard allowedHosts.contains(template.host) else {
            throw EnrichmentError(
                "--enrich-url asks \(template.host), which is not on the list of allowed hosts: "
                    + "add --enrich-allow \(template.host), or correct the URL")
        }
        guard Self.timeouts.contains(given.timeout) else {
            throw EnrichmentError(
                "--enrich-timeout must be from 100ms to 60s: it holds one of the requests that "
                    + "may be under way")
        }
        guard Self.concurrencies.contains(given.concurrency) else {
            throw EnrichmentError("--enrich-concurrency must be from 1 to 256")
        }
        guard let rate = RequestRate(given.rate) else {
            throw EnrichmentError(
                "--enrich-rate must be a number of requests a second, or 300/m, or 5000/h; "
                    + "at most \(RequestRate.most) a second")
        }
        guard Self.attemptCounts.contains(given.attempts) else {
            throw EnrichmentError("--enrich-attempts must be from 1 to 100")
        }
        guard
            given.refresh == .zero
                || (Self.shortestRefresh...Self.longestRefresh).contains(given.refresh)
        else {
            throw EnrichmentError(
                "--enrich-refresh must be from 1m to 366d, or 0s to ask for each page once")
        }
        timeout = given.timeout
        concurrency = Int(given.concurrency)
        self.rate = rate
        attempts = Int(given.attempts)
        refresh = given.refresh == .zero ? nil : given.refresh
        fields = try ArticleFields(
            title: given.title, kicker: given.kicker, displayDate: given.displayDate)
    }

    /// A host as a URL has it: an IPv6 address may be given with brackets.
    private static func plainHost(_ host: String) -> String {
        host.lowercased().filter { $0 != "[" && $0 != "]" }
    }
}
