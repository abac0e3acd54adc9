import CoordinatorCore
import EventLoop
import RedisClient

/// The right to work on the shards, until a deadline.
///
/// - Not guaranteed: that there is only one holder at every moment. Redis replicates
///   asynchronously, and a paused master may answer; what keeps the data right is the token that
///   every rotation shows.
/// - Thread: loop only.
@LoopActor struct Lease {
    /// Who holds it, as Redis tells.
    struct Held: Sendable {
        let token: FencingToken
        let node: String
        let remainingMilliseconds: Int64

        /// Reads `<token> <node id>`.
        init?(_ value: String, remaining: Int64) {
            let parts = value.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, let token = FencingToken(String(parts[0])) else { return nil }
            self.token = token
            node = String(parts[1])
            remainingMilliseconds = remaining
        }
    }

    enum Answer: Sendable {
        case mine(Held)
        case others(Held?)
    }

    private static let slot = HashSlot(key: RedisKeys.lease)

    let cluster: RedisCluster
    let node: String
    let nonce: String
    let duration: Duration

    /// Takes the lease if it is free, with a token above `above`.
    func grant(above: FencingToken?) async throws(ServiceError) -> Answer {
        try await call("grant", above?.text ?? "")
    }

    /// Keeps it for another lease; answers with the holder when it is another's.
    func renew() async throws(ServiceError) -> Answer {
        try await call("renew", "")
    }

    /// Gives it back, if it is still this holder's.
    func release() async throws(ServiceError) {
        _ = try await call("release", "")
    }

    /// Who holds it now, without taking part.
    static func holder(_ cluster: RedisCluster) async throws(ServiceError) -> Held? {
        let value = try await cluster.ask(["GET", .init(RedisKeys.lease)], slot: slot)
        guard let text = value.text else { return nil }
        let left = try await cluster.ask(["PTTL", .init(RedisKeys.lease)], slot: slot)
        return Held(text, remaining: left.int ?? 0)
    }

    private func call(_ action: String, _ above: String) async throws(ServiceError) -> Answer {
        let reply: RedisValue
        do throws(RedisError) {
            // Granting and renewing again with the same nonce changes nothing: it may be repeated.
            reply = try await cluster.run(
                ScriptLibrary.lease, keys: [RedisKeys.lease],
                arguments: [
                    .init(action), .init(node), .init(nonce), .init(duration.wholeMilliseconds),
                    .init(above),
                ], slot: Self.slot)
        } catch {
            throw .redis(error)
        }
        guard let items = reply.items, items.count == 3, let value = items[1].text else {
            throw .redis(
                .protocolViolation(endpoint: RedisKeys.lease, reason: "three values expected"))
        }
        let held = Held(value, remaining: items[2].int ?? 0)
        if items[0].int == 1, let held { return .mine(held) }
        return .others(held)
    }
}
