import CoordinatorCore
import EventLoop
import Glibc

/// A connection whose peer has not been given to libmicrohttpd yet: it has said nothing, or what it
/// asks has to wait.
///
/// - Invariant: owned by its lobby, or by whoever took it from there; who has it closes it.
/// - Thread: loop only.
@LoopActor final class HTTPGuest {
    /// An address without its port, as it compares cheapest.
    struct Peer: Hashable {
        private let high: UInt64
        private let low: UInt64

        init(_ storage: sockaddr_storage) {
            (high, low) = withUnsafeBytes(of: storage) { bytes in
                guard Int32(storage.ss_family) == AF_INET6 else {
                    return (0, UInt64(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
                }
                return (
                    bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
                )
            }
        }
    }

    let descriptor: Int32
    let storage: sockaddr_storage
    let length: socklen_t
    let peer: Peer
    let since: MonotonicInstant
    fileprivate var poll: SocketPoll?
    fileprivate var place = Place.outside

    /// Where in the lobby it is.
    enum Place {
        case outside, silent
        /// Its first line is that of a probe.
        case probe
        /// It asks for something else.
        case question
    }

    init(
        _ descriptor: Int32, _ storage: sockaddr_storage, _ length: socklen_t,
        since: MonotonicInstant
    ) {
        self.descriptor = descriptor
        self.storage = storage
        self.length = length
        self.since = since
        peer = Peer(storage)
    }

    /// Looks at the first bytes and leaves them where they are.
    ///
    /// Not a parser: what is taken for a probe is still read, checked and answered by the server
    /// like everything else. This only decides what it has to wait for. A probe whose first line
    /// comes in pieces waits like any other request.
    ///
    /// - Returns: where it belongs; `.outside` when the peer has gone.
    func look() -> Place {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
            let count = recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_PEEK))
            guard count > 0 else {
                let isEarly = count < 0 && (errno == EAGAIN || errno == EINTR)
                return isEarly ? .silent : .outside
            }
            let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
            return Self.isProbe(bytes) ? .probe : .question
        }
    }

    private nonisolated static let probes: [StaticString] = [
        "GET /livez", "GET /readyz", "GET /leader", "HEAD /livez", "HEAD /readyz", "HEAD /leader",
    ]

    /// Whether a first line asks for a probe's path and no longer one.
    nonisolated static func isProbe(_ bytes: UnsafeRawBufferPointer) -> Bool {
        probes.contains { line in
            let count = line.utf8CodeUnitCount
            guard let start = bytes.baseAddress, bytes.count > count,
                memcmp(start, line.utf8Start, count) == 0
            else { return false }
            return bytes[count] == UInt8(ascii: " ") || bytes[count] == UInt8(ascii: "?")
        }
    }

    /// Ends the connection.
    func close() {
        poll?.close()
        poll = nil
        Glibc.close(descriptor)
    }
}

/// Connections that wait before libmicrohttpd sees them: those whose peers are silent, and those
/// whose requests come while the server rests. Here one costs a descriptor and some words, and
/// is ended by one call.
///
/// - Thread: loop only.
@LoopActor final class HTTPLobby {
    private let limit: Int
    private let limitOfPeer: Int
    /// Told of a guest that may have said something.
    private let onWords: @LoopActor (HTTPGuest) -> Void
    private var silent = Queue(.silent)
    private var probes = Queue(.probe)
    private var questions = Queue(.question)
    private var counts: [HTTPGuest.Peer: Int] = [:]
    private(set) var count = 0

    init(
        limit: Int, limitOfPeer: Int, _ onWords: @escaping @LoopActor (HTTPGuest) -> Void
    ) {
        self.limit = limit
        self.limitOfPeer = limitOfPeer
        self.onWords = onWords
    }

