import CoordinatorCore
import EventLoop

/// Keeping the map of slots: one question for many wishes.
extension RedisCluster {
    typealias RefreshResult = Result<Void, RedisError>

    /// The state of the search for the topology.
    struct RefreshState {
        /// The search under way.
        var task: Task<Void, Never>?
        /// Those who wait for its end.
        var waiters: [CheckedContinuation<RefreshResult, Never>] = []
        /// Servers that were named by a redirection: they know best.
        var hint: RedisEndpoint?
        /// End of the last search, monotonic nanoseconds.
        var lastEnd: UInt64?
        /// A search waits for its time.
        var isScheduled = false
    }

    /// Searches that nobody awaits keep this distance: a storm of redirections asks once.
    private static let refreshInterval: UInt64 = 100_000_000
    /// Rounds through all servers pause between, longer each time.
    private static let firstRoundPause: Duration = .milliseconds(50)
    private static let longestRoundPause: Duration = .seconds(2)

    /// Asks for the topology, or joins the question under way.
    ///
    /// - Errors: why no server told it, within the command timeout.
    public func refreshTopology() async throws(RedisError) {
        guard !isClosed else { throw .closed }
        let result = await withCheckedContinuation { continuation in
            refresh.waiters.append(continuation)
            startRefresh()
        }
        try result.get()
    }

    /// Wishes for a fresh topology, without waiting for it.
    func refreshSoon(asking hint: RedisEndpoint? = nil) {
        if let hint { refresh.hint = hint }
        guard refresh.task == nil, !refresh.isScheduled, !isClosed else { return }
        let now = loopNow().nanoseconds
        guard let last = refresh.lastEnd, now < last &+ Self.refreshInterval else {
            return startRefresh()
        }
        refresh.isScheduled = true
        let pause = Duration.nanoseconds(Int64(clamping: last &+ Self.refreshInterval &- now))
        spawn { [weak self] in
            do { try await loopSleep(pause) } catch { return }
            self?.startScheduled()
        }
    }

    private func startScheduled() {
        refresh.isScheduled = false
        if !isClosed { startRefresh() }
    }

    private func startRefresh() {
        guard refresh.task == nil else { return }
        refresh.task = spawn { [weak self] in
            guard let self else { return }
            let result = await search()
            endRefresh(result)
        }
    }

    private func endRefresh(_ result: RefreshResult) {
        refresh.task = nil
        refresh.lastEnd = loopNow().nanoseconds
        if case .failure(let error) = result, !isClosed {
            onEvent?(.topologyUnknown(reason: error))
        }
        let waiters = refresh.waiters
        refresh.waiters = []
        for waiter in waiters { waiter.resume(returning: result) }
    }

    /// Asks one server after the other, round after round, until one answers or the time is up.
    private func search() async -> RefreshResult {
        statistics.topologyRefreshes &+= 1
        let deadline = loopNow() + configuration.commandTimeout
        var round = 0
        while true {
            var failure = RedisError.configuration("no redis server given")
            for endpoint in candidates() {
                do throws(RedisError) {
                    try await learnTopology(from: endpoint)
                    return .success(())
                } catch {
                    // A wrong password is worth more to the operator than another server's silence.
                    if !failure.isFinal { failure = error }
                }
                if isClosed { return .failure(.closed) }
            }
            if failure.isFinal { return .failure(failure) }
            // Waiting does not turn a single server into a cluster.
            if case .configuration = failure { return .failure(failure) }
            if loopNow() >= deadline { return .failure(failure) }
            let pause = backoff(round, Self.firstRoundPause, Self.longestRoundPause, using: &random)
            round += 1
            do { try await loopSleep(.nanoseconds(Int64(pause))) } catch {
                return .failure(.closed)
            }
        }
    }

