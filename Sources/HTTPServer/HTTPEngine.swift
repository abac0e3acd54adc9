internal import CMicrohttpd
import CoordinatorCore
import EventLoop
import Glibc

/// One libmicrohttpd daemon on the loop, with its own part of the node's time.
///
/// A server has two: probes are not to wait when everything else has used up its part.
///
/// - Thread: loop only. ``close()`` must be called before the last reference goes.
/// - Source: libmicrohttpd, "External epoll".
@LoopActor final class HTTPEngine {
    private unowned let server: HTTPServer
    private let daemon: OpaquePointer
    private let longestRest: Duration
    private var allowance: HTTPAllowance
    private var poll: SocketPoll?
    private var timer: LoopTimer?
    private(set) var isResting = false
    private var isRunning = false
    private var isClosed = false
    /// What C callbacks find their server by; freed when the daemon has stopped.
    private let owner: OwnerBox

    /// - Errors: the function that failed and the reason.
    init(
        _ server: HTTPServer, _ allowance: HTTPAllowance, connections: Int
    ) throws(LoopError) {
        self.server = server
        self.allowance = allowance
        longestRest = server.limits.longestRest
        let owner = OwnerBox()
        owner.server = server
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
            }, Unmanaged.passRetained(owner).toOpaque(),
            // Room for the headers' bound, and for the fields of the answer in the same pool.
            server.limits.headerBytes * 2, UInt32(connections + 64))
        guard let daemon else {
            Unmanaged.passUnretained(owner).release()
            isClosed = true
            throw LoopError(function: "MHD_start_daemon", code: -errno)
        }
        self.daemon = daemon
        do throws(LoopError) {
            timer = LoopTimer { [weak self] in self?.timerFired() }
            poll = try SocketPoll(coordinator_mhd_epoll(daemon)) { [weak self] _ in self?.run() }
            poll?.watch(.readable)
        } catch {
            close()
            throw error
        }
    }

    deinit { if !isClosed { preconditionFailure("an HTTPEngine was dropped without close()") } }

    /// Ends everything at once; no connection may be suspended.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        timer?.close()
        poll?.close()
        _ = MHD_run(daemon)
        MHD_stop_daemon(daemon)
        Unmanaged.passUnretained(owner).release()
    }

    /// Takes a connection over; false when it could not.
    func add(_ descriptor: Int32, _ storage: sockaddr_storage, _ length: socklen_t) -> Bool {
        var storage = storage
        let added = withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                MHD_add_connection(daemon, descriptor, $0, length)
            }
        }
        return added == coordinator_mhd_yes
    }

    /// Runs in this turn or the next one.
    func runSoon() {
        guard !isRunning, !isResting, !isClosed else { return }
        timer?.start(after: .zero)
    }

    private func timerFired() {
        if isResting {
            isResting = false
            poll?.watch(.readable)
        }
        run()
    }

    private func run() {
        guard !isRunning, !isResting, !isClosed else { return }
        isRunning = true
        let began = threadTime()
        server.admit(to: self)
        _ = MHD_run(daemon)
        isRunning = false
        guard !isClosed else { return }
        // So that counting does not wait for whoever asks most.
        if let rest = allowance.spend(threadTime() - began, now: loopNow()) {
            isResting = true
            server.noteRest(of: self)
            poll?.watch([])
            timer?.start(after: min(longestRest, rest))
            return
        }
        var milliseconds: UInt64 = 0
        if server.hasMore(for: self) {
            timer?.start(after: .zero)
        } else if MHD_get_timeout(daemon, &milliseconds) == coordinator_mhd_yes {
            timer?.start(after: .milliseconds(Int64(clamping: milliseconds)))
        }
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
