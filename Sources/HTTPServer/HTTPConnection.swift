internal import CMicrohttpd
import CoordinatorCore
import EventLoop
import Glibc

/// One connection of a server and the request that it carries now.
///
/// - Invariant: kept alive by its server from the moment it was accepted until libmicrohttpd has
///   closed it.
/// - Thread: loop only.
@LoopActor final class HTTPConnection {
    /// What the connection waits for.
    enum Phase {
        /// A request line and headers.
        case headers
        /// The body.
        case body
        /// The handler's answer.
        case answer
        /// The peer, to take the answer.
        case taking
        /// Events.
        case stream
        /// Another request.
        case idle
    }

    let descriptor: Int32
    let peer: HTTPAddress
    unowned let server: HTTPServer
    private unowned let engine: HTTPEngine
    /// Its first line is that of a probe: it is answered once and ended, so that whatever follows
    /// waits like anybody else's.
    let isProbe: Bool
    var phase = Phase.headers
    /// When what it waits for has to be there.
    var deadline: MonotonicInstant
    /// Since when it waits.
    var since: MonotonicInstant
    var handle: OpaquePointer?
    /// The request line, undecoded.
    var line = ""
    var isSuspended = false
    /// Ends as soon as libmicrohttpd looks at it.
    var isDoomed = false
    private var request: HTTPRequest?
    private var number: UInt64 = 0
    private var answer: HTTPAnswer?
    private(set) var stream: HTTPEventStream?
    private var began = loopNow()

    init(
        _ descriptor: Int32, _ peer: HTTPAddress, _ server: HTTPServer, _ engine: HTTPEngine,
        isProbe: Bool, since: MonotonicInstant
    ) {
        self.descriptor = descriptor
        self.peer = peer
        self.server = server
        self.engine = engine
        self.isProbe = isProbe
        self.since = since
        deadline = since + server.limits.requestDeadline
    }

    func enter(_ phase: Phase, for span: Duration) {
        self.phase = phase
        since = loopNow()
        deadline = since + span
    }

    /// Ends it as if the network had: libmicrohttpd notices and closes.
    func doom() {
        guard !isDoomed else { return }
        isDoomed = true
        shutdown(descriptor, Int32(SHUT_RDWR))
        if isSuspended { resume() }
    }

    // MARK: The request

    /// The request line has come.
    func begin(_ text: String) {
        line = text
        number += 1
        request = nil
        answer = nil
        began = loopNow()
        if phase == .idle { enter(.headers, for: server.limits.requestDeadline) }
    }

    /// libmicrohttpd's one callback for headers, body and end of a request.
    ///
    /// - Returns: false to close the connection.
    func handle(method: String, body: UnsafeRawBufferPointer) -> Bool {
        if isDoomed { return false }
        if let answer { return deliver(answer) }
        guard request != nil else { return takeHeaders(method) }
        if !body.isEmpty { return takeBody(body) }
        guard phase == .body, let request else { return true }
        enter(.answer, for: server.limits.answerDeadline)
        server.handler(request, HTTPReply(self, number: number))
        if let answer { return deliver(answer) }
        suspend()
        return true
    }

    private func takeHeaders(_ method: String) -> Bool {
        guard let handle else { return false }
        enter(.body, for: server.limits.requestDeadline)
        guard coordinator_mhd_header_size(handle) <= server.limits.headerBytes else {
            return refuse(
                431, "Request Header Fields Too Large",
                "the headers may have \(server.limits.headerBytes) bytes")
        }
        guard let target = HTTPTarget(line) else {
            return refuse(400, "Bad Request", "the path or its parameters are malformed")
        }
        var fields = HTTPFields()
        withUnsafeMutablePointer(to: &fields) { pointer in
            _ = MHD_get_connection_values(handle, coordinator_mhd_headers, collectField, pointer)
        }
        let request = HTTPRequest(
            method: method, target: target, peer: peer.host, headers: fields.values)
        self.request = request
        if fields.isAmbiguous {
            return refuse(400, "Bad Request", "a header that may stand once stands twice")
        }
        if let sentence = server.refusal(ofHost: request.header("host")) {
            return refuse(421, "Misdirected Request", sentence)
        }
        let length = request.header("content-length")
        let isChunked = request.header("transfer-encoding") != nil
        if isChunked, length != nil {
            return refuse(400, "Bad Request", "a body has a length or chunks, not both")
        }
        let hasBody = isChunked || (length.map { $0 != "0" } ?? false)
        if hasBody, method != "POST" {
            return refuse(400, "Bad Request", "\(method) takes no body")
        }
        if let length, (Int(length) ?? .max) > server.limits.bodyBytes { return refuseBody() }
        return true
    }

