import CLibuv
import Glibc

/// One TCP connection of libuv.
///
/// - Not guaranteed: that bytes the kernel took reach the peer.
/// - Thread: loop only.
@LoopActor
public final class TCPStream: ByteStream {
    /// Read at most this much at once. The buffer is one for all streams, since libuv fills it and
    /// hands it over in the same step; larger ones leave the second-level cache and gained nothing.
    private static let readBufferBytes = 128 * 1024
    /// Seconds of silence after which the kernel begins to probe; the owner's own ping comes long
    /// before.
    private static let keepAliveSeconds: UInt32 = 30

    private static let readBuffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: readBufferBytes, alignment: 16)

    private let handle: UnsafeMutablePointer<uv_tcp_t>
    private weak var owner: (any ByteStreamOwner)?
    private var isClosed = false
    private var hasEnded = false

    /// Makes an unconnected stream.
    ///
    /// - Parameter owner: is not kept alive by the stream.
    public init(owner: any ByteStreamOwner) {
        self.owner = owner
        handle = .allocate(capacity: 1)
        requireSuccess(uv_tcp_init(LoopCore.shared.loop, handle), "uv_tcp_init")
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit { if !isClosed { preconditionFailure("a TCPStream was dropped without close()") } }

    /// Begins to connect; the owner hears `streamConnected` or `streamEnded`.
    public func connect(to address: SocketAddress) throws(LoopError) {
        precondition(!isClosed, "connect of a closed stream")
        let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
        let status = address.withAddress { address in
            uv_tcp_connect(request, handle, address) { request, status in
                guard let request, let stream = request.pointee.handle else { return }
                request.deallocate()
                guard let data = stream.pointee.data else { return }
                let owner = Unmanaged<TCPStream>.fromOpaque(data).takeUnretainedValue()
                LoopActor.assume { owner.connected(status) }
            }
        }
        guard status == 0 else {
            request.deallocate()
            throw LoopError(function: "uv_tcp_connect", code: status)
        }
    }

    /// Bytes given to ``write(_:)`` that the kernel has not taken yet.
    public var queuedBytes: Int {
        guard !isClosed else { return 0 }
        return withStream { uv_stream_get_write_queue_size($0) }
    }

    /// Sends what the kernel takes at once; the rest is copied and follows as the peer reads.
    ///
    /// - Errors: the connection is broken; the bytes may have been sent in part.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(LoopError) {
        precondition(!isClosed, "write to a closed stream")
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        let chunk = min(bytes.count, Int(UInt32.max))
        var buffer = uv_buf_init(
            UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: CChar.self)), UInt32(chunk))
        let taken = withStream { uv_try_write($0, &buffer, 1) }
        if taken < 0, taken != UV_EAGAIN.rawValue {
            throw LoopError(function: "uv_try_write", code: taken)
        }
        let sent = max(0, Int(taken))
        guard sent < bytes.count else { return }
        try queue(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
    }

    /// Closes at once; a second call does nothing. No call to the owner follows.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        owner = nil
        handle.pointee.data = nil
        closeHandle(handle)
    }

    // MARK: Callbacks

    private func connected(_ status: Int32) {
        guard status == 0 else { return end("connect", status) }
        // Small commands must not wait for one another's acknowledgement.
        _ = uv_tcp_nodelay(handle, 1)
        _ = uv_tcp_keepalive(handle, 1, Self.keepAliveSeconds)
        let reading = withStream { stream in
            uv_read_start(
                stream,
                { _, _, buffer in
                    LoopActor.assume { TCPStream.lendReadBuffer(buffer) }
                },
                { stream, count, _ in
                    guard count != 0, let data = stream?.pointee.data else { return }
                    let owner = Unmanaged<TCPStream>.fromOpaque(data).takeUnretainedValue()
                    LoopActor.assume { owner.read(count) }
                })
        }
        guard reading == 0 else { return end("uv_read_start", reading) }
        owner?.streamConnected()
    }

    private static func lendReadBuffer(_ buffer: UnsafeMutablePointer<uv_buf_t>?) {
        buffer?.pointee.base = readBuffer.baseAddress?.assumingMemoryBound(to: CChar.self)
        buffer?.pointee.len = readBuffer.count
    }

    private func read(_ count: Int) {
        guard count > 0 else { return end("read", Int32(truncatingIfNeeded: count)) }
        owner?.streamRead(UnsafeRawBufferPointer(rebasing: Self.readBuffer[..<count]))
    }

    private func end(_ function: String, _ status: Int32) {
        guard !hasEnded, !isClosed else { return }
        hasEnded = true
        owner?.streamEnded(LoopError(function: function, code: status))
    }

    // MARK: Writing

    /// libuv wants the request and the bytes until its callback: they are one block, freed there.
    private func queue(_ bytes: UnsafeRawBufferPointer) throws(LoopError) {
        let header = (MemoryLayout<uv_write_t>.size + 15) & ~15
        let block = UnsafeMutableRawPointer.allocate(byteCount: header + bytes.count, alignment: 16)
        let request = block.bindMemory(to: uv_write_t.self, capacity: 1)
        let copy = UnsafeMutableRawBufferPointer(start: block + header, count: bytes.count)
        copy.copyMemory(from: bytes)
        var buffers: [uv_buf_t] = []
        var offset = 0
        while offset < copy.count {
            let size = min(copy.count - offset, Int(Int32.max))
            let start = (block + header + offset).assumingMemoryBound(to: CChar.self)
            buffers.append(uv_buf_init(start, UInt32(size)))
            offset += size
        }
        let status = withStream { stream in
            uv_write(request, stream, &buffers, UInt32(buffers.count)) { request, status in
                guard let request else { return }
                let stream = request.pointee.handle
                UnsafeMutableRawPointer(request).deallocate()
                guard let data = stream?.pointee.data else { return }
                let owner = Unmanaged<TCPStream>.fromOpaque(data).takeUnretainedValue()
                LoopActor.assume { owner.written(status) }
            }
        }
        guard status == 0 else {
            block.deallocate()
            throw LoopError(function: "uv_write", code: status)
        }
    }

    private func written(_ status: Int32) {
        guard status == 0 else { return end("write", status) }
        if queuedBytes == 0 { owner?.streamDrained() }
    }

    private func withStream<Result>(_ body: (UnsafeMutablePointer<uv_stream_t>) -> Result) -> Result
    {
        handle.withMemoryRebound(to: uv_stream_t.self, capacity: 1, body)
    }
}
