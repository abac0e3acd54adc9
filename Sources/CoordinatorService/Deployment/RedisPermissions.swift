import CoordinatorCore

/// What a Redis user needs to be allowed, and not a command more (`migrate` aside, which reads what
/// others wrote, once, as an administrator): the one list of the commands that
/// this program sends, its scripts among them, and of the keys it touches.
///
/// A test finds every command in the sources and compares; another one runs everything under these
/// rules.
///
/// - Source: Redis, "ACL"; commands inside scripts need the same rights as outside.
public struct RedisPermissions: Sendable {
    /// Whom the rules are for.
    public enum Role: String, CaseIterable, Sendable {
        /// A node, and everything an operator does by this program.
        case daemon
        /// Questions: status, figures, audits; nothing is written.
        case reader

        /// The user's name where none is given.
        public var userName: String {
            switch self {
            case .daemon: "coordinator"
            case .reader: "coordinator-reader"
            }
        }
    }

    /// Whom the rules are for.
    public let role: Role
    /// The commands, with `|` before a sub-command, in the order of the alphabet.
    public let commands: [String]
    /// The patterns of the keys, each with the access it needs: `~` for all, `%R~` for reading.
    public let keys: [String]

    /// The rules for a deployment that reads these sources.
    public init(_ role: Role, sources: [String]) {
        self.role = role
        switch role {
        case .daemon: commands = (Self.questions + Self.work).sorted()
        case .reader: commands = Self.questions.sorted()
        }
        let access = { (pattern: String) in
            // The servers' modules and PFCOUNT, which keeps its result in the key, count as
            // writers, whatever the command; no command of a reader changes what they hold.
            let isReadable = !["CMS:", "HLL:", "I:", "J:", "TS:"].contains { pattern.hasPrefix($0) }
            return (role == .reader && isReadable ? "%R~" : "~") + pattern
        }
        let patterns = Self.patterns + sources.map(Self.escaped)
        keys = Set(patterns).sorted().map(access)
    }

    /// The rules as `ACL SETUSER` and an ACL file take them, without user and password.
    public var rules: String {
        // Whatever the user was allowed before is taken away first; passwords stay.
        (["on", "resetkeys", "resetchannels", "-@all"] + keys + commands.map { "+" + $0 })
            .joined(separator: " ")
    }

    /// What questions send.
    private static let questions = [
        // The connection.
        "asking", "client|setname", "cluster|info", "cluster|shards", "cluster|slots", "info",
        "ping", "time",
        // Keys.
        "exists", "get", "hget", "hgetall", "hlen", "hmget", "mget", "pfcount", "pttl", "type",
        "xinfo|stream", "xlen", "xrange", "xread", "xrevrange", "zcard", "zcount", "zmscore",
        "zrange", "zscore", "zunion",
        // Modules.
        "cms.query", "ft._list", "ft.info", "ft.search", "json.get", "json.mget", "ts.get",
        "ts.queryindex", "ts.range",
    ]

    /// What nodes and operations send on top.
    private static let work = [
        "cms.incrby", "cms.initbydim", "cms.merge", "copy", "del", "evalsha", "ft.create",
        "ft.dropindex", "hdel", "hincrby", "hset", "hsetnx", "json.merge", "json.set", "persist",
        "pexpire",
        "pexpireat", "pfadd", "pfmerge", "sadd", "script|load", "set", "spop", "strlen", "ts.add",
        "ts.del",
        "ts.madd", "unlink", "wait", "xadd", "xdel", "xsetid", "xtrim", "zadd", "zincrby",
        "zpopmin", "zrem", "zremrangebyrank", "zremrangebyscore", "zrevrange",
    ]

    // MARK: Keys

    /// Stands for all tiers; the names of the real ones are a deployment's setting.
    private static let anyTier: Tier = {
        do throws(SettingsError) { return try Ladder(parsing: "1m,5m/30m").base } catch {
            preconditionFailure("the smallest ladder: \(error)")
        }
    }()

    /// The patterns of all keys but the sources, made by who makes the keys.
    private static let patterns: [String] = {
        let tag = "*"
        let id = RecordID((0, 0, 0))
        var keys = [
            RedisKeys.shardState(tag), RedisKeys.guardKey(tag), RedisKeys.expiry(tag),
            RedisKeys.visits(tag), RedisKeys.enrichment(tag), RedisKeys.deadLetters(tag),
            RedisKeys.importSource(tag, id), RedisKeys.copySource(tag, id),
            RedisKeys.replaySource(tag), RedisKeys.sourceState(tag, id),
            RedisKeys.windows(anyTier, tag), RedisKeys.enrichmentSchedule(tag),
            RedisKeys.enrichmentTries(tag), RedisKeys.enrichmentCounts(tag),
            RedisKeys.enrichmentDead(tag), RedisKeys.requestSequence(id),
            RedisKeys.requestPermits(id),
            // Named one by one: the control slot is nobody else's.
            RedisKeys.settings, RedisKeys.sources, RedisKeys.audit, RedisKeys.lease, RedisKeys.map,
            RedisKeys.orders, RedisKeys.runs, RedisKeys.nodes, RedisKeys.controlGuard,
        ]
        for dimension in Dimension.counted {
            keys += [
                RedisKeys.index(dimension, tag, definition: 0), RedisKeys.todo(dimension, tag),
                RedisKeys.latest(dimension, tag, id),
                RedisKeys.pageviews(anyTier, dimension, tag, 0),
                RedisKeys.devices(anyTier, dimension, tag, id, 0),
                RedisKeys.document(dimension, tag, id), RedisKeys.kept(dimension, tag),
                RedisKeys.bounds(anyTier, dimension, tag, 0),
                RedisKeys.sketch(anyTier, dimension, tag, 0),
            ]
            keys += [Metric.pageviews, .uniqueDevices].map {
                RedisKeys.series(anyTier, dimension, tag, id, $0)
            }
        }
        return keys.map { key in
            var parts = key.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            parts[1] = parts[1] == anyTier.name ? "*" : parts[1]
            // Redis tries pattern after pattern for each key: few of them keep scripts quick.
            parts[2] = parts[2].isEmpty ? "" : "*"
            parts[3] = parts[3].replacing(id.hex, with: "*")
            // The number of an index's definition.
            if parts[3].hasSuffix("}0") { parts[3] = String(parts[3].dropLast()) + "*" }
            parts[4] = parts[4] == "0" ? "*" : parts[4]
            return parts.joined(separator: ":")
        }
    }()

    /// A source's key as a pattern that means it alone.
    private static func escaped(_ key: String) -> String {
        var pattern = ""
        for character in key {
            if "*?[]\\^".contains(character) { pattern.append("\\") }
            pattern.append(character)
        }
        return pattern
    }
}
