import CoordinatorCore
import EventLoop

/// What the last answered heartbeat said.
struct LastBeat {
    let at: MonotonicInstant
    /// Server time, ms.
    let serverTime: Int64
    /// An operator took this node's shards.
    let isDrained: Bool
    /// The term of whoever holds the lease.
    let term: FencingToken?
    /// All nodes, when this one leads.
    let nodes: [NodeRecord]
    let pausedTiers: [String]
}

/// How a node is, as probes ask: from memory, never from Redis.
extension Node {
    /// Whether it takes part, and why not.
    public struct Presence: Sendable {
        /// Redis was seen lately, the node is registered, and it does not drain.
        public let isReady: Bool
        /// A few words.
        public let reason: String
        /// It leads, by its own clock.
        public let isLeader: Bool
    }

    /// How the node is now.
    public var presence: Presence {
        let reason = absence
        return Presence(
            isReady: reason == nil, reason: reason ?? "ready", isLeader: isLeading(loopNow()))
    }

    /// Leading has no part in it: a follower is as ready as a leader.
    private var absence: String? {
        if isStopping { return "draining: the node stops" }
        guard let beat = lastBeat else {
            return deployment == nil
                ? "waiting for Redis and the deployment's settings" : "not registered yet"
        }
        let age = loopNow() - beat.at
        guard age <= options.timing.nodeTTL else {
            return "Redis was not seen for \(age.wholeMilliseconds) ms"
        }
        return beat.isDrained ? "draining: an operator took its shards" : nil
    }
}
