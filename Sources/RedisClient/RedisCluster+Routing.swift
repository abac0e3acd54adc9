import CoordinatorCore
import EventLoop

/// Finding a request its connection, and keeping it while there is none.
extension RedisCluster {
    /// Pauses between attempts of a parked request, where nothing says how long.
    private static let parkInterval: Duration = .milliseconds(50)
    /// The parked are looked at together at most this often.
    private static let parkResolution: UInt64 = 2_000_000

    /// Sends a request on its way, or parks it.
    func dispatch(_ request: RedisRequest) {
        let now = loopNow().nanoseconds
        guard request.deadline > now else { return fail(request, request.timeoutError) }
        guard !isClosed else { return fail(request, .closed) }
        guard let node = node(for: request) else {
            if case .slot(let slot) = request.target {
                request.lastFailure =
                    request.lastFailure ?? .clusterDown(message: "slot \(slot) has no master")
            }
            refreshSoon()
            return park(request, for: Self.parkInterval, untilTopology: true)
        }
        if let connection = connection(to: node, request.lane, now, force: request.failsFast) {
            connection.send(request)
        } else {
            rest(request, node, now)
        }
    }

    private func node(for request: RedisRequest) -> RedisNode? {
        if let redirect = request.redirect { return known(redirect.endpoint) }
        switch request.target {
        case .endpoint(let endpoint): return known(endpoint)
        case .slot(let slot):
            let index = ownerOfSlot[Int(slot.rawValue)]
            return index >= 0 ? owners[Int(index)] : nil
        }
    }

    func known(_ endpoint: RedisEndpoint) -> RedisNode {
        if let node = nodes[endpoint] { return node }
        let node = RedisNode(endpoint)
        nodes[endpoint] = node
        return node
    }

    private func connection(
        to node: RedisNode, _ lane: RedisLane, _ now: UInt64, force: Bool
    ) -> RedisConnection? {
        if let connection = node.connections[lane.rawValue], !connection.isRetiring {
            return connection
        }
        guard force || now >= node.restsUntil else { return nil }
        let connection = RedisConnection(
            to: node.endpoint, lane: lane, configuration: configuration, owner: self)
        node.connections[lane.rawValue] = connection
        return connection
    }

    /// The server could not be reached a moment ago.
    private func rest(_ request: RedisRequest, _ node: RedisNode, _ now: UInt64) {
        if let failure = node.lastFailure, failure.isFinal { return fail(request, failure) }
        request.lastFailure = node.lastFailure ?? request.lastFailure
        request.redirect = nil
        refreshSoon()
        let pause = Duration.nanoseconds(
            Int64(clamping: node.restsUntil &- min(now, node.restsUntil)))
        park(request, for: pause, untilTopology: true)
    }

    // MARK: Parking

    /// Keeps a request for a while.
    ///
    /// - Parameter untilTopology: a new topology ends the pause early.
    func park(_ request: RedisRequest, for pause: Duration, untilTopology: Bool) {
        let now = loopNow().nanoseconds
        request.notBefore = now &+ pause.clampedNanoseconds
        request.waitsForTopology = untilTopology
        parked.append(request)
        armPark(at: min(request.notBefore, request.deadline), now)
    }

    /// A new topology is there: what waited for it goes.
    func releaseParked() {
        for request in parked where request.waitsForTopology { request.notBefore = 0 }
        armPark(at: 0, loopNow().nanoseconds)
    }

    private func armPark(at instant: UInt64, _ now: UInt64) {
        guard !isClosed, instant < parkTimerAt else { return }
        let timer = parkTimer ?? LoopTimer { [weak self] in self?.wakeParked() }
        parkTimer = timer
        parkTimerAt = instant
        timer.start(after: .nanoseconds(Int64(clamping: instant &- min(instant, now))))
    }

    private func wakeParked() {
        parkTimerAt = .max
        let now = loopNow().nanoseconds
        var due: [RedisRequest] = []
        var next = UInt64.max
        parked.removeAll { request in
            if request.isDone { return true }
            let wakes = min(request.notBefore, request.deadline)
            if wakes <= now {
                due.append(request)
                return true
            }
            next = min(next, wakes)
            return false
        }
        if next != .max { armPark(at: max(next, now &+ Self.parkResolution), now) }
        for request in due { dispatch(request) }
    }
}
