import CoordinatorCore
import RedisClient

/// What one server says of itself.
struct ServerFacts: Sendable {
    let server: String
    /// `INFO everything`, by field.
    let info: [String: String]
    /// Module names in lower case, with their versions.
    let modules: [String: Int]
    /// `CLUSTER INFO`, by field.
    var cluster: [String: String] = [:]
    /// Settings that could be read.
    var settings: [String: String] = [:]
    /// The server's clock less this host's, ms.
    var clockDifference: Int64?

    init(server: String, info text: String) {
        self.server = server
        info = Self.parse(text)
        var modules: [String: Int] = [:]
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("module:") {
            let fields = Self.parse(
                line.dropFirst("module:".count).split(separator: ",").joined(separator: "\n"),
                separator: "=")
            if let name = fields["name"] {
                modules[name.lowercased()] = fields["ver"].flatMap { Int($0) } ?? 0
            }
        }
        self.modules = modules
    }

    var isClustered: Bool { info["cluster_enabled"] == "1" }

    /// Lines of `name:value`; a line without a separator is left out.
    static func parse(_ text: String, separator: Character = ":") -> [String: String] {
        var fields: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            guard let place = line.firstIndex(of: separator) else { continue }
            fields[String(line[..<place])] = String(line[line.index(after: place)...])
        }
        return fields
    }
}

/// What is right, doubtful and wrong for a deployment, judged from what servers say.
enum CheckRules {
    /// Scripts begin with a line that older servers do not know.
    static let oldestMajorVersion = 7
    /// What documents, indexes, series and filters are made with.
    static let modules = [
        (name: "rejson", title: "JSON"), (name: "search", title: "Search"),
        (name: "timeseries", title: "TimeSeries"), (name: "bf", title: "Bloom"),
    ]
    /// Above this share a busy hour may fill it.
    static let fullMemory = 0.8
    /// Windows are sealed by the masters' clocks: apart by more, they are sealed apart by more.
    static let tolerableClockMilliseconds: Int64 = 1_000

    // MARK: The cluster

    static func clustering(_ facts: [ServerFacts], _ masters: [RedisMaster]) -> [CheckLine] {
        if let single = facts.first(where: { !$0.isClustered }) {
            return [
                CheckLine(
                    .error, "cluster mode",
                    "\(single.server) runs without it: set `cluster-enabled yes`, restart, "
                        + "and join the servers with `redis-cli --cluster create`")
            ]
        }
        var lines = [CheckLine(.ok, "cluster mode", "on")]
        let failing = facts.filter { $0.cluster["cluster_state"] != "ok" }
        lines.append(
            failing.isEmpty
                ? CheckLine(.ok, "cluster state", "ok on \(count(facts.count, "master"))")
                : CheckLine(
                    .error, "cluster state",
                    "not ok on \(names(failing)): `redis-cli --cluster check` says what is "
                        + "missing, `--cluster fix` repairs it"))
        let covered = masters.reduce(0) { $0 + $1.slotCount }
        lines.append(
            covered == HashSlot.count
                ? CheckLine(.ok, "slots", "all \(HashSlot.count) served")
                : CheckLine(
                    .error, "slots",
                    "\(covered) of \(HashSlot.count) served: "
                        + "`redis-cli --cluster fix` assigns the rest"
                ))
        let timeouts = Set(facts.compactMap { $0.settings["cluster-node-timeout"] })
        if let timeout = timeouts.compactMap({ Int64($0) }).max() {
            lines.append(
                CheckLine(
                    .ok, "failover",
                    "cluster-node-timeout \(timeout) ms: the shards of a master that dies wait "
                        + "that long and some seconds more"))
        }
        return lines
    }

    static func replicas(_ masters: [RedisMaster]) -> [CheckLine] {
        guard !masters.isEmpty else { return [] }
        let alone = masters.filter { $0.replicaCount == 0 }
        guard !alone.isEmpty else { return [CheckLine(.ok, "replicas", "every master has one")] }
        return [
            CheckLine(
                .warning, "replicas",
                "none for \(alone.map { "\($0.endpoint)" }.joined(separator: ", ")): what "
                    + "such a master alone holds is lost with it")
        ]
    }

    // MARK: Each server

    static func servers(_ facts: [ServerFacts]) -> [CheckLine] {
        guard !facts.isEmpty else { return [] }
        return [version(facts)] + modules.map { module($0.name, $0.title, facts) } + [
            eviction(facts), memory(facts), persistence(facts), clocks(facts),
        ]
    }

