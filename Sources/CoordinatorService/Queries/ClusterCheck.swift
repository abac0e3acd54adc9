import CoordinatorCore
public import EventLoop
import Glibc
public import RedisClient

/// One line of `check`.
public struct CheckLine: Sendable, Equatable {
    /// How bad it is.
    public enum Level: String, Sendable, Comparable {
        case ok = "OK"
        case warning = "WARNING"
        case error = "ERROR"

        private var rank: Int { self == .ok ? 0 : self == .warning ? 1 : 2 }
        /// Errors are the greatest.
        public static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }
    }

    public let level: Level
    /// What was looked at.
    public let name: String
    /// What was found, and the way out where it is wrong.
    public let detail: String

    /// Whether it is about what a Redis is, rather than how it is at this moment: no deployment is
    /// begun on one that is unfit.
    public var concernsFitness: Bool {
        name.hasPrefix("module ") || name == "memory policy" || name == "Redis version"
    }

    init(_ level: Level, _ name: String, _ detail: String) {
        self.level = level
        self.name = name
        self.detail = detail
    }
}

/// Looks whether a Redis can carry a deployment: cluster, modules, versions, memory, replicas,
/// clocks, rights. Works on a server without cluster mode or modules, too: it says what is missing.
///
/// - Thread: loop only.
@LoopActor public struct ClusterCheck {
    private let cluster: RedisCluster

    /// A check with a client that was not started.
    public init(_ cluster: RedisCluster) {
        self.cluster = cluster
    }

    /// All lines, in the order in which people would repair things.
    ///
    /// - Errors: why no server could be asked at all.
    public func run() async throws(RedisError) -> [CheckLine] {
        let (seed, first) = try await reach()
        var lines: [CheckLine] = []
        var servers = [seed]
        var facts = [first]
        if first.isClustered {
            do throws(RedisError) {
                try await cluster.start()
                servers = cluster.masters.map(\.endpoint)
                let asked = servers
                let answers = await gather(asked.count) { await self.ask(asked[$0]) }
                facts = []
                for (server, answer) in zip(asked, answers) {
                    switch answer {
                    case .success(let fact): facts.append(fact)
                    case .failure(let error):
                        lines.append(CheckLine(.error, "master \(server)", "\(error)"))
                    }
                }
            } catch {
                lines.append(CheckLine(.error, "cluster", "\(error)"))
            }
        }
        lines.insert(contentsOf: CheckRules.clustering(facts, cluster.masters), at: 0)
        lines += CheckRules.servers(facts)
        lines += CheckRules.replicas(cluster.masters)
        lines.append(await rights(servers))
        lines.append(await scripts(servers))
        if !cluster.masters.isEmpty { lines += await deployment() }
        return lines
    }

    // MARK: Asking

    /// The first seed that answers.
    private func reach() async throws(RedisError) -> (RedisEndpoint, ServerFacts) {
        var failure = RedisError.configuration("no redis server given: expected redis://host:port")
        for seed in cluster.configuration.seeds {
            switch await ask(seed) {
            case .success(let facts): return (seed, facts)
            case .failure(let error):
                // A wrong password is worth more to the operator than another server's silence.
                if case .authentication = failure {} else { failure = error }
            }
        }
        throw failure
    }

    private func ask(_ server: RedisEndpoint) async -> Result<ServerFacts, RedisError> {
        do throws(RedisError) {
            let info = try await cluster.call("INFO", "everything", on: server, isRepeatable: true)
            var facts = ServerFacts(server: server.description, info: info.text ?? "")
            let before = Self.clock()
            let time = try await cluster.call("TIME", on: server, isRepeatable: true).items ?? []
            let after = Self.clock()
            if time.count == 2, let seconds = time[0].int, let micros = time[1].int {
                let theirs = seconds &* 1_000 &+ micros / 1_000
                // Between sending and receiving; half of the way is the best guess.
                facts.clockDifference = theirs - (before + (after - before) / 2)
            }
            for name in ["save", "cluster-node-timeout"] {
                facts.settings[name] = await setting(name, server)
            }
            if facts.isClustered {
                facts.cluster = ServerFacts.parse(
                    try await cluster.call("CLUSTER", "INFO", on: server, isRepeatable: true).text
                        ?? "")
            }
            return .success(facts)
        } catch {
            return .failure(error)
        }
    }

