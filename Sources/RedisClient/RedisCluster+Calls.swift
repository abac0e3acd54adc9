public import CoordinatorCore
import EventLoop

/// The control plane's calls: they suspend, and decode the reply.
extension RedisCluster {
    /// One command on the master of `slot`.
    ///
    /// - Parameter isRepeatable: see ``RedisCommand/isRepeatable``.
    /// - Errors: see ``RedisError``; an error reply is thrown.
    public func call(
        _ arguments: [RedisArgument], slot: HashSlot, lane: RedisLane = .control,
        isRepeatable: Bool = false, timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        let command = RedisCommand(arguments, isRepeatable: isRepeatable)
        return try await single(command, .slot(slot), lane, timeout)
    }

    /// The same, with the arguments one by one.
    public func call(
        _ arguments: RedisArgument..., slot: HashSlot, lane: RedisLane = .control,
        isRepeatable: Bool = false, timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        let command = RedisCommand(arguments, isRepeatable: isRepeatable)
        return try await single(command, .slot(slot), lane, timeout)
    }

    /// One command on one named server; redirections are errors there.
    public func call(
        _ arguments: [RedisArgument], on endpoint: RedisEndpoint, lane: RedisLane = .control,
        isRepeatable: Bool = false, timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        let command = RedisCommand(arguments, isRepeatable: isRepeatable)
        return try await single(command, .endpoint(endpoint), lane, timeout)
    }

    /// The same, with the arguments one by one.
    public func call(
        _ arguments: RedisArgument..., on endpoint: RedisEndpoint, lane: RedisLane = .control,
        isRepeatable: Bool = false, timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        let command = RedisCommand(arguments, isRepeatable: isRepeatable)
        return try await single(command, .endpoint(endpoint), lane, timeout)
    }

    /// One formatted command on the master of `slot`.
    public func call(
        _ command: RedisCommand, slot: HashSlot, lane: RedisLane = .control,
        timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        try await single(command, .slot(slot), lane, timeout)
    }

    /// Several commands on one connection, in order, with nothing in between that could be theirs.
    ///
    /// Sent again as a whole, and only while no command with a key has run. Else a redirection is a
    /// value.
    ///
    /// - Shape: one reply for each command; errors of the server are values.
    /// - Errors: those that concern all of them.
    public func pipeline(
        _ commands: [RedisCommand], slot: HashSlot, lane: RedisLane = .control,
        timeout: Duration? = nil
    ) async throws(RedisError) -> [RedisValue] {
        try await batch(commands, .slot(slot), lane, timeout)
    }

    /// The same on one named server.
    public func pipeline(
        _ commands: [RedisCommand], on endpoint: RedisEndpoint, lane: RedisLane = .control,
        timeout: Duration? = nil
    ) async throws(RedisError) -> [RedisValue] {
        try await batch(commands, .endpoint(endpoint), lane, timeout)
    }

    /// Calls a script on the master of `slot`, loading it there when it is not known.
    ///
    /// - Invariant: all keys lie in `slot`, or the cluster refuses the call.
    public func run(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument], slot: HashSlot,
        lane: RedisLane = .control, isRepeatable: Bool = false, timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        let command = script.command(keys: keys, arguments: arguments, isRepeatable: isRepeatable)
        return try await single(command, .slot(slot), lane, timeout)
    }

    /// Calls a script and asks, on the same connection, whether replicas hold what it wrote.
    ///
    /// - Parameter waitReplicas: 0 asks nobody (a master without replicas) and returns 0 at once.
    /// - Shape: the script's reply, and how many replicas acknowledged within `waitTimeout`.
    /// - Errors: an error of the script is thrown. If only the `WAIT` failed, nobody acknowledged.
    /// - Not guaranteed: that fewer acknowledgements than asked for mean the write is lost: the
    ///   outcome is unknown.
    /// - Source: Redis `WAIT`: "the number of replicas reached by all the writes performed in the
    ///   context of the current connection".
    public func runDurably(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument], slot: HashSlot,
        lane: RedisLane = .control, waitReplicas: Int, waitTimeout: Duration,
        isRepeatable: Bool = false, timeout: Duration? = nil
    ) async throws(RedisError) -> (reply: RedisValue, acknowledged: Int) {
        let command = script.command(keys: keys, arguments: arguments, isRepeatable: isRepeatable)
        guard waitReplicas > 0 else {
            return (try await single(command, .slot(slot), lane, timeout), 0)
        }
        let wait = RedisCommand.wait(replicas: waitReplicas, timeout: waitTimeout)
        let replies = try await batch([command, wait], .slot(slot), lane, timeout)
        if let error = replies[0].serverError {
            throw error.asError(endpoint: master(of: slot)?.endpoint ?? Self.unknownServer)
        }
        return (replies[0], Int(clamping: replies[1].int ?? 0))
    }

    /// Makes all masters know the scripts; a server met later learns them at the first call.
    public func load(_ scripts: [RedisScript]) async throws(RedisError) {
        for master in masters {
            let commands = scripts.map(\.loadCommand)
            for reply in try await pipeline(commands, on: master.endpoint) {
                if let error = reply.serverError { throw error.asError(endpoint: master.endpoint) }
            }
        }
    }

    /// Stands in an error when the slot's master was forgotten meanwhile.
    private static let unknownServer = RedisEndpoint(
        host: "cluster", port: RedisEndpoint.defaultPort)

    private func single(
        _ command: RedisCommand, _ target: RedisRequest.Target, _ lane: RedisLane,
        _ timeout: Duration?
    ) async throws(RedisError) -> RedisValue {
        let result: Result<RedisValue, RedisError> = await withCheckedContinuation { continuation in
            submit(
                RedisRequest(
                    first: command, target: target, lane: lane,
                    timeout: timeout ?? configuration.commandTimeout, now: loopNow().nanoseconds,
                    consumer: .single { continuation.resume(returning: $0.map { $0.decoded() }) }))
        }
        return try result.get()
    }

    private func batch(
        _ commands: [RedisCommand], _ target: RedisRequest.Target, _ lane: RedisLane,
        _ timeout: Duration?
    ) async throws(RedisError) -> [RedisValue] {
        guard let first = commands.first else { return [] }
        let result: Result<[RedisValue], RedisError> = await withCheckedContinuation {
            continuation in
            submit(
                RedisRequest(
                    first: first, rest: Array(commands.dropFirst()), target: target, lane: lane,
                    timeout: timeout ?? configuration.commandTimeout, now: loopNow().nanoseconds,
                    consumer: .batch { continuation.resume(returning: $0) }))
        }
        return try result.get()
    }
}
