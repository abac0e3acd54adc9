public import SecureStream

/// How to reach a cluster, and the bounds of the client.
///
/// Every way of printing it leaves the password out.
public struct RedisConfiguration: Sendable {
    /// Servers to ask for the topology first; names are resolved again at every attempt.
    public var seeds: [RedisEndpoint]
    /// The ACL user; nil is Redis's `default`.
    public var user: String?
    /// The password; nil sends no AUTH.
    public var password: String?
    /// Asked for the password at each new connection, so that a rotated one is taken without a
    /// restart; nil, or nil from it, means ``password``.
    public var passwordSource: (@Sendable () -> String?)?
    /// TLS for every connection, those to servers learnt from the cluster among them; nil speaks
    /// plainly.
    public var tls: TLSContext?
    /// Shown by `CLIENT LIST`; nil leaves it empty.
    public var clientName: String?
    /// From the look-up of the name to the answered AUTH.
    public var connectTimeout: Duration = .seconds(3)
    /// How long a command may take, retries included, unless the call says otherwise.
    public var commandTimeout: Duration = .seconds(5)
    /// The client's bounds.
    public var limits = RedisLimits()

    /// Makes a configuration from endpoints.
    public init(seeds: [RedisEndpoint], user: String? = nil, password: String? = nil) {
        self.seeds = seeds
        self.user = user
        self.password = password
    }

    /// Reads `redis://[user[:password]@]host[:port][/0]`, each entry possibly a comma-separated
    /// list; `rediss://` is TLS, for all of them or for none.
    ///
    /// A bare `host:port` is accepted too. User and password may be percent-encoded; the first ones
    /// found hold for all seeds.
    ///
    /// - Errors: `.configuration`, which names the part that is wrong and never the password.
    public init(urls: [String]) throws(RedisError) {
        self.init(seeds: [])
        var schemes: Set<String> = []
        for list in urls {
            for text in list.split(separator: ",") { schemes.formUnion(try add(String(text))) }
        }
        guard schemes.count < 2 else {
            throw .configuration(
                "redis:// and rediss:// together: give all servers with TLS, or none")
        }
        if schemes == ["rediss"] { tls = try Self.secure(TLSOptions()) }
        guard !seeds.isEmpty else {
            throw .configuration("no redis server given: expected redis://host:port")
        }
    }

    /// The context of these options.
    ///
    /// - Errors: `.configuration`, which names the file.
    public static func secure(_ options: TLSOptions) throws(RedisError) -> TLSContext {
        do throws(TLSOptionsError) { return try TLSContext(options) } catch {
            throw .configuration("\(error)")
        }
    }

    /// The password for the next connection.
    var newestPassword: String? { passwordSource?() ?? password }

    /// Adds a seed, and returns its scheme, if it has one.
    private mutating func add(_ url: String) throws(RedisError) -> Set<String> {
        var found: Set<String> = []
        var rest = url.drop { $0 == " " }
        while rest.last == " " { rest.removeLast() }
        if let scheme = rest.range(of: "://") {
            let name = rest[..<scheme.lowerBound].lowercased()
            guard ["redis", "rediss"].contains(name) else {
                throw .configuration("unknown scheme \(name):// in the redis URL")
            }
            found = [name]
            rest = rest[scheme.upperBound...]
        }
        if let at = rest.lastIndex(of: "@") {
            try addCredentials(rest[..<at])
            rest = rest[rest.index(after: at)...]
        }
        if let slash = rest.firstIndex(of: "/") {
            let database = rest[rest.index(after: slash)...]
            guard database.isEmpty || database == "0" else {
                throw .configuration("database \(database): a cluster has database 0 only")
            }
            rest = rest[..<slash]
        }
        guard let endpoint = RedisEndpoint(rest), !endpoint.host.isEmpty else {
            throw .configuration("cannot read \(rest) as host:port")
        }
        seeds.append(endpoint)
        return found
    }

    private mutating func addCredentials(_ text: Substring) throws(RedisError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = Self.percentDecoded(parts[0]),
            let second = Self.percentDecoded(parts.count == 2 ? parts[1] : "")
        else { throw .configuration("bad percent-encoding before the @ of the redis URL") }
        if user == nil, !first.isEmpty { user = first }
        if password == nil, !second.isEmpty { password = second }
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var source = Array(text.utf8)[...]
        while let byte = source.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: source.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, !digits.hasPrefix("+"), !digits.hasPrefix("-"),
                let value = UInt8(digits, radix: 16)
            else { return nil }
            bytes.append(value)
            source = source.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension RedisConfiguration: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// Seeds and user, never the password.
    public var description: String {
        let servers = seeds.map(\.description).joined(separator: ",")
        return "\(servers) user=\(user ?? "default") password=\(password == nil ? "none" : "set")"
            + (tls == nil ? "" : tls?.options.verifiesPeer == true ? " tls" : " tls=unverified")
    }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// Keeps `dump` and a debugger's reflection from showing the password.
    public var customMirror: Mirror { Mirror(self, children: ["summary": description]) }
}

extension Substring {
    /// The standard library alone has no search for a substring.
    fileprivate func range(of needle: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) {
                return start..<index(start, offsetBy: needle.count)
            }
            start = index(after: start)
        }
        return nil
    }
}

/// The bounds of the client. They exist so that a slow or hostile server costs errors, never
/// memory.
public struct RedisLimits: Sendable, Equatable {
    /// Commands of one lane that may be under way in the whole client; one more is refused as
    /// overloaded.
    public var commandsPerLane = 65_536
    /// Bytes of those commands: some 60 ms of a gigabit network, or a few hundred large script
    /// calls.
    public var bytesPerLane = 64 * 1024 * 1024
    /// The largest reply, all its parts together: some hundred times what ours have, and a quarter
    /// of what a node may take. Redis itself allows 512 MiB for one string.
    public var replyBytes = 64 * 1024 * 1024
    /// Silence on an idle connection after which it is asked whether it lives.
    public var idlePingInterval: Duration = .seconds(15)
    /// The same while replies are owed.
    public var owedPingInterval: Duration = .seconds(2)
    /// How long the answer to such a question may take before the connection is given up.
    public var pingTimeout: Duration = .seconds(3)
    /// The pause after a first failed connection to a server; doubled at each further one.
    public var firstBackoff: Duration = .milliseconds(50)
    /// The longest such pause.
    public var longestBackoff: Duration = .seconds(2)

    /// The standard bounds.
    public init() {}
}
