import CoordinatorCore
import EventLoop
import RedisClient

/// One shard's scripts with their keys and fixed arguments.
///
/// - Thread: loop only.
@LoopActor struct ShardClient {
    let deployment: Deployment
    let cluster: RedisCluster
    let shard: ShardID
    let tag: String
    let slot: HashSlot
    private let keys: [String]

    /// - Parameter cluster: the client to use; the deployment's own unless given.
    init(_ deployment: Deployment, _ shard: ShardID, through cluster: RedisCluster? = nil) {
        self.deployment = deployment
        self.cluster = cluster ?? deployment.cluster
        self.shard = shard
        tag = deployment.layout.tag(of: shard)
        keys = [RedisKeys.shardState(tag), RedisKeys.guardKey(tag)]
        slot = HashSlot(key: keys[0])
    }

    /// What the slot says, all of it from one moment.
    func state() async throws(ServiceError) -> ShardState {
        let reply = try await cluster.ask(["HGETALL", .init(keys[0])], slot: slot)
        return ShardState(shard: shard, fields: (reply.items ?? [])[...])
    }

    /// The token that the slot holds; nil before the first claim.
    func token() async throws(ServiceError) -> FencingToken? {
        let reply = try await cluster.ask(
            ["HGET", .init(keys[0]), "token"], slot: slot, timeout: ControlClient.timeout)
        return reply.text.flatMap { FencingToken($0) }
    }

    /// The last id of a source whose effects the shard holds; zero when it holds none.
    func watermark(of source: String) async throws(ServiceError) -> StreamID {
        let reply = try await cluster.ask(
            ["HGET", .init(keys[0]), .init("wm:\(source)")], slot: slot)
        guard let text = reply.text else { return .zero }
        guard let watermark = StreamID(text) else {
            throw .unreadable(key: keys[0], detail: "the watermark of \(source) is \(text)")
        }
        return watermark
    }

    /// Commands on this shard's keys, in order; an error reply of one of them is the error of all.
    func pipeline(_ commands: [RedisCommand]) async throws(ServiceError) -> [RedisValue] {
        guard !commands.isEmpty else { return [] }
        do throws(RedisError) {
            let replies = try await cluster.pipeline(commands, slot: slot)
            for reply in replies {
                guard let error = reply.serverError else { continue }
                throw RedisError.server(code: error.code, message: error.message, endpoint: keys[0])
            }
            return replies
        } catch {
            throw .redis(error)
        }
    }

    enum Claim {
        case held(ShardState)
        case refused(by: FencingToken)
    }

    /// Claims the shard with a token.
    ///
    /// - Errors: `.otherSettings`, `.redis`; after `outcomeUnknown` the same claim again is fine.
    func claim(_ token: FencingToken, owner: String) async throws(ServiceError) -> Claim {
        let reply = try await run(
            ScriptLibrary.claim,
            [
                .init(tag), .init(token.text), .init(owner), .init(deployment.stamp),
                .init(deployment.packedLadder), .init(deployment.start),
            ])
        let items = reply.items ?? []
        switch items.first?.text {
        case "OK": return .held(ShardState(shard: shard, fields: items.dropFirst()))
        case "REFUSED":
            guard let token = items.dropFirst().first?.text.flatMap({ FencingToken($0) }) else {
                throw unexpected(reply)
            }
            return .refused(by: token)
        case "SETTINGS": throw .otherSettings(shard: shard)
        default: throw unexpected(reply)
        }
    }

    enum Applied {
        case applied(faults: Int64, fault: String)
        /// The shard is elsewhere than expected; nothing was changed.
        case elsewhere(StreamID?)
        /// The slot holds no state: the shard has to be claimed first.
        case unclaimed
    }

    /// Applies packed deltas, if the watermark is `expected`.
    ///
    /// - Errors: `.outcomeUnknown` inside `.redis`: the same call again settles it.
    func apply(
        _ source: String, expected: StreamID?, through: StreamID, floor: Int64,
        packed: [RedisArgument]
    ) async throws(ServiceError) -> Applied {
        let reply = try await run(
            ScriptLibrary.apply,
            [
                .init(tag), .init(source), .init(expected?.description ?? ""),
                .init(through.description), .init(deployment.stamp), .init(deployment.packedLadder),
                .init(deployment.packedSeries), .init(floor),
            ] + packed
                + [.init(deployment.initialisedAt), .init(deployment.settings.heaviest ?? 0)])
        let items = reply.items ?? []
        switch items.first?.text {
        case "OK" where items.count == 3:
            return .applied(faults: items[1].int ?? 0, fault: items[2].text ?? "")
        case "WATERMARK" where items.count == 2:
            return .elsewhere(items[1].text.flatMap { StreamID($0) })
        case "UNCLAIMED": return .unclaimed
        case "SETTINGS": throw .otherSettings(shard: shard)
        default: throw unexpected(reply)
        }
    }

    enum Rotated {
        /// A window was finished, is open still, or none is due.
        case done(Step)
        case open(Step)
        case idle(nextDue: Int64, [NodeRecord.Progress])
        case fenced(by: FencingToken?)
    }

    struct Step {
        let tier: Int
        let window: Int64
        let merged: Int64
        let faults: Int64
        let fault: String
        /// By merged tier.
        let progress: [NodeRecord.Progress]
    }

    /// One step of rotation.
    ///
    /// - Parameter waitsFor: packed list of the sources whose watermarks hold rotation back.
    func rotate(
        _ token: FencingToken, waitsFor sources: [UInt8], effort: Int, paused: [UInt8]
    ) async throws(ServiceError) -> Rotated {
        let reply = try await run(
            ScriptLibrary.rotate,
            [
                .init(tag), .init(token.text), .init(deployment.stamp),
                .init(deployment.packedLadder), .init(deployment.packedSeries),
                .init(deployment.settings.graceMilliseconds), .init(sources),
                .init(Int64(effort)), .init(paused), .init(deployment.settings.heaviest ?? 0),
            ])
        let items = reply.items ?? []
        guard let kind = items.first?.text, items.count >= 2 else { throw unexpected(reply) }
        if kind == "FENCED" { return .fenced(by: items[1].text.flatMap { FencingToken($0) }) }
        if kind == "SETTINGS" { throw .otherSettings(shard: shard) }
        guard items.count == 8, let due = items[6].text.flatMap(Int64.init),
            let places = items[7].items?.compactMap({ $0.text.flatMap(Int64.init) }),
            places.count == (deployment.ladder.tiers.count - 1) * 2
        else { throw unexpected(reply) }
        let progress = stride(from: 0, to: places.count, by: 2).map {
            NodeRecord.Progress(sealedTo: places[$0], doneTo: places[$0 + 1])
        }
        if kind == "IDLE" { return .idle(nextDue: due, progress) }
        let step = Step(
            tier: Int(items[1].int ?? 0) - 1, window: items[2].text.flatMap(Int64.init) ?? 0,
            merged: items[3].int ?? 0, faults: items[4].int ?? 0, fault: items[5].text ?? "",
            progress: progress)
        return kind == "DONE" ? .done(step) : .open(step)
    }

    func run(
        _ script: RedisScript, _ arguments: [RedisArgument]
    ) async throws(ServiceError) -> RedisValue {
        do throws(RedisError) {
            return try await cluster.run(
                script, keys: keys, arguments: arguments, slot: slot)
        } catch {
            throw .redis(error)
        }
    }

    func unexpected(_ reply: RedisValue) -> ServiceError {
        .redis(.protocolViolation(endpoint: keys[0], reason: "unexpected reply of a script"))
    }
}
