public import CoordinatorCore

/// A record with its figures over an interval.
public struct FigureRow: Sendable {
    public let dimension: Dimension
    public let id: RecordID
    public let shard: ShardID
    /// A page's URL, else the name; empty where there is no document.
    public var name = ""
    /// A page's title; nil where it is not known.
    public var title: String?
    public var website = ""
    public var pageviews: Int64
    /// By how much `pageviews` may be too many; they are never too few. 0 in exact deployments.
    public var pageviewsError: Int64 = 0
    /// Nil where they were not asked for.
    public var devices: Int64?
    /// The same record in the interval that is compared with; nil without a comparison.
    public var before: Before?

    /// A record's figures in an earlier interval.
    public struct Before: Sendable, Equatable {
        /// Its place then; nil when it had no views, or places of then are not known.
        public var rank: Int?
        public var pageviews: Int64
        /// Nil where they are not known.
        public var devices: Int64?
    }

    init(_ dimension: Dimension, _ tally: Tally) {
        self.dimension = dimension
        id = tally.id
        shard = tally.shard
        pageviews = tally.views
    }

    /// What tells the record apart from every other one.
    public var key: RecordKey { RecordKey(dimension: dimension, id: id) }

    /// Unique devices as shown: an estimate never exceeds the pageviews it was made from.
    public var shownDevices: Int64? { devices.map { min($0, pageviews) } }

    /// Most pageviews first; equals in the order of their ids.
    static func precedes(_ left: FigureRow, _ right: FigureRow) -> Bool {
        left.pageviews == right.pageviews
            ? left.id < right.id : left.pageviews > right.pageviews
    }

    mutating func take(_ document: RecordDocument?) {
        guard let document else { return }
        name = document.name
        title = document.title
        website = document.website
    }
}

/// A record's pageviews: what lists are sorted by before anything else is known of their rows.
struct Tally: Sendable, Equatable {
    let id: RecordID
    let shard: ShardID
    var views: Int64

    /// Most first; equals in the order of their ids, so that the same question has the same answer.
    static func precedes(_ left: Tally, _ right: Tally) -> Bool {
        left.views == right.views ? left.id < right.id : left.views > right.views
    }
}

/// A record's pageviews and devices, for lists that are sorted by devices.
struct DeviceTally: Sendable {
    let tally: Tally
    let devices: Int64

    init(_ tally: Tally, devices: Int64) {
        self.tally = tally
        // An estimate is shown as the pageviews at most.
        self.devices = min(devices, tally.views)
    }

    /// Most devices first, then as by pageviews.
    static func precedes(_ left: DeviceTally, _ right: DeviceTally) -> Bool {
        left.devices == right.devices
            ? Tally.precedes(left.tally, right.tally) : left.devices > right.devices
    }

    /// Whether a record of so many pageviews may have a place before this one: it never has more
    /// devices than views.
    func mayFollow(_ tally: Tally) -> Bool {
        tally.views > devices || (tally.views == devices && self.tally.views == devices)
    }
}

/// The answer to a question: figures, and what they really cover.
public struct Answer<Value: Sendable>: Sendable {
    public let interval: Interval
    /// Sealed and merged, all of it; a late event may still revise it.
    public let isFinal: Bool
    /// Who did not answer; what is there is right, but not all.
    public let missing: [String]
    public let value: Value
}
