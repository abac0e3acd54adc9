import CoordinatorCore
public import EventLoop

/// An HTTP server on the loop: libmicrohttpd reads, parses and writes; who is let in, for how long
/// and for how much of the node's time is decided here.
///
/// Whoever comes waits at the door, which has a thread of its own, until a request is there. Probes
/// and everything else are then served apart on the loop, each within its own part of the node's
/// time: a flood of connections costs the loop nothing, a flood of requests does not make probes
/// wait.
///
/// - Not guaranteed: fairness between peers beyond a bound for each address.
/// - Not guaranteed: prompt probes when more connect than the door can take, or when the flood is
///   itself one of probes.
/// - Not guaranteed: that what libmicrohttpd itself refuses (a malformed request line, headers that
///   do not fit) is answered as problem details: it has words of its own.
/// - Thread: loop only. ``close()`` must be called before the last reference goes.
@LoopActor public final class HTTPServer {
    /// Answers a request, at once or later.
    public typealias Handler = @LoopActor (HTTPRequest, HTTPReply) -> Void

    /// Where it listens; the port that the system chose where 0 was asked for.
    public let address: HTTPAddress
    /// Its bounds.
    public let limits: HTTPLimits
    /// Told of every answer: the request (nil when none could be read), status, and time taken.
    public var onAnswer: (@LoopActor (HTTPRequest?, Int, Duration) -> Void)?

    let handler: Handler
    private let names: [String]
    private(set) var door: HTTPDoor?
    var sweeper: LoopTimer?
    /// What was seen on the loop.
    var counted = HTTPStatistics()
    /// What libmicrohttpd has, by descriptor.
    var connections: [Int32: HTTPConnection] = [:]
    private(set) var probes: HTTPEngine?
    private(set) var questions: HTTPEngine?
    private var isClosed = false

    /// Listens; nothing is answered before the loop turns.
    ///
    /// - Parameter names: host names that requests may name beside numeric addresses and
    ///   `localhost`.
    /// - Errors: `.inUse`, `.refused`.
    public init(
        _ address: HTTPAddress, names: [String], limits: HTTPLimits = HTTPLimits(),
        handler: @escaping Handler
    ) throws(HTTPServerError) {
        self.limits = limits
        self.handler = handler
        self.names = names.map { $0.lowercased() }
        let listener: Int32
        (listener, self.address) = try Self.listen(address, limits)
        do throws(LoopError) { try open(listener) } catch {
            close()
            throw .refused(
                address: "\(address)", function: error.function, reason: error.reason)
        }
    }

    deinit { if !isClosed { preconditionFailure("an HTTPServer was dropped without close()") } }

    private func open(_ listener: Int32) throws(LoopError) {
        door = try HTTPDoor(
            listener, limits,
            onRequests: { [weak self] in
                self?.probes?.runSoon()
                self?.questions?.runSoon()
            },
            onNoRoom: { [weak self] in self?.giveWay() })
        let now = loopNow()
        probes = try HTTPEngine(
            self, HTTPAllowance(share: limits.probeShare, burst: limits.burst, now: now),
            connections: limits.probes)
        questions = try HTTPEngine(
            self, HTTPAllowance(share: limits.share, burst: limits.burst, now: now),
            connections: limits.connections)
        sweeper = LoopTimer { [weak self] in self?.sweep() }
    }

    /// Connections that stand, also those that have said nothing yet.
    public var connectionCount: Int { connections.count + (door?.count ?? 0) }
    /// What it has seen.
    public var statistics: HTTPStatistics {
        guard let seen = door?.statistics else { return counted }
        var all = counted
        all.accepted += seen.accepted
        all.evicted += seen.evicted
        all.timedOut += seen.timedOut
        all.doorRests += seen.doorRests
        return all
    }
    /// Event streams that are open.
    public var streamCount: Int { connections.values.count { $0.phase == .stream } }

    /// Ends everything at once.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        door?.close()
        sweeper?.close()
        // An engine must not be stopped while a connection is suspended.
        for connection in connections.values { connection.doom() }
        probes?.close()
        questions?.close()
        connections = [:]
    }

    func noteRest(of engine: HTTPEngine) {
        if engine === probes {
            counted.probeRests += 1
        } else {
            counted.rests += 1
        }
    }

    // MARK: Hosts

    /// Why a request for this host is refused; nil where it is not.
    ///
    /// A browser that was told that somebody's name lives at this address would let that somebody's
    /// page read it. Numeric addresses cannot be rebound so.
    func refusal(ofHost field: String?) -> String? {
        guard let field, !field.isEmpty else { return "the request names no host" }
        let host = HTTPHost.name(field)
        if HTTPAddress.isNumeric(host) || host == "localhost" || names.contains(host) { return nil }
        return "this node does not answer for that name: ask by address, or allow the name with "
            + "--http-host"
    }
}

/// The name in a `Host` field.
enum HTTPHost {
    /// Without its port and brackets, in lower case.
    static func name(_ field: String) -> String {
        var host = field.lowercased()[...]
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            return String(host[host.index(after: host.startIndex)..<end])
        }
        if let colon = host.firstIndex(of: ":") { host = host[..<colon] }
        return host.hasSuffix(".") ? String(host.dropLast()) : String(host)
    }
}
