internal import CCurl
public import CoordinatorCore
public import EventLoop

/// Asks HTTP servers, many at once, on the loop.
///
/// It is for servers whose answers are not trusted: only hosts on a list are asked; the address
/// that is judged is the one that is dialled; redirects are not followed; no proxy, cookie,
/// password or setting comes from the environment; what is read of an answer is bounded after
/// decompression.
///
/// - Not guaranteed: that a request that failed had no effect; it is for GET only.
/// - Thread: loop only.
/// - Source: libcurl, "libcurl-multi", curl_multi_socket_action(3).
@LoopActor public final class HTTPClient {
    /// What bounds a request.
    public struct Limits: Hashable, Sendable {
        /// From the look-up of the name to the last byte.
        public var total: Duration
        /// Until the connection stands, TLS included.
        public var connect: Duration
        /// The body after decompression, and the same on the wire.
        public var bodyBytes: Int
        /// All header lines together.
        public var headerBytes: Int
        /// Connections at once, and kept for the next request.
        public var connections: Int

        /// Limits that suit small JSON answers.
        public init(
            total: Duration = .seconds(10), connect: Duration = .seconds(3),
            bodyBytes: Int = 512 * 1024, headerBytes: Int = 32 * 1024, connections: Int = 8
        ) {
            self.total = total
            self.connect = connect
            self.bodyBytes = bodyBytes
            self.headerBytes = headerBytes
            self.connections = connections
        }
    }

    private let multi: UnsafeMutableRawPointer
    private let limits: Limits
    private let hosts: Set<String>
    private let rules: AddressRules
    private let agent: String
    private let addresses: HostAddresses
    private var transfers: [UnsafeMutableRawPointer: HTTPTransfer] = [:]
    private var polls: [Int32: SocketPoll] = [:]
    private var timer: LoopTimer?
    private var isClosed = false

