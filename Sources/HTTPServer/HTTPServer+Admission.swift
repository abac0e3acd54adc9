internal import CLinux
import CoordinatorCore
import EventLoop
import Glibc

/// Who is let in, and for how long.
extension HTTPServer {
    /// How often deadlines are looked at, while there are connections.
    private static let sweepInterval: Duration = .milliseconds(500)

    /// Opens a socket that listens.
    static func listen(
        _ address: HTTPAddress, _ limits: HTTPLimits
    ) throws(HTTPServerError) -> (descriptor: Int32, address: HTTPAddress) {
        func refused(_ function: String) -> HTTPServerError {
            errno == EADDRINUSE
                ? .inUse("\(address)")
                : .refused(
                    address: "\(address)", function: function,
                    reason: String(cString: strerror(errno)))
        }
        let family = address.withSocketAddress { _, _, family in family }
        let kind = Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw refused("socket") }
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size)
        // Every connection has it from here. Left to itself the kernel would take in some megabytes
        // from each peer that is not read yet.
        var bytes = limits.unreadBytes
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, size)
        let bound = address.withSocketAddress { pointer, length, _ in
            bind(descriptor, pointer, length)
        }
        guard bound == 0, Glibc.listen(descriptor, limits.backlog) == 0 else {
            let error = refused(bound == 0 ? "listen" : "bind")
            Glibc.close(descriptor)
            throw error
        }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &length)
            }
        }
        return (descriptor, HTTPAddress(storage))
    }

    /// Descriptors have run out, and nobody at the door could give one back.
    func giveWay() { evict(among: connections.values) }

    /// Whether requests wait for an engine.
    func hasMore(for engine: HTTPEngine) -> Bool {
        door?.hasRequest(ofProbe: engine === probes) ?? false
    }

    /// Gives some of the requests that wait to the engine that is to answer them.
    func admit(to engine: HTTPEngine) {
        let isProbe = engine === probes
        for _ in 0..<limits.admissionsPerTurn {
            guard let guest = door?.takeRequest(ofProbe: isProbe) else { return }
            var yes: Int32 = 1
            setsockopt(
                guest.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes,
                socklen_t(MemoryLayout<Int32>.size))
            let connection = HTTPConnection(
                guest.descriptor, HTTPAddress(guest.storage), self, engine, isProbe: isProbe,
                since: guest.since)
            makeRoom(for: connection)
            if connections.isEmpty {
                sweeper?.start(after: Self.sweepInterval, repeating: Self.sweepInterval)
            }
            connections[guest.descriptor] = connection
            if !engine.add(guest.descriptor, guest.storage, guest.length) {
                connections[guest.descriptor] = nil
            }
        }
    }

    /// One more takes the place of the one that has waited longest: of the same address, when that
    /// has its part already.
    private func makeRoom(for new: HTTPConnection) {
        let all = connections.values.filter { $0.isProbe == new.isProbe && !$0.isDoomed }
        let own = all.filter { $0.peer.host == new.peer.host }
        let limit = new.isProbe ? limits.probes : limits.connections
        if !new.isProbe, own.count >= limits.connectionsPerAddress {
            evict(among: own)
        } else if all.count >= limit {
            evict(among: all)
        }
    }

    private func evict(among candidates: some Collection<HTTPConnection>) {
        // Whoever has asked nothing goes before whoever waits for an answer, streams last.
        let first = candidates.min { ($0.rank, $0.since) < ($1.rank, $1.since) }
        guard let first else { return }
        counted.evicted += 1
        first.doom()
    }

    /// Ends what has taken too long.
    func sweep() {
        let now = loopNow()
        for connection in Array(connections.values)
        where now >= connection.deadline && !connection.isDoomed {
            counted.timedOut += 1
            connection.doom()
        }
        if connections.isEmpty { sweeper?.stop() }
    }
}

extension HTTPConnection {
    /// Lower ones make room first.
    fileprivate var rank: Int {
        switch phase {
        case .idle, .headers: 0
        case .body, .taking: 1
        case .answer: 2
        case .stream: 3
        }
    }
}
