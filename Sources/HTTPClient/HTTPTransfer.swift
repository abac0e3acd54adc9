internal import CCurl
import CoordinatorCore
import EventLoop
import Glibc

/// One request and what has come of its answer; owns the C handle until it is finished.
///
/// - Thread: loop only.
@LoopActor final class HTTPTransfer {
    let easy: UnsafeMutableRawPointer
    private let request: HTTPRequest
    private let limits: HTTPClient.Limits
    private let rules: AddressRules
    private var continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>?
    private var places: UnsafeMutablePointer<curl_slist>?
    private var lines: UnsafeMutablePointer<curl_slist>?
    private let message: UnsafeMutablePointer<CChar>
    private var body: [UInt8] = []
    private var headerBytes = 0
    /// Why this side ended it; libcurl only knows that it did.
    private var objection: HTTPError?

    /// Connections are made anew after this, so that a changed address is followed.
    private static let longestConnectionSeconds = 300

    init(
        _ request: HTTPRequest, addresses: [String], limits: HTTPClient.Limits, left: Duration,
        agent: String, rules: AddressRules,
        _ continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>
    ) {
        guard let easy = curl_easy_init() else {
            preconditionFailure("curl_easy_init failed: no memory is left")
        }
        self.easy = easy
        self.request = request
        self.limits = limits
        self.rules = rules
        self.continuation = continuation
        message = .allocate(capacity: Int(CURL_ERROR_SIZE))
        message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        configure(addresses, left, agent)
        attach()
    }

    deinit {
        if continuation != nil { preconditionFailure("an HTTPTransfer was dropped unfinished") }
    }

    /// Tells the outcome, and frees the handle, which the multi handle has let go of.
    func finish(_ code: CURLcode) {
        guard code == CURLE_OK else { return finish(.failure(objection ?? failure(code))) }
        var status = 0
        _ = coordinator_easy_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        var wait: curl_off_t = 0
        _ = coordinator_easy_get_size(easy, CURLINFO_RETRY_AFTER, &wait)
        finish(
            .success(
                HTTPResponse(
                    status: status, body: body, retryAfter: wait > 0 ? .seconds(wait) : nil)))
    }

    /// Tells this outcome, and frees the handle.
    func finish(_ result: Result<HTTPResponse, HTTPError>) {
        guard let continuation else { return }
        self.continuation = nil
        curl_easy_cleanup(easy)
        curl_slist_free_all(places)
        curl_slist_free_all(lines)
        message.deallocate()
        continuation.resume(returning: result)
    }

    // MARK: Settings