    /// Keeps a guest that has said nothing; false when the system refuses to watch it.
    func wait(_ guest: HTTPGuest) -> Bool {
        do throws(LoopError) {
            let poll = try SocketPoll(guest.descriptor) { [weak self, weak guest] _ in
                guard let self, let guest, guest.place == .silent else { return }
                self.onWords(guest)
            }
            guest.poll = poll
            poll.watch(.readable)
        } catch {
            return false
        }
        silent.append(guest)
        note(guest, .silent)
        return true
    }

    /// Keeps a guest whose request waits for its turn.
    func hold(_ guest: HTTPGuest, asProbe: Bool) {
        if asProbe {
            probes.append(guest)
        } else {
            questions.append(guest)
        }
        note(guest, asProbe ? .probe : .question)
    }

    /// A guest leaves the lobby for whoever calls.
    func take(_ guest: HTTPGuest) {
        guest.poll?.close()
        guest.poll = nil
        guest.place = .outside
        count -= 1
        let left = (counts[guest.peer] ?? 1) - 1
        counts[guest.peer] = left == 0 ? nil : left
    }

    /// Whether a request waits for its turn.
    func hasRequest(ofProbe isProbe: Bool) -> Bool {
        (isProbe ? probes.first : questions.first) != nil
    }

    /// The request that has waited longest leaves the lobby.
    func takeRequest(ofProbe isProbe: Bool) -> HTTPGuest? {
        guard let first = isProbe ? probes.first : questions.first else { return nil }
        take(first)
        return first
    }

    /// Ends whoever waits longest when one more of a peer would be too many: of the same peer, when
    /// that has its part already. The silent go first, probes last.
    ///
    /// - Returns: whether one was ended.
    func makeRoom(for peer: HTTPGuest.Peer) -> Bool {
        guard (counts[peer] ?? 0) >= limitOfPeer else { return count >= limit && endLongest() }
        func isOfPeer(_ guest: HTTPGuest) -> Bool { guest.peer == peer }
        return end(
            silent.first(where: isOfPeer) ?? questions.first(where: isOfPeer)
                ?? probes.first(where: isOfPeer))
    }

    /// Ends whoever waits longest; false when nobody waits.
    func endLongest() -> Bool { end(silent.first ?? questions.first ?? probes.first) }

    /// Ends all that came before an instant; returns how many.
    func end(before instant: MonotonicInstant) -> Int {
        var ended = 0
        while let first = silent.first, first.since < instant, end(first) { ended += 1 }
        while let first = questions.first, first.since < instant, end(first) { ended += 1 }
        while let first = probes.first, first.since < instant, end(first) { ended += 1 }
        return ended
    }

    /// Ends all.
    func close() { while endLongest() {} }

    private func end(_ guest: HTTPGuest?) -> Bool {
        guard let guest else { return false }
        take(guest)
        guest.close()
        return true
    }

    private func note(_ guest: HTTPGuest, _ place: HTTPGuest.Place) {
        guest.place = place
        count += 1
        counts[guest.peer, default: 0] += 1
    }
}

extension HTTPLobby {
    /// Guests in the order they came. Those that leave out of turn stay until they are first, or
    /// until they are more than those that wait.
    @LoopActor fileprivate struct Queue {
        private let place: HTTPGuest.Place
        private var guests: [HTTPGuest] = []
        private var head = 0

        init(_ place: HTTPGuest.Place) { self.place = place }

        /// The first that is still there.
        var first: HTTPGuest? {
            mutating get {
                while head < guests.count, guests[head].place != place { head += 1 }
                return head < guests.count ? guests[head] : nil
            }
        }

        /// The first that is still there and fits.
        mutating func first(where fits: (HTTPGuest) -> Bool) -> HTTPGuest? {
            guard first != nil else { return nil }
            return guests[head...].first { $0.place == place && fits($0) }
        }

        mutating func append(_ guest: HTTPGuest) {
            if guests.count == guests.capacity {
                guests = guests[head...].filter { $0.place == place }
                head = 0
            }
            guests.append(guest)
        }
    }
}
