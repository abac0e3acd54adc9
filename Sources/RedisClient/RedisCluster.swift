public import CoordinatorCore
public import EventLoop

/// What happened to the client, for a log: one event for each transition.
public enum RedisClientEvent: Sendable, Equatable, CustomStringConvertible {
    /// A connection stands.
    case connected(RedisEndpoint, RedisLane)
    /// A connection failed or was lost.
    case disconnected(RedisEndpoint, RedisLane, reason: RedisError)
    /// The masters or their slots are others than before.
    case topologyChanged(masters: Int, coveredSlots: Int)
    /// No server told the topology.
    case topologyUnknown(reason: RedisError)

    /// One lower-case line without secrets.
    public var description: String {
        switch self {
        case .connected(let endpoint, let lane): "connected to \(endpoint) (\(lane))"
        case .disconnected(let endpoint, let lane, let reason):
            "lost \(endpoint) (\(lane)): \(reason)"
        case .topologyChanged(let masters, let slots): "\(masters) masters serve \(slots) slots"
        case .topologyUnknown(let reason): "no topology: \(reason)"
        }
    }
}

/// A client of one Redis Cluster.
///
/// It finds the master of a slot, follows redirections, and tries again what certainly has not run,
/// until the deadline. What may have run is tried again only when the command says it is
/// repeatable.
///
/// - Not guaranteed: an order between requests, but for the commands of one pipeline; that an
///   acknowledged write survives a failover (see
///   ``runDurably(_:keys:arguments:slot:waitReplicas:waitTimeout:timeout:)``).
/// - Not guaranteed: that a cancelled task takes its command back; a command ends with its reply or
///   deadline.
/// - Thread: loop only. ``close()`` must be called before the last reference goes.
@LoopActor
public final class RedisCluster {
    /// Requests and bytes of one lane under way, wherever in the client they are.
    struct Load {
        var commands = 0
        var bytes = 0
    }

    /// How to reach the cluster.
    public private(set) var configuration: RedisConfiguration
    /// Called for each transition; must not call back into the client.
    public var onEvent: (@LoopActor (RedisClientEvent) -> Void)?
    /// Figures since the start.
    public internal(set) var statistics = RedisStatistics()
    /// The masters as last seen, in the order of their slots.
    public internal(set) var masters: [RedisMaster] = []

    /// Index into `owners` for each slot; -1 where nobody is known.
    var ownerOfSlot = [Int16](repeating: -1, count: HashSlot.count)
    var owners: [RedisNode] = []
    var nodes: [RedisEndpoint: RedisNode] = [:]
    var loads = [Load](repeating: Load(), count: RedisLane.allCases.count)

    /// Requests that wait for an instant or for a topology.
    var parked: [RedisRequest] = []
    var parkTimer: LoopTimer?
    var parkTimerAt = UInt64.max

    var refresh = RefreshState()
    var random: SplitMix64
    private(set) var isClosed = false

    /// Makes a client that knows nobody yet; ``start()`` makes it look for the cluster.
    public init(_ configuration: RedisConfiguration) {
        self.configuration = configuration
        // Jitter needs no more than to differ between processes.
        random = SplitMix64(seed: UInt64.random(in: .min ... .max))
    }

    /// Looks for the cluster: returns when the topology is known.
    ///
    /// - Errors: why no seed told it, within the configuration's command timeout.
    public func start() async throws(RedisError) {
        try await refreshTopology()
    }

    /// Takes another user, password or certificate: new connections use them, the present ones end
    /// when nothing is owed on them any more. The bounds stay as they are.
    public func reconnect(with changed: RedisConfiguration) {
        let limits = configuration.limits
        configuration = changed
        configuration.limits = limits
        for node in nodes.values {
            node.succeeded()
            for connection in node.connections { if let connection { retire(connection) } }
        }
    }

    /// Ends a connection as soon as nothing is owed on it; what it has not sent goes elsewhere.
    func retire(_ connection: RedisConnection) {
        connection.isRetiring = true
        for request in connection.takeUnsent() { dispatch(request) }
        if connection.owed.isEmpty { connection.close(.closed) }
    }

    /// Closes all connections. What was sent and not answered ends as an unknown outcome, the rest
    /// as closed.
    public func close() async {
        guard !isClosed else { return }
        isClosed = true
        parkTimer?.close()
        parkTimer = nil
        refresh.task?.cancel()
        for request in parked { fail(request, .closed) }
        parked = []
        for node in nodes.values {
            for connection in node.connections { connection?.close(.closed) }
        }
        nodes = [:]
        owners = []
        let waiters = refresh.waiters
        refresh.waiters = []
        for waiter in waiters { waiter.resume(returning: .failure(.closed)) }
    }

