import EventLoop

/// Deadlines, and the search for half-open connections.
extension RedisConnection {
    /// Deadlines are looked at together at most this often: a scan passes over everything owed.
    private static let scanInterval: UInt64 = 2_000_000

    /// Fails what is overdue and gives the connection up when its server is silent for too long.
    func checkTime(_ now: UInt64) {
        guard state == .ready else {
            if now >= connectDeadline {
                let what =
                    state == .authenticating
                    ? "no answer to AUTH"
                    : configuration.tls == nil
                        ? "no connection" : "no TLS connection (does this port speak TLS?)"
                close(
                    .unreachable(
                        endpoint: endpoint.description,
                        reason: "\(what) within \(configuration.connectTimeout)"))
            } else if now >= earliestDeadline {
                failOverdue(now)
            }
            return
        }
        if now >= earliestDeadline { failOverdue(now) }
        guard state == .ready else { return }
        checkSilence(now)
    }

    /// When to look again.
    func nextWake(_ now: UInt64) -> UInt64 {
        let deadline = max(earliestDeadline, now &+ Self.scanInterval)
        guard state == .ready else { return min(deadline, connectDeadline) }
        return max(now &+ Self.scanInterval, min(deadline, silenceEnds))
    }

    /// The instant at which silence so far means something.
    private var silenceEnds: UInt64 {
        let limits = configuration.limits
        if let pingSentAt {
            return pingSentAt &+ limits.pingTimeout.clampedNanoseconds &+ allowedBlock
        }
        let interval = owed.isEmpty ? limits.idlePingInterval : limits.owedPingInterval
        return lastHeard &+ interval.clampedNanoseconds
    }

    /// A slow command at the head holds up everything behind it, the PING too. A caller who gave it
    /// more than the usual time expects as much.
    private var allowedBlock: UInt64 {
        guard case .reply(let request, let index) = owed.first else { return 0 }
        let usual = configuration.commandTimeout.clampedNanoseconds
        let given = request.timeout.clampedNanoseconds
        let extra = given > usual ? given - usual : 0
        return max(extra, request.command(index).blocksServer.clampedNanoseconds)
    }

    private func checkSilence(_ now: UInt64) {
        guard now >= silenceEnds else { return }
        let backlog = backlog
        if backlog != lastBacklog {
            // It still reads what it is sent, however slowly.
            lastBacklog = backlog
            lastHeard = now
            pingSentAt = nil
        } else if let pingSentAt {
            let silence = Duration.nanoseconds(Int64(clamping: now &- pingSentAt))
            close(
                .unreachable(
                    endpoint: endpoint.description, reason: "no answer to PING within \(silence)"))
        } else {
            ping(now: now)
        }
    }

    private func failOverdue(_ now: UInt64) {
        var next = UInt64.max
        var unsent: [RedisRequest] = []
        var sent: [RedisRequest] = []
        waiting.visit { request in
            if request.isDone { return }
            if request.deadline <= now {
                unsent.append(request)
            } else {
                next = min(next, request.deadline)
            }
        }
        owed.visit { entry in
            guard case .reply(let request, _) = entry, !request.isDone else { return }
            if request.deadline > now {
                next = min(next, request.deadline)
            } else if sent.last !== request {
                sent.append(request)
            }
        }
        earliestDeadline = next
        if !unsent.isEmpty { waiting.removeAll { $0.deadline <= now } }
        // Told last: their handlers may send again. The replies of the sent ones, should they come,
        // are dropped.
        for request in unsent { owner?.connection(self, expired: request, wasSent: false) }
        for request in sent where !request.isDone {
            owner?.connection(self, expired: request, wasSent: true)
        }
    }
}