    private func configure(_ addresses: [String], _ left: Duration, _ agent: String) {
        set(CURLOPT_URL, request.url)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        // An empty proxy means none, also where the environment names one.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NOPROXY, "*")
        set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        set(CURLOPT_USERAGENT, agent)
        set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate")
        // This bounds a peer that drips, too. A limit of speed would end what is only late.
        set(CURLOPT_TIMEOUT_MS, Int(left.wholeMilliseconds))
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(min(limits.connect, left).wholeMilliseconds))
        set(CURLOPT_MAXLIFETIME_CONN, Self.longestConnectionSeconds)
        require(
            coordinator_easy_set_size(
                easy, CURLOPT_MAXFILESIZE_LARGE, curl_off_t(limits.bodyBytes)))
        // Without an entry libcurl would look the name up itself.
        let place = "\(request.host):\(request.port):" + addresses.joined(separator: ",")
        places = curl_slist_append(nil, place)
        require(coordinator_easy_set_pointer(easy, CURLOPT_RESOLVE, places))
        lines = curl_slist_append(nil, "Accept: application/json")
        require(coordinator_easy_set_pointer(easy, CURLOPT_HTTPHEADER, lines))
    }

    private func attach() {
        let owner = Unmanaged.passUnretained(self).toOpaque()
        require(coordinator_easy_set_pointer(easy, CURLOPT_ERRORBUFFER, message))
        require(coordinator_easy_set_pointer(easy, CURLOPT_WRITEDATA, owner))
        require(coordinator_easy_set_pointer(easy, CURLOPT_HEADERDATA, owner))
        require(coordinator_easy_set_pointer(easy, CURLOPT_OPENSOCKETDATA, owner))
        require(
            coordinator_easy_set_data_function(easy, CURLOPT_WRITEFUNCTION) {
                bytes, size, count, owner in
                guard let owner, let bytes else { return 0 }
                let transfer = Unmanaged<HTTPTransfer>.fromOpaque(owner).takeUnretainedValue()
                return LoopActor.assume { transfer.take(bytes, size * count) }
            })
        require(
            coordinator_easy_set_data_function(easy, CURLOPT_HEADERFUNCTION) {
                _, size, count, owner in
                guard let owner else { return 0 }
                let transfer = Unmanaged<HTTPTransfer>.fromOpaque(owner).takeUnretainedValue()
                return LoopActor.assume { transfer.takeHeader(size * count) }
            })
        require(
            coordinator_easy_set_open_function(easy) { owner, _, address in
                guard let owner, let address else { return HTTPTransfer.noSocket }
                let transfer = Unmanaged<HTTPTransfer>.fromOpaque(owner).takeUnretainedValue()
                return LoopActor.assume { transfer.open(address) }
            })
    }

    private func set(_ option: CURLoption, _ value: Int) {
        require(coordinator_easy_set_long(easy, option, value))
    }

    private func set(_ option: CURLoption, _ text: String) {
        require(coordinator_easy_set_text(easy, option, text))
    }

    /// libcurl refuses these only to a wrong program, or with no memory left.
    private func require(_ code: CURLcode) {
        precondition(code == CURLE_OK, "libcurl: \(String(cString: curl_easy_strerror(code)))")
    }

    // MARK: What libcurl asks for

    private nonisolated static let noSocket: Int32 = -1

    /// The last gate, on the very address that is about to be dialled.
    private func open(_ address: UnsafeMutablePointer<curl_sockaddr>) -> Int32 {
        let place = address.pointee
        guard let bytes = Self.bytes(address), rules.allows(bytes) else {
            let found = Self.bytes(address) ?? []
            objection = .addressRefused(
                host: request.host, address: AddressText.text(found),
                kind: AddressKind(of: found))
            return Self.noSocket
        }
        return socket(place.family, place.socktype | Int32(SOCK_CLOEXEC.rawValue), place.protocol)
    }

    private static func bytes(_ address: UnsafeMutablePointer<curl_sockaddr>) -> [UInt8]? {
        // The C structure ends in the start of an address that may be longer than it.
        let base = UnsafeRawPointer(address) + (MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 0)
        switch (address.pointee.family, Int(address.pointee.addrlen)) {
        case (AF_INET, MemoryLayout<sockaddr_in>.size...):
            let offset = MemoryLayout<sockaddr_in>.offset(of: \.sin_addr) ?? 0
            return Array(UnsafeRawBufferPointer(start: base + offset, count: 4))
        case (AF_INET6, MemoryLayout<sockaddr_in6>.size...):
            let offset = MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr) ?? 0
            return Array(UnsafeRawBufferPointer(start: base + offset, count: 16))
        default: return nil
        }
    }

    private func take(_ bytes: UnsafeMutablePointer<CChar>, _ count: Int) -> Int {
        guard body.count + count <= limits.bodyBytes else {
            objection = .tooLarge(what: "body", limit: limits.bodyBytes)
            return 0
        }
        body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
        return count
    }

    private func takeHeader(_ count: Int) -> Int {
        headerBytes += count
        guard headerBytes <= limits.headerBytes else {
            objection = .tooLarge(what: "header", limit: limits.headerBytes)
            return 0
        }
        return count
    }

    private func failure(_ code: CURLcode) -> HTTPError {
        let said = String(cString: message)
        let reason = said.isEmpty ? String(cString: curl_easy_strerror(code)) : said
        switch code {
        case CURLE_OPERATION_TIMEDOUT: return .timedOut(after: limits.total)
        case CURLE_COULDNT_RESOLVE_HOST: return .unresolved(host: request.host, reason: reason)
        case CURLE_FILESIZE_EXCEEDED: return .tooLarge(what: "body", limit: limits.bodyBytes)
        case CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER:
            return .unreachable(reason: reason)
        default: return .interrupted(reason: reason)
        }
    }
}