    /// The master of a slot, as last seen.
    public func master(of slot: HashSlot) -> RedisMaster? {
        let index = ownerOfSlot[Int(slot.rawValue)]
        guard index >= 0, let endpoint = owners[Int(index)].endpoint as RedisEndpoint? else {
            return nil
        }
        return masters.first { $0.endpoint == endpoint }
    }

    /// Hash slots that have a master, as last seen, of 16384.
    public var coveredSlots: Int { ownerOfSlot.count { $0 >= 0 } }

    /// Where requests for a slot go at this moment: what the topology said, or a redirection since.
    public func owner(of slot: HashSlot) -> RedisEndpoint? {
        let index = ownerOfSlot[Int(slot.rawValue)]
        return index < 0 ? nil : owners[Int(index)].endpoint
    }

    /// Sends a formatted command: the hot path, without a suspension.
    ///
    /// - Parameter handler: called once, never before this returns' turn of the loop is over,
    ///   except for a refusal (`overloaded`, `closed`), which comes at once.
    /// - Errors: through the handler; an error reply too.
    public func send(
        _ command: RedisCommand, slot: HashSlot, lane: RedisLane = .bulk, timeout: Duration? = nil,
        handler: @escaping RedisReplyHandler
    ) {
        submit(
            RedisRequest(
                first: command, target: .slot(slot), lane: lane,
                timeout: timeout ?? configuration.commandTimeout, now: loopNow().nanoseconds,
                consumer: .single(handler)))
    }

    /// The same to one named server, whatever slots it serves; a redirection is an error there.
    public func send(
        _ command: RedisCommand, on endpoint: RedisEndpoint, lane: RedisLane = .control,
        timeout: Duration? = nil, handler: @escaping RedisReplyHandler
    ) {
        submit(
            RedisRequest(
                first: command, target: .endpoint(endpoint), lane: lane,
                timeout: timeout ?? configuration.commandTimeout, now: loopNow().nanoseconds,
                consumer: .single(handler)))
    }

    /// Requests of a lane under way; a sender that can wait does so before the lane is full.
    public func outstanding(_ lane: RedisLane) -> (commands: Int, bytes: Int) {
        (loads[lane.rawValue].commands, loads[lane.rawValue].bytes)
    }

    // MARK: Accounts

    /// Takes a request in, or refuses it when the client is closed or its lane full.
    func submit(_ request: RedisRequest) {
        statistics.requests &+= 1
        let limits = configuration.limits
        let lane = request.lane.rawValue
        if isClosed { return refuse(request, .closed) }
        let load = loads[lane]
        // A command larger than the bound still goes when it is alone.
        guard load.commands + request.commandCount <= limits.commandsPerLane,
            load.bytes == 0 || load.bytes + request.byteCount <= limits.bytesPerLane
        else { return refuse(request, .overloaded(lane: "\(request.lane)")) }
        loads[lane].commands += request.commandCount
        loads[lane].bytes += request.byteCount
        dispatch(request)
    }

    /// Ends a request with an error.
    func fail(_ request: RedisRequest, _ error: RedisError) {
        guard let consumer = settle(request) else { return }
        if case .outcomeUnknown = error { statistics.unknownOutcomes &+= 1 }
        statistics.note(request, error, now: loopNow().nanoseconds)
        tell(consumer, error)
    }

    /// Takes a request off the accounts; its consumer is then told, once.
    func settle(_ request: RedisRequest) -> RedisRequest.Consumer? {
        guard let consumer = request.takeConsumer() else { return nil }
        loads[request.lane.rawValue].commands -= request.commandCount
        loads[request.lane.rawValue].bytes -= request.byteCount
        return consumer
    }

    private func refuse(_ request: RedisRequest, _ error: RedisError) {
        guard let consumer = request.takeConsumer() else { return }
        statistics.note(request, error, now: loopNow().nanoseconds)
        tell(consumer, error)
    }

    private func tell(_ consumer: RedisRequest.Consumer, _ error: RedisError) {
        switch consumer {
        case .single(let handler): handler(.failure(error))
        case .batch(let handler): handler(.failure(error))
        }
    }
}
