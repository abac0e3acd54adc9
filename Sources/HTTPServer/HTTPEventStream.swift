public import EventLoop
import Glibc

/// Server-sent events to one peer.
///
/// A peer that does not read is dropped once it leaves more unread than the server keeps for it.
///
/// - Source: WHATWG HTML, "Server-sent events".
/// - Thread: loop only.
@LoopActor public final class HTTPEventStream {
    private var queue: [UInt8] = []
    private var taken = 0
    private var isEnded = false
    weak var connection: HTTPConnection?
    var limit = Int.max

    /// A stream that nobody reads yet.
    public init() {}

    /// The peer is there and takes events.
    public var isOpen: Bool { !isEnded && connection != nil }

    /// Sends one event, its data on one line.
    public func send(event: String, data: [UInt8]) {
        append("event: \(event)\ndata: ".utf8, data, "\n\n".utf8)
    }

    /// Sends a comment, so that both sides notice when the other has gone.
    public func beat() { append(": \n\n".utf8, [], "".utf8) }

    /// Ends the stream once everything was read.
    public func end() {
        isEnded = true
        connection?.streamHasBytes()
    }

    private func append(
        _ head: some Sequence<UInt8>, _ data: [UInt8], _ tail: some Sequence<UInt8>
    ) {
        guard isOpen else { return }
        guard queue.count - taken + data.count <= limit else {
            isEnded = true
            connection?.dropSlowStream()
            return
        }
        queue.append(contentsOf: head)
        queue.append(contentsOf: data)
        queue.append(contentsOf: tail)
        connection?.streamHasBytes()
    }

    /// What the server takes for the peer: bytes, nothing yet, or nothing ever more.
    enum Portion {
        case bytes(Int)
        case later, never
    }

    func take(into target: UnsafeMutableRawBufferPointer) -> Portion {
        let count = min(target.count, queue.count - taken)
        guard count > 0 else { return isEnded ? .never : .later }
        queue.withUnsafeBytes { bytes in
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[taken..<taken + count]))
        }
        taken += count
        if taken == queue.count {
            queue.removeAll(keepingCapacity: true)
            taken = 0
        }
        return .bytes(count)
    }
}
