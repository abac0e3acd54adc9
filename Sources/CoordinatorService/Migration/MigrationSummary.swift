/// What a migration took, changed, found there, and left out.
public struct MigrationSummary: Sendable, Equatable {
    /// The figures of one kind of thing.
    public struct Count: Sendable, Equatable {
        public var made: Int64 = 0
        public var changed: Int64 = 0
        public var unchanged: Int64 = 0
    }

    /// Why something was left out: a fixed set, so that a summary stays short.
    public enum Reason: String, Sendable, CaseIterable {
        /// A page whose document cannot be read or holds no URL.
        case unreadable
        /// A page whose URL no event of ours could have.
        case url
        /// A series of a record that no page's document tells about.
        case unknownRecord
        /// A series over several websites, which here are several records.
        case shared
        /// A series of a tier or figure that this deployment does not keep.
        case otherTier
        /// Samples that are older than series are kept.
        case expired
        /// Windows that the original may still write to.
        case openWindow
        /// Count-min sketches.
        case sketch
        /// HyperLogLogs of single windows.
        case deviceSet
        /// The trackers' own stream.
        case trackerStream
        /// Streams between the original's jobs.
        case jobStream
        /// The sets that list names, and websites and sections, which follow from the pages.
        case derived
        /// Keys that are not the original's.
        case foreign

        /// What to make of it, in a few words.
        public var sentence: String {
            switch self {
            case .unreadable: "pages without a readable document"
            case .url: "pages whose URL is none"
            case .unknownRecord: "series of records that no page tells about"
            case .shared: "series of a name that several websites share"
            case .otherTier: "series of tiers or figures that this deployment does not keep"
            case .expired: "samples older than series are kept"
            case .openWindow: "samples of windows that may still get another"
            case .sketch:
                "pageview sketches: estimates of windows that begin anywhere; "
                    + "what they led to is in the series"
            case .deviceSet:
                "device sets of windows that begin anywhere; what they led to is in the series"
            case .trackerStream:
                "tracker streams: `coordinator import --from-redis` takes their entries"
            case .jobStream: "streams between the original's jobs"
            case .derived: "lists, websites and sections: they follow from the pages"
            case .foreign: "keys that are not the original's"
            }
        }
    }

    public internal(set) var documents = Count()
    /// Of websites, sections and pages together.
    public internal(set) var samples = Count()
    /// Series that samples were taken from.
    public internal(set) var series: Int64 = 0
    public internal(set) var skipped: [Reason: Int64] = [:]
    /// Errors of Redis' modules while writing, and the last of them.
    public internal(set) var faults: Int64 = 0
    public internal(set) var fault: String?

    /// Nothing taken yet.
    public init() {}

    mutating func skip(_ reason: Reason, _ count: Int64 = 1) {
        if count > 0 { skipped[reason, default: 0] += count }
    }
}
