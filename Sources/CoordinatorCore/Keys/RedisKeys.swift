/// Every key that the coordinator uses: the one place that forms them.
///
/// All keys of one script carry the same tag, or the cluster refuses the script.
///
/// - Shape: semantics.md §1; `tag` is a shard's tag without braces unless it says otherwise.
/// - Source: design.md §3–6.
public enum RedisKeys {
    /// The tag of the keys that belong to the deployment and to no shard.
    public static let controlTag = "control"

    // MARK: One shard

    /// The shard's own state: fencing token, owner, watermarks, sealed-to, done-to, digest.
    public static func shardState(_ tag: String) -> String { "H:SHARD::{\(tag)}::" }

    /// A key that never exists. Every script declares it, so that while the slot migrates the whole
    /// script is put off instead of running on the half of its keys that is there.
    public static func guardKey(_ tag: String) -> String { "K:GUARD::{\(tag)}::" }

    /// The ids of one dimension that the rotation under way has still to merge.
    public static func todo(_ dimension: Dimension, _ tag: String) -> String {
        "S:TODO:\(dimension.rawValue):{\(tag)}::"
    }

    /// When the windows of all tiers expire: members `<tier number>:<start>`.
    public static func expiry(_ tag: String) -> String { "SS:EXPIRY::{\(tag)}::" }

    /// Visits that wait to be written to their documents: members are a dimension's letter and an
    /// id.
    public static func visits(_ tag: String) -> String { "SS:VISITS::{\(tag)}::" }

    /// The newest sections or pages of a website or section, for its document's lists.
    public static func latest(_ children: Dimension, _ tag: String, _ parent: RecordID) -> String {
        "SS:LATEST:\(children.rawValue):{\(tag)}\(parent.hex)::"
    }

    /// The windows of a tier that the shard holds.
    public static func windows(_ tier: Tier, _ tag: String) -> String {
        "SS:\(tier.name)::{\(tag)}::"
    }

    /// The pageviews of all records of one dimension in the window that starts at `start`.
    public static func pageviews(
        _ tier: Tier, _ dimension: Dimension, _ tag: String, _ start: Int64
    ) -> String {
        "SS:\(tier.name):\(dimension.rawValue):{\(tag)}:\(start):\(Metric.pageviews.rawValue)"
    }

    /// What a bounded window holds beside its counters once there are more records than those:
    /// `floor`, `total`, `sketch`, and by record id how much its counter may be too much.
    public static func bounds(
        _ tier: Tier, _ dimension: Dimension, _ tag: String, _ start: Int64
    ) -> String {
        "H:\(tier.name):\(dimension.rawValue):{\(tag)}:\(start):\(Metric.pageviews.rawValue)"
    }

    /// The count-min sketch of the views that a bounded window has no counter for.
    public static func sketch(
        _ tier: Tier, _ dimension: Dimension, _ tag: String, _ start: Int64
    ) -> String {
        "CMS:\(tier.name):\(dimension.rawValue):{\(tag)}:\(start):\(Metric.pageviews.rawValue)"
    }

    /// The records of one dimension that have a document and series in a bounded deployment, by
    /// when they were last seen.
    public static func kept(_ dimension: Dimension, _ tag: String) -> String {
        "SS:KEPT:\(dimension.rawValue):{\(tag)}::"
    }

    /// The devices of one record in the window that starts at `start`.
    public static func devices(
        _ tier: Tier, _ dimension: Dimension, _ tag: String, _ id: RecordID, _ start: Int64
    ) -> String {
        "HLL:\(tier.name):\(dimension.rawValue):{\(tag)}\(id.hex):\(start):"
            + Metric.uniqueDevices.rawValue
    }

    /// The time series of one metric of one record.
    public static func series(
        _ tier: Tier, _ dimension: Dimension, _ tag: String, _ id: RecordID, _ metric: Metric
    ) -> String {
        "TS:\(tier.name):\(dimension.rawValue):{\(tag)}\(id.hex)::\(metric.rawValue)"
    }

    /// The document of one record.
    public static func document(_ dimension: Dimension, _ tag: String, _ id: RecordID) -> String {
        "J::\(dimension.rawValue):{\(tag)}\(id.hex)::"
    }

