internal import CMicrohttpd
import CoordinatorCore
public import EventLoop
import Glibc

/// An HTTP server on the loop: libmicrohttpd reads, parses and writes; who is let in, for how long
/// and for how much of the node's time is decided here.
///
/// - Not guaranteed: fairness between peers beyond a bound for each address.
/// - Not guaranteed: that what libmicrohttpd itself refuses (a malformed request line, headers that
///   do not fit) is answered as problem details: it has words of its own.
/// - Thread: loop only. ``close()`` must be called before the last reference goes.
/// - Source: libmicrohttpd, "External epoll".
@LoopActor public final class HTTPServer {
    /// Answers a request, at once or later.
    public typealias Handler = @LoopActor (HTTPRequest, HTTPReply) -> Void

    /// Where it listens; the port that the system chose where 0 was asked for.
    public let address: HTTPAddress
    /// Its bounds.
    public let limits: HTTPLimits
    /// What it has seen.
    public internal(set) var statistics = HTTPStatistics()
    /// Told of every answer: the request (nil when none could be read), status, and time taken.
    public var onAnswer: (@LoopActor (HTTPRequest?, Int, Duration) -> Void)?

    let handler: Handler
    private let names: [String]
    let listener: Int32
    private let daemon: OpaquePointer
    private var listenerPoll: SocketPoll?
    private var daemonPoll: SocketPoll?
    private var timer: LoopTimer?
    var sweeper: LoopTimer?
    var connections: [Int32: HTTPConnection] = [:]
    var allowance: Duration
    var allowanceAt = loopNow()
    private var isResting = false
    private var isRunning = false
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
        allowance = limits.burst
        (listener, self.address) = try Self.listen(address, backlog: limits.backlog)
        // Room for the headers' bound, and for the fields of the answer in the same pool.
        let memory = limits.headerBytes * 2
        let owner = OwnerBox()
        self.owner = owner
        // Closures made on the loop, so that what they are given is the loop's, too.
        let daemon = coordinator_mhd_start(
            { _, handle, _, method, _, body, count, _ in
                LoopActor.assume { handleRequest(handle, method, body, count) }
            }, { _, handle, _, _ in LoopActor.assume { requestEnded(handle) } },
            { owner, handle, context, change in
                LoopActor.assume { connectionChanged(owner, handle, context, change) }
            },
            { _, line, handle in
                LoopActor.assume { requestLineCame(line, handle) }
                return nil
            }, Unmanaged.passRetained(owner).toOpaque(), memory,
            UInt32(limits.connections + 64))
        guard let daemon else {
            Glibc.close(listener)
            throw .refused(
                address: "\(address)", function: "MHD_start_daemon",
                reason: String(cString: strerror(errno)))
        }
        self.daemon = daemon
        owner.server = self
        try watch()
    }

    /// What C callbacks find their server by; freed when the daemon has stopped.
    private let owner: OwnerBox

    deinit { if !isClosed { preconditionFailure("an HTTPServer was dropped without close()") } }

    private func watch() throws(HTTPServerError) {
        do throws(LoopError) {
            timer = LoopTimer { [weak self] in self?.timerFired() }
            sweeper = LoopTimer { [weak self] in self?.sweep() }
            listenerPoll = try SocketPoll(listener) { [weak self] _ in self?.acceptAll() }
            daemonPoll = try SocketPoll(coordinator_mhd_epoll(daemon)) { [weak self] _ in
                self?.run()
            }
        } catch {
            close()
            throw .refused(
                address: "\(address)", function: error.function, reason: error.reason)
        }
        listen(true)
    }

    private func listen(_ wanted: Bool) {
        listenerPoll?.watch(wanted ? .readable : [])
        daemonPoll?.watch(wanted ? .readable : [])
    }

    /// Connections that stand.
    public var connectionCount: Int { connections.count }
    /// Event streams that are open.
    public var streamCount: Int { connections.values.count { $0.phase == .stream } }

    /// Ends everything at once.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        timer?.close()
        sweeper?.close()
        listenerPoll?.close()
        daemonPoll?.close()
        Glibc.close(listener)
        // It must not be stopped while a connection is suspended.
        for connection in connections.values { connection.doom() }
        _ = MHD_run(daemon)
        MHD_stop_daemon(daemon)
        connections = [:]
        Unmanaged.passUnretained(owner).release()
    }

    // MARK: Turning

    /// Runs in this turn or the next one.
    func runSoon() {
        guard !isRunning, !isResting, !isClosed else { return }
        timer?.start(after: .zero)
    }

    private func timerFired() {
        if isResting {
            isResting = false
            listen(true)
        }
        run()
    }

    private func run() {
        guard !isRunning, !isResting, !isClosed else { return }
        isRunning = true
        let began = loopNow()
        _ = MHD_run(daemon)
        isRunning = false
        spend(loopNow() - began)
        guard !isClosed, !isResting else { return }
        var milliseconds: UInt64 = 0
        if MHD_get_timeout(daemon, &milliseconds) == coordinator_mhd_yes {
            timer?.start(after: .milliseconds(Int64(clamping: milliseconds)))
        }
    }

    /// Charges time to the share; past it the server rests, so that counting does not wait for
    /// whoever asks most.
    func spend(_ time: Duration) {
        let now = loopNow()
        allowance = min(limits.burst, allowance + (now - allowanceAt) * limits.share) - time
        allowanceAt = now
        guard allowance < .zero, !isResting, !isClosed else { return }
        isResting = true
        statistics.rests += 1
        listen(false)
        timer?.start(after: min(limits.longestRest, .zero - allowance / limits.share))
    }

    /// Gives an accepted socket to libmicrohttpd.
    func add(_ connection: HTTPConnection, _ storage: sockaddr_storage, _ length: socklen_t) {
        connections[connection.descriptor] = connection
        var storage = storage
        let added = withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                MHD_add_connection(daemon, connection.descriptor, $0, length)
            }
        }
        if added != coordinator_mhd_yes { connections[connection.descriptor] = nil }
        sweepSoon()
        runSoon()
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

