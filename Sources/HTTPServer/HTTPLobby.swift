import CoordinatorCore
import Glibc

/// A connection whose peer has not been given to libmicrohttpd yet: it has said nothing, or what it
/// asks has to wait.
///
/// `@unchecked`: it is the door's until it is in the lobby, and whoever's took it from there after
/// that; who has it closes it. Its place is the lobby's, under the lobby's lock.
final class HTTPGuest: @unchecked Sendable {
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

    private static let probes: [StaticString] = [
        "GET /livez", "GET /readyz", "GET /leader", "HEAD /livez", "HEAD /readyz", "HEAD /leader",
    ]

    /// Whether a first line asks for a probe's path and no longer one.
    static func isProbe(_ bytes: UnsafeRawBufferPointer) -> Bool {
        probes.contains { line in
            let count = line.utf8CodeUnitCount
            guard let start = bytes.baseAddress, bytes.count > count,
                memcmp(start, line.utf8Start, count) == 0
            else { return false }
            return bytes[count] == UInt8(ascii: " ") || bytes[count] == UInt8(ascii: "?")
        }
    }

    /// Ends the connection.
    func close() { Glibc.close(descriptor) }
}

/// Connections that wait before libmicrohttpd sees them: those whose peers are silent, and those
/// whose requests come while the server rests. Here one costs a descriptor and some words, and
/// is ended by one call.
///
/// Whoever has to go is handed back, to be closed outside of the lock that the lobby is under.
struct HTTPLobby {
    private let limit: Int
    private let limitOfPeer: Int
    private var silent = Queue(.silent)
    private var probes = Queue(.probe)
    private var questions = Queue(.question)
    private var counts: [HTTPGuest.Peer: Int] = [:]
    private(set) var count = 0

    init(limit: Int, limitOfPeer: Int) {
        self.limit = limit
        self.limitOfPeer = limitOfPeer
    }

    /// Keeps a guest at a place in it.
    mutating func add(_ guest: HTTPGuest, _ place: HTTPGuest.Place) {
        guest.place = place
        switch place {
        case .outside: return
        case .silent: silent.append(guest)
        case .probe: probes.append(guest)
        case .question: questions.append(guest)
        }
        count += 1
        counts[guest.peer, default: 0] += 1
    }

    /// A guest leaves for whoever calls.
    mutating func take(_ guest: HTTPGuest) {
        guest.place = .outside
        count -= 1
        let left = (counts[guest.peer] ?? 1) - 1
        counts[guest.peer] = left == 0 ? nil : left
    }

    /// Whether a request waits for its turn.
    mutating func hasRequest(ofProbe isProbe: Bool) -> Bool {
        (isProbe ? probes.first : questions.first) != nil
    }

    /// The request that has waited longest leaves.
    mutating func takeRequest(ofProbe isProbe: Bool) -> HTTPGuest? {
        taken(isProbe ? probes.first : questions.first)
    }

    /// Whoever waits longest leaves when one more of a peer would be too many: of the same peer,
    /// when that has its part already. The silent go first, probes last.
    mutating func makeRoom(for peer: HTTPGuest.Peer) -> HTTPGuest? {
        guard (counts[peer] ?? 0) >= limitOfPeer else {
            return count >= limit ? takeLongest() : nil
        }
        func isOfPeer(_ guest: HTTPGuest) -> Bool { guest.peer == peer }
        return taken(
            silent.first(where: isOfPeer) ?? questions.first(where: isOfPeer)
                ?? probes.first(where: isOfPeer))
    }

    /// Whoever waits longest leaves; nil when nobody waits.
    mutating func takeLongest() -> HTTPGuest? {
        taken(silent.first ?? questions.first ?? probes.first)
    }

    /// All that came before an instant leave.
    mutating func take(before instant: MonotonicInstant) -> [HTTPGuest] {
        var guests: [HTTPGuest] = []
        while let first = silent.first, first.since < instant { taken(first, into: &guests) }
        while let first = questions.first, first.since < instant { taken(first, into: &guests) }
        while let first = probes.first, first.since < instant { taken(first, into: &guests) }
        return guests
    }

    private mutating func taken(_ guest: HTTPGuest?) -> HTTPGuest? {
        if let guest { take(guest) }
        return guest
    }

    private mutating func taken(_ guest: HTTPGuest, into guests: inout [HTTPGuest]) {
        take(guest)
        guests.append(guest)
    }
}

extension HTTPLobby {
    /// Guests in the order they came. Those that leave out of turn stay until they are first, or
    /// until they are more than those that wait.
    fileprivate struct Queue {
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