    /// The search index of one dimension on the master that serves the tag's slot.
    public static func index(_ dimension: Dimension, _ tag: String, definition: Int) -> String {
        "I::\(dimension.rawValue):{\(tag)}\(definition)::"
    }

    /// The pages of the shard that wait for their articles' metadata.
    public static func enrichment(_ tag: String) -> String { "ST:ENRICH:P:{\(tag)}::" }

    /// When pages are asked for again: members are ids, scores ms.
    public static func enrichmentSchedule(_ tag: String) -> String { "SS:ENRICH:P:{\(tag)}::" }

    /// What was tried for pages that have no metadata yet: `<article> <attempts> <misses> <1 = has
    /// metadata>` by id.
    public static func enrichmentTries(_ tag: String) -> String { "H:ENRICH:P:{\(tag)}::" }

    /// What became of the shard's requests, in numbers.
    public static func enrichmentCounts(_ tag: String) -> String { "H:ENRICH::{\(tag)}::" }

    /// The pages of the shard that were given up, with the last reason.
    public static func enrichmentDead(_ tag: String) -> String { "ST:ENRICHDEAD:P:{\(tag)}::" }

    /// The refused events of the sources whose slot the shard owns.
    public static func deadLetters(_ tag: String) -> String { "ST:DEADLETTER::{\(tag)}::" }

    // MARK: Sources

    /// The stream that trackers write to, unless a deployment names others.
    public static let defaultSource = "ST:TRACKER::::"

    /// The stream of an imported file; `id` is made from the file.
    public static func importSource(_ tag: String, _ id: RecordID) -> String {
        "ST:IMPORT::{\(tag)}\(id.hex)::"
    }

    /// The stream that holds what is copied of a stream elsewhere; `id` is made from its name.
    public static func copySource(_ tag: String, _ id: RecordID) -> String {
        "ST:COPY::{\(tag)}\(id.hex)::"
    }

    /// Whether a source is a copy of a stream elsewhere.
    public static func isCopySource(_ key: String) -> Bool { key.hasPrefix("ST:COPY::{") }

    /// The stream that the shard's dead letters are moved to when they are replayed.
    public static func replaySource(_ tag: String) -> String { "ST:REPLAY::{\(tag)}::" }

    /// Whether a source is the replay of some shard's dead letters.
    public static func isReplaySource(_ key: String) -> Bool { key.hasPrefix("ST:REPLAY::{") }

    /// What is known of a source, beside its stream: `slotTag` is a tag in the stream's own slot
    /// (`ShardLayout.tag(inSlot:)`), `id` the SHA-1 of the stream's key.
    public static func sourceState(_ slotTag: String, _ id: RecordID) -> String {
        "H:SOURCE::{\(slotTag)}\(id.hex)::"
    }

    // MARK: The deployment

    /// The deployment's settings.
    public static let settings = "K:SETTINGS::{\(controlTag)}::"
    /// The deployment's sources.
    public static let sources = "H:SOURCES::{\(controlTag)}::"
    /// What happened, and why: elections, maps, runs. Who waits for something waits for an entry
    /// here.
    public static let audit = "ST:AUDIT::{\(controlTag)}::"
    /// The leader's lock.
    public static let lease = "K:LEASE::{\(controlTag)}::"
    /// The shard map.
    public static let map = "H:MAP::{\(controlTag)}::"
    /// What operators asked for.
    public static let orders = "H:ORDERS::{\(controlTag)}::"
    /// How far the runs of each tier are, as the leader saw it.
    public static let runs = "H:RUNS::{\(controlTag)}::"
    /// The nodes.
    public static let nodes = "H:NODES::{\(controlTag)}::"
    /// Where the sequence of requests to an HTTP host is; `id` is the SHA-1 of `host:port`.
    public static func requestSequence(_ id: RecordID) -> String {
        "H:ENRICH::{\(controlTag)}\(id.hex)::"
    }
    /// The requests to an HTTP host that are under way.
    public static func requestPermits(_ id: RecordID) -> String {
        "SS:ENRICH::{\(controlTag)}\(id.hex)::"
    }
    /// The guard key of the control slot.
    public static let controlGuard = guardKey(controlTag)
}
