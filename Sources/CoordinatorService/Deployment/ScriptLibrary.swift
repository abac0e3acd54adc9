import CoordinatorCore
import RedisClient

/// The scripts, each from a file of its own, with what they share in front, and before that the
/// dimensions, of which `Dimension.counted` is the one list.
///
/// They are called by the digest of their text (`EVALSHA`): the digest is the version, so that
/// nodes of two versions work side by side, and a master that does not know a script (after a
/// failover, a restart, a flush) says NOSCRIPT and is given it again. Functions would be
/// replicated, but live under one name for all versions.
///
/// - Source: Redis, "Scripting with Lua", script flags and EVALSHA.
enum ScriptLibrary {
    static let claim = make("claim", PackageResources.claim_lua)
    static let apply = make("apply", PackageResources.bounded_lua + PackageResources.apply_lua)
    static let rotate = make("rotate", PackageResources.bounded_lua + PackageResources.rotate_lua)
    static let read = make("read", PackageResources.read_lua)
    static let look = make("look", PackageResources.look_lua)
    static let trim = make("trim", PackageResources.trim_lua)
    static let replay = make("replay", PackageResources.replay_lua)
    static let append = make("append", PackageResources.append_lua)
    static let rebuild = make("rebuild", PackageResources.rebuild_lua)
    static let lease = make("lease", PackageResources.lease_lua, evenWithoutMemory: true)
    static let heartbeat = make(
        "heartbeat", PackageResources.heartbeat_lua, evenWithoutMemory: true)
    static let publish = make("publish", PackageResources.publish_lua, evenWithoutMemory: true)
    static let record = make("record", PackageResources.record_lua, evenWithoutMemory: true)
    static let settle = make("settle", PackageResources.settle_lua, evenWithoutMemory: true)
    static let order = make("order", PackageResources.order_lua, evenWithoutMemory: true)
    static let migrate = make("migrate", PackageResources.migrate_lua)
    static let migrateSeries = make("migrate_series", PackageResources.migrate_series_lua)
    static let enrich = make("enrich", PackageResources.enrich_lua)
    static let permit = make("permit", PackageResources.permit_lua)
    static let all = [
        claim, apply, rotate, read, look, trim, lease, heartbeat, publish, record, order, migrate,
        migrateSeries, enrich, permit, replay, append, rebuild, settle,
    ]

    /// - Parameter evenWithoutMemory: the script writes next to nothing, and without it nobody
    ///   could lead until somebody has made room.
    private static func make(
        _ name: String, _ body: [UInt8], evenWithoutMemory: Bool = false
    ) -> RedisScript {
        let first = evenWithoutMemory ? "#!lua flags=allow-oom\n" : "#!lua\n"
        let letters = Dimension.counted.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        let head = first + "local dimensions = {\(letters)}\n"
        return RedisScript(
            name: name, source: Array(head.utf8) + PackageResources.prelude_lua + body)
    }
}
