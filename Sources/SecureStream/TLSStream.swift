internal import CSSL
public import EventLoop

/// TLS over one TCP connection, under the same face: the client's side.
///
/// OpenSSL works on two memory buffers only; what comes from the socket goes into one, what it
/// leaves in the other goes to the socket. The owner hears of the connection when the handshake is
/// over and the peer has proved its name.
///
/// - Invariant: nothing the owner wrote leaves before the peer is verified.
/// - Thread: loop only.
/// - Source: OpenSSL `SSL_do_handshake(3)`, `SSL_read(3)`, `BIO_s_mem(3)`; RFC 8446, section 6.1.
@LoopActor
public final class TLSStream: ByteStream {
    /// As much as the TCP stream reads at once. One for all streams: it is handed over and used up
    /// in the same step.
    private static let readBuffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 128 * 1024, alignment: 16)

    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    /// The name that the peer has to prove.
    private let name: String
    private weak var owner: (any ByteStreamOwner)?
    private var tcp: TCPStream?
    private var isOpen = false
    private var isClosed = false
    private var hasEnded = false

    /// Makes an unconnected stream.
    ///
    /// - Parameter owner: is not kept alive by the stream.
    /// - Parameter host: the name or number the peer has to prove, unless the context names one.
    public init(owner: any ByteStreamOwner, context: TLSContext, host: String) {
        guard let ssl = SSL_new(context.context), let incoming = BIO_new(BIO_s_mem()),
            let outgoing = BIO_new(BIO_s_mem())
        else { preconditionFailure("OpenSSL's SSL_new failed: out of memory") }
        self.owner = owner
        self.ssl = ssl
        self.incoming = incoming
        self.outgoing = outgoing
        name = context.options.serverName ?? host
        SSL_set_bio(ssl, incoming, outgoing)
        SSL_set_connect_state(ssl)
        // A number is looked for among the certificate's addresses, and is never sent as a name.
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) != 1 {
            SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            let isName =
                SSL_set1_host(ssl, name) == 1
                && coordinator_SSL_set_tlsext_host_name(ssl, name) == 1
            // Without a name the chain alone would be verified: better nothing is.
            if !isName { _ = SSL_set1_host(ssl, "invalid.invalid") }
        }
        ERR_clear_error()
        tcp = TCPStream(owner: self)
    }

    deinit { if !isClosed { preconditionFailure("a TLSStream was dropped without close()") } }

    /// Bytes given to ``write(_:)`` that the kernel has not taken yet, as they travel.
    public var queuedBytes: Int { tcp?.queuedBytes ?? 0 }

    /// Begins to connect; the owner hears `streamConnected` or `streamEnded`.
    public func connect(to address: SocketAddress) throws(LoopError) {
        try tcp?.connect(to: address)
    }

    /// Encrypts and sends.
    ///
    /// - Errors: the connection is broken; the bytes may have been sent in part.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(LoopError) {
        precondition(!isClosed && isOpen, "write to a TLS stream that is not open")
        var rest = bytes
        while !rest.isEmpty {
            let chunk = Int32(min(rest.count, Int(Int32.max)))
            ERR_clear_error()
            let taken = SSL_write(ssl, rest.baseAddress, chunk)
            guard taken > 0 else { throw TLSFailure.error(of: ssl, name: name) }
            rest = UnsafeRawBufferPointer(rebasing: rest[Int(taken)...])
        }
        try flush()
    }

    /// Says good-bye as TLS does and closes at once; a second call does nothing. No call to the
    /// owner follows.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        owner = nil
        if isOpen, !hasEnded {
            ERR_clear_error()
            _ = SSL_shutdown(ssl)
            // The peer may be gone: nobody waits for the good-bye.
            do throws(LoopError) { try flush() } catch {}
        }
        tcp?.close()
        tcp = nil
        SSL_free(ssl)
    }

    // MARK: Records

    private func handshake() {
        ERR_clear_error()
        let status = SSL_do_handshake(ssl)
        let wants = SSL_get_error(ssl, status)
        let failure =
            status == 1 || wants == SSL_ERROR_WANT_READ
            ? nil : TLSFailure.error(of: ssl, name: name)
        // Also when it failed: the peer is told why.
        if let broken = flushFailure() { return end(failure ?? broken) }
        if let failure { return end(failure) }
        guard status == 1 else { return }
        isOpen = true
        owner?.streamConnected()
    }

    private func readRecords() {
        while !isClosed, !hasEnded {
            var filled = 0
            var status: Int32 = 1
            ERR_clear_error()
            while filled < Self.readBuffer.count {
                let room = Int32(Self.readBuffer.count - filled)
                status = SSL_read(ssl, Self.readBuffer.baseAddress.map { $0 + filled }, room)
                if status <= 0 { break }
                filled += Int(status)
            }
            let wants = SSL_get_error(ssl, status)
            let failure =
                status > 0 || wants == SSL_ERROR_WANT_READ || wants == SSL_ERROR_ZERO_RETURN
                ? nil : TLSFailure.error(of: ssl, name: name)
            // Answers to key updates, alerts.
            let broken = flushFailure()
            if filled > 0 {
                owner?.streamRead(UnsafeRawBufferPointer(rebasing: Self.readBuffer[..<filled]))
            }
            if status > 0, broken == nil { continue }
            if let failure = failure ?? broken { return end(failure) }
            if wants == SSL_ERROR_ZERO_RETURN { return end(.endOfFile) }
            return
        }
    }

    private func flush() throws(LoopError) {
        if let failure = flushFailure() { throw failure }
    }

    private func flushFailure() -> LoopError? {
        var data: UnsafeMutablePointer<CChar>?
        let count = coordinator_BIO_get_mem_data(outgoing, &data)
        guard count > 0, let data, let tcp else { return nil }
        do throws(LoopError) {
            try tcp.write(UnsafeRawBufferPointer(start: data, count: count))
        } catch {
            return error
        }
        _ = coordinator_BIO_reset(outgoing)
        return nil
    }

    private func end(_ failure: LoopError) {
        guard !hasEnded, !isClosed else { return }
        hasEnded = true
        owner?.streamEnded(failure)
    }
}

extension TLSStream: ByteStreamOwner {
    /// The TCP connection stands: the handshake begins.
    public func streamConnected() { handshake() }

    /// Records, or parts of some, arrived.
    public func streamRead(_ bytes: UnsafeRawBufferPointer) {
        guard !isClosed, !hasEnded else { return }
        let taken = BIO_write(incoming, bytes.baseAddress, Int32(bytes.count))
        precondition(Int(taken) == bytes.count, "OpenSSL's BIO_write failed: out of memory")
        if !isOpen { handshake() }
        if isOpen { readRecords() }
    }

    /// Everything has gone to the kernel.
    public func streamDrained() {
        if isOpen, !hasEnded { owner?.streamDrained() }
    }

    /// The TCP connection failed or ended.
    public func streamEnded(_ failure: LoopError) {
        guard failure.isEndOfFile else { return end(failure) }
        end(isOpen ? TLSFailure.cutOff : TLSFailure.cutHandshake)
    }
}