/// The C callbacks' way to the server.
@LoopActor private final class OwnerBox {
    weak var server: HTTPServer?

    nonisolated init() {}
}

/// The connection that libmicrohttpd speaks of.
@LoopActor private func connection(_ handle: OpaquePointer?) -> HTTPConnection? {
    guard let handle, let context = coordinator_mhd_context(handle) else { return nil }
    return Unmanaged<HTTPConnection>.fromOpaque(context).takeUnretainedValue()
}

@LoopActor private func handleRequest(
    _ handle: OpaquePointer?, _ method: UnsafePointer<CChar>?, _ body: UnsafePointer<CChar>?,
    _ count: UnsafeMutablePointer<Int>?
) -> MHD_Result {
    guard let found = connection(handle), let method, let count else { return coordinator_mhd_no }
    let bytes = UnsafeRawBufferPointer(start: body, count: body == nil ? 0 : count.pointee)
    let isFine = found.handle(method: String(cString: method), body: bytes)
    count.pointee = 0
    return isFine ? coordinator_mhd_yes : coordinator_mhd_no
}

@LoopActor private func requestLineCame(_ line: UnsafePointer<CChar>?, _ handle: OpaquePointer?) {
    guard let found = connection(handle), let line else { return }
    found.begin(String(cString: line))
}

@LoopActor private func requestEnded(_ handle: OpaquePointer?) {
    connection(handle)?.requestEnded()
}

@LoopActor private func connectionChanged(
    _ owner: UnsafeMutableRawPointer?, _ handle: OpaquePointer?,
    _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _ change: MHD_ConnectionNotificationCode
) {
    guard let owner, let handle, let context else { return }
    let server = Unmanaged<OwnerBox>.fromOpaque(owner).takeUnretainedValue().server
    if change == coordinator_mhd_started {
        guard let found = server?.connections[coordinator_mhd_descriptor(handle)] else { return }
        found.handle = handle
        context.pointee = Unmanaged.passUnretained(found).toOpaque()
    } else if let pointer = context.pointee {
        let found = Unmanaged<HTTPConnection>.fromOpaque(pointer).takeUnretainedValue()
        context.pointee = nil
        found.handle = nil
        found.stream?.connection = nil
        server?.connections[found.descriptor] = nil
    }
}