    /// A setting of a server; nil where reading it is not allowed.
    private func setting(_ name: String, _ server: RedisEndpoint) async -> String? {
        do throws(RedisError) {
            let reply = try await cluster.call(
                "CONFIG", "GET", .init(name), on: server, isRepeatable: true)
            return reply.items?.last?.text
        } catch {
            return nil
        }
    }

    /// The wall clock of this host, ms since 1970: it is compared, never used to decide.
    private static func clock() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    // MARK: Rights, scripts, deployment

    /// One command of each kind that nodes and questions send.
    private static let needed: [[RedisArgument]] = [
        ["EVALSHA", "0", "1", .init(RedisKeys.lease)], ["SCRIPT", "LOAD", "return 1"],
        ["XADD", .init(RedisKeys.defaultSource), "*", "url", "x"],
        ["XRANGE", .init(RedisKeys.defaultSource), "-", "+"],
        ["XSETID", .init(RedisKeys.defaultSource), "0-1"], ["HGETALL", .init(RedisKeys.sources)],
        ["HSET", .init(RedisKeys.sources), "a", "b"],
        ["SET", .init(RedisKeys.settings), "x", "NX"],
        ["ZUNION", "1", .init(RedisKeys.sources)], ["PFCOUNT", .init(RedisKeys.sources)],
        ["WAIT", "1", "1"], ["TIME"], ["CLUSTER", "SHARDS"], ["FT._LIST"],
        ["FT.INFO", "i"], ["FT.SEARCH", "i", "x"],
        ["FT.CREATE", "i", "ON", "JSON", "SCHEMA", "$.a", "TAG"], ["FT.DROPINDEX", "i"],
    ]

    private func rights(_ servers: [RedisEndpoint]) async -> CheckLine {
        let name = "access rights"
        guard let server = servers.first else {
            return CheckLine(.warning, name, "no server to ask")
        }
        let user: String
        do throws(RedisError) {
            user =
                try await cluster.call("ACL", "WHOAMI", on: server, isRepeatable: true).text
                ?? "default"
        } catch {
            return CheckLine(.ok, name, "cannot be looked up (ACL WHOAMI is not allowed)")
        }
        var refused: [String] = []
        for command in Self.needed {
            do throws(RedisError) {
                let reply = try await cluster.call(
                    ["ACL", "DRYRUN", .init(user)] + command, on: server, isRepeatable: true)
                if let text = reply.text, text != "OK" { refused.append(text) }
            } catch .permission {
                return CheckLine(
                    .ok, name,
                    "user \(user); the rest cannot be looked up (ACL DRYRUN is not allowed)")
            } catch .server(_, let message, _) {
                // Without a module its commands are not there: its own line says so.
                if !message.contains("not found") { refused.append(message) }
            } catch {
                return CheckLine(.warning, name, "\(error)")
            }
        }
        guard !refused.isEmpty else {
            return CheckLine(.ok, name, "user \(user) may do what nodes do")
        }
        return CheckLine(
            .error, name,
            "user \(user): \(refused[0])"
                + (refused.count > 1 ? " (and \(refused.count - 1) more)" : "")
                + "; `coordinator acl` prints the rule that allows all of it")
    }

    private func scripts(_ servers: [RedisEndpoint]) async -> CheckLine {
        let scripts = ScriptLibrary.all
        for server in servers {
            do throws(RedisError) {
                let commands = scripts.map {
                    RedisCommand("SCRIPT", "LOAD", .init($0.source), isRepeatable: true)
                }
                for reply in try await cluster.pipeline(commands, on: server) {
                    guard let error = reply.serverError else { continue }
                    return CheckLine(.error, "scripts", "\(server) does not take them: \(error)")
                }
            } catch {
                return CheckLine(.error, "scripts", "\(server) does not take them: \(error)")
            }
        }
        return CheckLine(.ok, "scripts", "all \(scripts.count) can be loaded")
    }

    private func deployment() async -> [CheckLine] {
        do throws(ServiceError) {
            let deployment = try await Deployment(cluster)
            let line = CheckLine(
                .ok, "deployment",
                "\(deployment.layout.count) shards, tiers \(deployment.ladder.text)")
            return [line] + (await IndexSurvey.make(cluster)).checkLines
        } catch .notInitialised {
            return [
                CheckLine(
                    .warning, "deployment", "none here yet: `coordinator init` writes its settings")
            ]
        } catch {
            return [CheckLine(.error, "deployment", "\(error)")]
        }
    }
}