    /// The one a redirection named, the masters in random order, then the seeds, whose names are
    /// looked up anew.
    private func candidates() -> [RedisEndpoint] {
        var order = refresh.hint.map { [$0] } ?? []
        refresh.hint = nil
        let now = loopNow().nanoseconds
        let known = owners.filter { $0.restsUntil <= now }.map(\.endpoint)
        order += known.shuffled(using: &random)
        order += configuration.seeds.shuffled(using: &random)
        var seen: Set<RedisEndpoint> = []
        return order.filter { seen.insert($0).inserted }
    }

    /// Asks `CLUSTER SHARDS`, and `CLUSTER SLOTS` where that says too little: older servers do not
    /// know it, and Redis 7.4 shows a shard without its slots for as long as its failed former
    /// master is listed (seen after a failover, on every node).
    private func learnTopology(from endpoint: RedisEndpoint) async throws(RedisError) {
        var best: RedisTopology?
        switch await ask("SHARDS", endpoint) {
        case .success(let reply):
            best = RedisTopology(
                shards: reply, from: endpoint, usesTLS: configuration.tls != nil)
        case .failure(.server("ERR", let message, _)) where message.contains(Self.noCluster):
            // Waiting does not turn a single server into a cluster: `search` ends at once.
            throw .configuration(
                "redis at \(endpoint) runs without cluster mode: start it with `cluster-enabled "
                    + "yes` and give it all slots (`redis-cli --cluster create`); "
                    + "`Deploy/cluster start` "
                    + "makes a local cluster")
        case .failure(.server("ERR", _, _)): break
        case .failure(let error): throw error
        }
        if best?.isComplete != true {
            switch await ask("SLOTS", endpoint) {
            case .success(let reply):
                let other = RedisTopology(slots: reply, from: endpoint)
                if (other?.coveredSlots ?? 0) > (best?.coveredSlots ?? 0) { best = other }
            case .failure(let error): if best == nil { throw error }
            }
        }
        guard let best else {
            throw .clusterDown(message: "\(endpoint) knows no master with slots")
        }
        apply(best)
    }

    /// What a server that is no cluster node says.
    private static let noCluster = "cluster support disabled"

    private func ask(_ what: RedisArgument, _ endpoint: RedisEndpoint) async -> Result<
        RedisValue, RedisError
    > {
        await withCheckedContinuation { continuation in
            submit(
                RedisRequest(
                    first: RedisCommand(["CLUSTER", what], isRepeatable: true),
                    target: .endpoint(endpoint), lane: .control,
                    timeout: configuration.connectTimeout, now: loopNow().nanoseconds,
                    failsFast: true,
                    consumer: .single { continuation.resume(returning: $0.map { $0.decoded() }) }))
        }
    }

    // MARK: Applying

    /// A redirection told where one slot lives.
    func learn(_ slot: HashSlot, _ endpoint: RedisEndpoint) {
        let node = known(endpoint)
        let index = owners.firstIndex { $0 === node } ?? owners.endIndex
        if index == owners.endIndex {
            // More owners than the map can name: wait for the topology.
            guard index < Int(Int16.max) else { return }
            owners.append(node)
        }
        ownerOfSlot[Int(slot.rawValue)] = Int16(index)
    }

    private func apply(_ topology: RedisTopology) {
        owners = topology.masters.map { known($0.endpoint) }
        for slot in ownerOfSlot.indices { ownerOfSlot[slot] = -1 }
        for (index, master) in topology.masters.enumerated() {
            for range in master.slots {
                for slot in range { ownerOfSlot[slot] = Int16(index) }
            }
        }
        if topology.masters != masters {
            masters = topology.masters
            onEvent?(.topologyChanged(masters: masters.count, coveredSlots: topology.coveredSlots))
        }
        retireStrangers()
        releaseParked()
    }

    /// Connections to servers that are no masters (any more), seeds among them, end when nothing is
    /// owed.
    private func retireStrangers() {
        let current = Set(owners.map(\.endpoint))
        for (endpoint, node) in nodes where !current.contains(endpoint) {
            for connection in node.connections { if let connection { retire(connection) } }
            if node.connections.allSatisfy({ $0 == nil }), node.restsUntil <= loopNow().nanoseconds
            {
                nodes[endpoint] = nil
            }
        }
    }
}