    /// A client; ``close()`` has to be called.
    ///
    /// - Parameter hosts: who may be asked, lower case; others are refused.
    /// - Parameter agent: what the client calls itself (`User-Agent`).
    public init(hosts: Set<String>, rules: AddressRules, limits: Limits, agent: String) {
        guard Self.isReady, let multi = curl_multi_init() else {
            preconditionFailure("libcurl could not be initialised: no memory is left")
        }
        self.multi = multi
        self.hosts = hosts
        self.rules = rules
        self.limits = limits
        self.agent = agent
        addresses = HostAddresses(rules)
        timer = LoopTimer { [weak self] in self?.act(Self.noSocket, 0) }
        let owner = Unmanaged.passUnretained(self).toOpaque()
        require(coordinator_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, owner))
        require(coordinator_multi_set_pointer(multi, CURLMOPT_TIMERDATA, owner))
        require(
            coordinator_multi_set_socket_function(multi) { _, socket, wanted, owner, _ in
                guard let owner else { return 0 }
                let client = Unmanaged<HTTPClient>.fromOpaque(owner).takeUnretainedValue()
                return LoopActor.assume { client.watch(socket, wanted) }
            })
        require(
            coordinator_multi_set_timer_function(multi) { _, milliseconds, owner in
                guard let owner else { return 0 }
                let client = Unmanaged<HTTPClient>.fromOpaque(owner).takeUnretainedValue()
                LoopActor.assume { client.schedule(milliseconds) }
                return 0
            })
        let most = limits.connections
        require(coordinator_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most))
        require(coordinator_multi_set_long(multi, CURLMOPT_MAXCONNECTS, most))
    }

    deinit { if !isClosed { preconditionFailure("an HTTPClient was dropped without close()") } }

    /// Transfers under way.
    public var count: Int { transfers.count }

    /// Looks a host up, so that a request that follows soon is sent at once.
    ///
    /// - Errors: `.hostNotAllowed`, `.unresolved`, `.addressRefused`, `.timedOut`, `.closed`.
    public func prepare(_ request: HTTPRequest) async throws(HTTPError) {
        _ = try await lookUp(request, within: limits.connect)
    }

    /// Asks with GET, and returns the whole answer, whatever its status.
    ///
    /// - Errors: as ``HTTPError`` tells; within the total limit in every case.
    public func get(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        let began = loopNow()
        let found = try await lookUp(request, within: limits.total)
        guard !isClosed else { throw .closed }
        let left = limits.total - (loopNow() - began)
        guard left > .milliseconds(1) else { throw .timedOut(after: limits.total) }
        let result: Result<HTTPResponse, HTTPError> = await withCheckedContinuation {
            continuation in
            let transfer = HTTPTransfer(
                request, addresses: found.map(Self.literal), limits: limits, left: left,
                agent: agent, rules: rules, continuation)
            transfers[transfer.easy] = transfer
            require(curl_multi_add_handle(multi, transfer.easy))
        }
        return try result.get()
    }

    /// Ends all that is under way with `.closed`; a second call does nothing.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        addresses.close()
        for (easy, transfer) in transfers {
            curl_multi_remove_handle(multi, easy)
            transfer.finish(.failure(.closed))
        }
        transfers.removeAll()
        curl_multi_cleanup(multi)
        for poll in polls.values { poll.close() }
        polls.removeAll()
        timer?.close()
        timer = nil
    }

    // MARK: What libcurl asks for

    private static let noSocket: Int32 = -1
    private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    private func watch(_ socket: Int32, _ wanted: Int32) -> Int32 {
        guard wanted != CURL_POLL_REMOVE else {
            polls.removeValue(forKey: socket)?.close()
            return 0
        }
        var readiness: SocketPoll.Readiness = []
        if wanted & CURL_POLL_IN != 0 { readiness.insert(.readable) }
        if wanted & CURL_POLL_OUT != 0 { readiness.insert(.writable) }
        if let poll = polls[socket] {
            poll.watch(readiness)
            return 0
        }
        do throws(LoopError) {
            let poll = try SocketPoll(socket) { [weak self] ready in self?.take(ready, socket) }
            polls[socket] = poll
            poll.watch(readiness)
            return 0
        } catch {
            // libcurl ends the transfer.
            return -1
        }
    }

    private func take(_ ready: Result<SocketPoll.Readiness, LoopError>, _ socket: Int32) {
        switch ready {
        case .failure: act(socket, CURL_CSELECT_ERR)
        case .success(let readiness):
            var bits: Int32 = 0
            if readiness.contains(.readable) { bits |= CURL_CSELECT_IN }
            if readiness.contains(.writable) { bits |= CURL_CSELECT_OUT }
            act(socket, bits)
        }
    }

    /// Never acts at once: libcurl calls this from inside its own functions.
    private func schedule(_ milliseconds: Int) {
        guard milliseconds >= 0 else {
            timer?.stop()
            return
        }
        timer?.start(after: .milliseconds(max(1, milliseconds)))
    }

    private func act(_ socket: Int32, _ bits: Int32) {
        guard !isClosed else { return }
        var running: Int32 = 0
        require(curl_multi_socket_action(multi, socket, bits, &running))
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else {
                continue
            }
            let code = coordinator_result_of(message)
            curl_multi_remove_handle(multi, easy)
            transfers.removeValue(forKey: easy)?.finish(code)
        }
    }

    private func lookUp(
        _ request: HTTPRequest, within limit: Duration
    ) async throws(HTTPError) -> [SocketAddress] {
        guard !isClosed else { throw .closed }
        guard hosts.contains(request.host) else { throw .hostNotAllowed(host: request.host) }
        return try await addresses.addresses(
            of: request.host, port: request.port, within: limit)
    }

    private static func literal(_ address: SocketAddress) -> String {
        address.bytes.count == 16 ? "[\(address)]" : "\(address)"
    }

    /// libcurl refuses these only to a wrong program, or with no memory left.
    private func require(_ code: CURLMcode) {
        precondition(code == CURLM_OK, "libcurl: \(String(cString: curl_multi_strerror(code)))")
    }
}
