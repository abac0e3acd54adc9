import CoordinatorCore
import EventLoop
import Glibc

/// Who is let in, and for how long.
extension HTTPServer {
    /// How often deadlines are looked at, while there are connections.
    private static let sweepInterval: Duration = .milliseconds(500)

    /// Opens a socket that listens.
    static func listen(
        _ address: HTTPAddress, backlog: Int32
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
        let bound = address.withSocketAddress { pointer, length, _ in
            bind(descriptor, pointer, length)
        }
        guard bound == 0, Glibc.listen(descriptor, backlog) == 0 else {
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

    /// Takes some of the connections that wait.
    func acceptAll() {
        let began = loopNow()
        defer { spend(loopNow() - began) }
        for _ in 0..<limits.acceptsPerTurn {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let descriptor = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    accept(listener, $0, &length)
                }
            }
            guard descriptor >= 0 else {
                // Out of descriptors: those that wait longest have to go, or it stays so.
                if errno == EMFILE || errno == ENFILE { evict(among: connections.values) }
                return
            }
            statistics.accepted += 1
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            var yes: Int32 = 1
            setsockopt(
                descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes,
                socklen_t(MemoryLayout<Int32>.size))
            let peer = HTTPAddress(storage)
            makeRoom(for: peer)
            add(HTTPConnection(descriptor, peer, self, now: began), storage, length)
        }
    }

    /// One more takes the place of the one that has waited longest: of the same address, when that
    /// has its part already.
    private func makeRoom(for peer: HTTPAddress) {
        let own = connections.values.filter { $0.peer.host == peer.host && !$0.isDoomed }
        if own.count >= limits.connectionsPerAddress {
            evict(among: own)
        } else if connections.count >= limits.connections {
            evict(among: connections.values.filter { !$0.isDoomed })
        }
    }

    private func evict(among candidates: some Collection<HTTPConnection>) {
        // Whoever has asked nothing goes before whoever waits for an answer, streams last.
        let first = candidates.min { ($0.rank, $0.since) < ($1.rank, $1.since) }
        guard let first else { return }
        statistics.evicted += 1
        first.doom()
    }

    /// Ends what has taken too long.
    func sweep() {
        let now = loopNow()
        for connection in Array(connections.values)
        where now >= connection.deadline && !connection.isDoomed {
            statistics.timedOut += 1
            connection.doom()
        }
        if connections.isEmpty { sweeper?.stop() }
    }

    /// Sweeps as long as there is something to sweep.
    func sweepSoon() {
        if connections.count == 1 {
            sweeper?.start(after: Self.sweepInterval, repeating: Self.sweepInterval)
        }
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
