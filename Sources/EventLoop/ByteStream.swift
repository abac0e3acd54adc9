/// What a byte stream tells the one who owns it.
///
/// - Thread: loop only.
@LoopActor
public protocol ByteStreamOwner: AnyObject {
    /// The connection stands; reading has begun.
    func streamConnected()
    /// Bytes arrived. They are borrowed: gone when the call returns.
    func streamRead(_ bytes: UnsafeRawBufferPointer)
    /// Everything given to ``ByteStream/write(_:)`` has gone to the kernel.
    func streamDrained()
    /// The stream failed or the peer closed it. Called once; the owner still has to close.
    func streamEnded(_ failure: LoopError)
}

/// A connection that carries bytes both ways.
///
/// The seam under which a TLS stream can be put: it owns a ``TCPStream``, is that one's owner, and
/// shows this same face to the protocol above.
///
/// - Thread: loop only.
@LoopActor
public protocol ByteStream: AnyObject {
    /// Bytes given to ``write(_:)`` that the kernel has not taken yet.
    var queuedBytes: Int { get }
    /// Begins to connect; the owner hears `streamConnected` or `streamEnded`.
    func connect(to address: SocketAddress) throws(LoopError)
    /// Sends what can be sent at once; the rest is copied and follows as the peer reads.
    ///
    /// - Errors: the connection is broken; the bytes may have been sent in part.
    func write(_ bytes: UnsafeRawBufferPointer) throws(LoopError)
    /// Closes at once; a second call does nothing. No call to the owner follows.
    func close()
}