    private static func version(_ facts: [ServerFacts]) -> CheckLine {
        let old = facts.filter { major($0) < oldestMajorVersion }
        let versions = Set(facts.map { $0.info["redis_version"] ?? "?" }).sorted().joined(
            separator: ", ")
        return old.isEmpty
            ? CheckLine(.ok, "Redis version", versions)
            : CheckLine(
                .error, "Redis version",
                "\(versions) on \(names(old)): \(oldestMajorVersion).0 or later is needed")
    }

    private static func major(_ facts: ServerFacts) -> Int {
        facts.info["redis_version"]?.split(separator: ".").first.flatMap { Int($0) } ?? 0
    }

    private static func module(_ name: String, _ title: String, _ facts: [ServerFacts]) -> CheckLine
    {
        let without = facts.filter { $0.modules[name] == nil }
        guard without.isEmpty else {
            return CheckLine(
                .error, "module \(title)",
                "not loaded on \(names(without)): use Redis Stack or Redis 8, or "
                    + "`loadmodule` it in redis.conf")
        }
        let versions = Set(facts.compactMap { $0.modules[name] }).sorted().map(version)
        return CheckLine(
            versions.count == 1 ? .ok : .warning, "module \(title)",
            versions.joined(separator: ", "))
    }

    /// `20805` is 2.8.5.
    private static func version(_ number: Int) -> String {
        "\(number / 10_000).\(number / 100 % 100).\(number % 100)"
    }

    private static func eviction(_ facts: [ServerFacts]) -> CheckLine {
        let wrong = facts.filter { $0.info["maxmemory_policy"] != "noeviction" }
        guard let first = wrong.first else { return CheckLine(.ok, "memory policy", "noeviction") }
        return CheckLine(
            .error, "memory policy",
            "\(first.info["maxmemory_policy"] ?? "unknown") on \(names(wrong)): Redis would "
                + "throw figures away when memory is short; set it on each: "
                + "`redis-cli CONFIG SET maxmemory-policy noeviction`, and in redis.conf")
    }

    private static func memory(_ facts: [ServerFacts]) -> CheckLine {
        func number(_ facts: ServerFacts, _ field: String) -> Double {
            facts.info[field].flatMap { Double($0) } ?? 0
        }
        func share(_ facts: ServerFacts) -> Double {
            let own = number(facts, "maxmemory")
            let limit = own > 0 ? own : number(facts, "total_system_memory")
            return limit > 0 ? number(facts, "used_memory") / limit : 0
        }
        let full = facts.filter { share($0) > fullMemory }
        let most = facts.map(share).max() ?? 0
        let percent = "\(Int((most * 100).rounded())) %"
        guard full.isEmpty else {
            return CheckLine(
                .warning, "memory",
                "\(percent) used on \(names(full)): a full server refuses all counting; raise "
                    + "maxmemory or add masters")
        }
        let unbounded = facts.contains { number($0, "maxmemory") == 0 }
        return CheckLine(
            .ok, "memory",
            "at most \(percent) used of "
                + (unbounded ? "the host's memory (no maxmemory)" : "maxmemory")
        )
    }

    private static func persistence(_ facts: [ServerFacts]) -> CheckLine {
        let volatile = facts.filter { $0.info["aof_enabled"] == "0" && $0.settings["save"] == "" }
        guard volatile.isEmpty else {
            return CheckLine(
                .warning, "persistence",
                "neither AOF nor RDB on \(names(volatile)): what it holds is gone when it "
                    + "restarts; `CONFIG SET appendonly yes`")
        }
        let unlogged = facts.filter { $0.info["aof_enabled"] != "1" }
        if unlogged.isEmpty { return CheckLine(.ok, "persistence", "append-only file") }
        guard unlogged.allSatisfy({ $0.settings["save"] != nil }) else {
            return CheckLine(
                .ok, "persistence",
                "no append-only file; whether there are snapshots cannot be looked up "
                    + "(CONFIG GET is not allowed)")
        }
        return CheckLine(.ok, "persistence", "snapshots")
    }

    private static func clocks(_ facts: [ServerFacts]) -> CheckLine {
        let differences = facts.compactMap(\.clockDifference)
        guard let low = differences.min(), let high = differences.max() else {
            return CheckLine(.warning, "clocks", "could not be read")
        }
        let widest = max(high - low, abs(low), abs(high))
        let text = "at most \(widest) ms between masters and this host"
        return widest <= tolerableClockMilliseconds
            ? CheckLine(.ok, "clocks", text)
            : CheckLine(
                .warning, "clocks", text + ": set them by NTP, windows end by the masters' clocks")
    }

    // MARK: Words

    private static func names(_ facts: [ServerFacts]) -> String {
        facts.map(\.server).joined(separator: ", ")
    }

    private static func count(_ number: Int, _ what: String) -> String {
        number == 1 ? "1 \(what)" : "\(number) \(what)s"
    }
}