    private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let request, request.body.count + bytes.count <= server.limits.bodyBytes else {
            // Too late for an answer: the body is still coming.
            return false
        }
        self.request?.body.append(contentsOf: bytes)
        return true
    }

    private func refuseBody() -> Bool {
        refuse(
            413, "Content Too Large", "a body may have \(server.limits.bodyBytes) bytes")
    }

    /// Answers with what is wrong, and ends the connection: what follows cannot be trusted.
    private func refuse(_ status: Int, _ title: String, _ detail: String) -> Bool {
        let problem = HTTPResponse.problem(
            status, title, detail, headers: [("Connection", "close")])
        return deliver(.response(problem))
    }

    // MARK: The answer

    /// The handler's answer, now or later.
    func answer(_ answer: HTTPAnswer, to number: UInt64) {
        guard number == self.number, self.answer == nil, phase == .answer else { return }
        self.answer = answer
        if isSuspended { resume() }
    }

    private func deliver(_ answer: HTTPAnswer) -> Bool {
        guard let handle else { return false }
        let isQueued: Bool
        let status: Int
        switch answer {
        case .response(let response):
            status = response.status
            isQueued = queue(response, handle)
            enter(.taking, for: server.limits.answerDeadline)
        case .stream(let stream):
            guard server.streamCount < server.limits.eventStreams else {
                let full = HTTPResponse.problem(
                    503, "Service Unavailable",
                    "\(server.limits.eventStreams) event streams are open, the most there may be",
                    headers: [("Retry-After", "10")])
                return deliver(.response(full))
            }
            status = 200
            isQueued = queue(stream, handle)
            enter(.stream, for: .seconds(86_400))
        }
        server.onAnswer?(request, status, loopNow() - began)
        return isQueued
    }

    private func queue(_ response: HTTPResponse, _ handle: OpaquePointer) -> Bool {
        var body = response.body
        let made = body.withUnsafeMutableBytes { bytes in
            MHD_create_response_from_buffer(
                bytes.count, bytes.baseAddress, coordinator_mhd_copy)
        }
        guard let made else { return false }
        return queue(made, response.status, response.headers, handle)
    }

    private func queue(_ stream: HTTPEventStream, _ handle: OpaquePointer) -> Bool {
        self.stream = stream
        stream.connection = self
        stream.limit = server.limits.streamQueueBytes
        // What the kernel holds for a peer that does not read is memory, too.
        var bytes: Int32 = 64 * 1_024
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        let owner = Unmanaged.passRetained(self).toOpaque()
        let made = MHD_create_response_from_callback(
            coordinator_mhd_size_unknown, 16_384,
            { owner, _, target, count in
                LoopActor.assume { readStream(owner, target, count) }
            }, owner,
            { owner in
                guard let owner else { return }
                Unmanaged<HTTPConnection>.fromOpaque(owner).release()
            })
        guard let made else {
            Unmanaged<HTTPConnection>.fromOpaque(owner).release()
            return false
        }
        let fields = [
            ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"),
            ("X-Accel-Buffering", "no"),
        ]
        return queue(made, 200, fields.map { (name: $0.0, value: $0.1) }, handle)
    }

    private func queue(
        _ made: OpaquePointer, _ status: Int, _ fields: [(name: String, value: String)],
        _ handle: OpaquePointer
    ) -> Bool {
        defer { MHD_destroy_response(made) }
        let ends = isProbe && !fields.contains { $0.name == "Connection" }
        for field in fields + HTTPResponse.security + (ends ? [("Connection", "close")] : []) {
            _ = MHD_add_response_header(made, field.name, field.value)
        }
        return MHD_queue_response(handle, UInt32(status), made) == coordinator_mhd_yes
    }

    // MARK: Events

    func streamHasBytes() { if isSuspended { resume() } }

    func dropSlowStream() {
        server.counted.slowStreams += 1
        doom()
    }

    fileprivate func read(into target: UnsafeMutableRawBufferPointer) -> Int {
        guard let stream, !isDoomed else { return coordinator_mhd_end_of_stream }
        switch stream.take(into: target) {
        case .bytes(let count): return count
        case .never: return coordinator_mhd_end_of_stream
        case .later:
            suspend()
            return 0
        }
    }

    // MARK: Ends

    /// The answer has been taken, or the connection ended before.
    func requestEnded() {
        stream?.connection = nil
        stream = nil
        request = nil
        answer = nil
        enter(.idle, for: server.limits.idleTime)
    }

    private func suspend() {
        guard let handle, !isSuspended else { return }
        isSuspended = true
        MHD_suspend_connection(handle)
    }

    func resume() {
        guard let handle, isSuspended else { return }
        isSuspended = false
        MHD_resume_connection(handle)
        engine.runSoon()
    }
}

/// The header fields of a request as they are collected.
private struct HTTPFields {
    var values: [String: String] = [:]
    var isAmbiguous = false

    /// Two of these mean two things to two readers.
    private static let single = [
        "host", "content-length", "transfer-encoding", "authorization", "content-type",
    ]

    mutating func add(_ name: String, _ value: String) {
        let name = name.lowercased()
        if let before = values[name] {
            if Self.single.contains(name) { isAmbiguous = true }
            values[name] = before + ", " + value
        } else {
            values[name] = value
        }
    }
}

private func collectField(
    _ owner: UnsafeMutableRawPointer?, _ kind: MHD_ValueKind, _ name: UnsafePointer<CChar>?,
    _ value: UnsafePointer<CChar>?
) -> MHD_Result {
    guard let owner, let name else { return coordinator_mhd_yes }
    owner.assumingMemoryBound(to: HTTPFields.self).pointee.add(
        String(cString: name), value.map { String(cString: $0) } ?? "")
    return coordinator_mhd_yes
}

@LoopActor private func readStream(
    _ owner: UnsafeMutableRawPointer?, _ target: UnsafeMutablePointer<CChar>?, _ count: Int
) -> Int {
    guard let owner, let target else { return coordinator_mhd_end_of_stream }
    let connection = Unmanaged<HTTPConnection>.fromOpaque(owner).takeUnretainedValue()
    return connection.read(into: UnsafeMutableRawBufferPointer(start: target, count: count))
}
