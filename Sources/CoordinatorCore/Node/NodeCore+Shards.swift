/// Claiming shards, working on them, and letting go of them.
extension NodeCore {
    /// Takes a newer map. An older one is what a failover left; its leader publishes again.
    mutating func adopt(_ newer: ShardMap, _ now: MonotonicInstant) {
        guard newer.entries.count == shardCount, map.map({ $0.version < newer.version }) ?? true
        else { return }
        map = newer
        for number in holdings.indices {
            let shard = ShardID(rawValue: number)
            let entry = newer.entries[number]
            if let token = refused[shard], token <= entry.token { refused[shard] = nil }
            if entry.owner == id, stopping == nil {
                holdings[number].isLeaving = false
                if holdings[number].working == entry.token {
                    holdings[number].claim = nil
                } else if holdings[number].claim?.token != entry.token {
                    holdings[number].claim = Holding.Claim(token: entry.token, retryAt: now)
                }
            } else {
                holdings[number].claim = nil
                // Worked on until the new owner has claimed it: a planned move leaves no gap.
                holdings[number].isLeaving = holdings[number].working != nil
            }
        }
        beginHandOver(now)
    }

    mutating func advanceShards(_ now: MonotonicInstant) {
        for number in holdings.indices {
            guard let claim = holdings[number].claim, claim.request == nil, now >= claim.retryAt
            else { continue }
            let request = makeRequest()
            let shard = ShardID(rawValue: number)
            holdings[number].claim?.request = request
            claimRequests[request] = shard
            directives.append(.claimShard(request, shard, claim.token))
        }
        guard let watch = handOver, watch.request == nil, now >= watch.nextAt else { return }
        let leaving = leavingShards
        guard !leaving.isEmpty else {
            handOver = nil
            return
        }
        let request = makeRequest()
        handOver?.request = request
        directives.append(.readTokens(request, leaving))
    }

    mutating func takeClaimed(_ request: RequestID) {
        guard let shard = claimRequests.removeValue(forKey: request),
            let claim = holdings[shard.rawValue].claim, claim.request == request
        else { return }
        holdings[shard.rawValue].claim = nil
        holdings[shard.rawValue].working = claim.token
        directives.append(.beginShard(shard, claim.token))
    }

    mutating func takeRefusedClaim(
        _ request: RequestID, _ token: FencingToken, _ now: MonotonicInstant
    ) {
        guard let shard = claimRequests.removeValue(forKey: request),
            holdings[shard.rawValue].claim?.request == request
        else { return }
        holdings[shard.rawValue].claim = nil
        end(shard, "claimed with \(token)")
        refused[shard] = token
        heartbeatSoon(now)
    }

    /// A shard refused this node's work.
    mutating func takeFenced(
        _ shard: ShardID, shown: FencingToken, by token: FencingToken?, _ now: MonotonicInstant
    ) {
        let holding = holdings[shard.rawValue]
        // Work that was under way when the shard was claimed anew.
        guard holding.working == shown else { return }
        guard let token, token > shown else {
            // A failover took the claim back.
            return claimAgain(shard, now)
        }
        end(shard, "claimed with \(token)")
        heartbeatSoon(now)
        guard let entry = map?.entries[shard.rawValue], entry.owner == id, stopping == nil else {
            return
        }
        // A newer map says who has it, or its leader has to go above this token.
        if token > entry.token { refused[shard] = token }
    }

    /// The shard does not hold this node's claim any more, and nobody else's either.
    mutating func claimAgain(_ shard: ShardID, _ now: MonotonicInstant) {
        guard let entry = map?.entries[shard.rawValue], entry.owner == id, stopping == nil else {
            // Given up anyway; who the map names claims it.
            return end(shard, "a failover took the claim back")
        }
        guard holdings[shard.rawValue].claim == nil else { return }
        holdings[shard.rawValue].claim = Holding.Claim(token: entry.token, retryAt: now)
    }

    mutating func failClaim(_ shard: ShardID, _ request: RequestID, _ now: MonotonicInstant) {
        guard var claim = holdings[shard.rawValue].claim, claim.request == request else { return }
        claim.request = nil
        claim.failures += 1
        claim.retryAt = now + retryPause(after: claim.failures)
        holdings[shard.rawValue].claim = claim
    }

    /// Shards whose new owner has claimed them are let go.
    mutating func takeHandedOver(
        _ tokens: [ShardID: FencingToken], _ now: MonotonicInstant
    ) {
        for (shard, token) in tokens.sorted(by: { $0.key < $1.key }) {
            guard let shown = holdings[shard.rawValue].working, token > shown else { continue }
            end(shard, "handed over")
        }
        guard let watch = handOver else { return }
        let isSlow = now - watch.begunAt > Self.promptHandOver
        handOver?.request = nil
        handOver?.nextAt = now + (isSlow ? Self.slowHandOverPoll : Self.handOverPoll)
        if leavingShards.isEmpty { handOver = nil }
    }

    mutating func beginHandOver(_ now: MonotonicInstant) {
        guard !leavingShards.isEmpty else { return }
        handOver = HandOver(begunAt: now, nextAt: now + Self.handOverPoll, request: nil)
    }

    mutating func endAllShards(_ reason: String) {
        for number in holdings.indices {
            holdings[number].claim = nil
            end(ShardID(rawValue: number), reason)
        }
    }

    var nextClaimAt: MonotonicInstant? {
        holdings.lazy.compactMap { holding in
            holding.claim.flatMap { $0.request == nil ? $0.retryAt : nil }
        }.min()
    }

    /// Shards that this node works on until another has claimed them.
    var leavingShards: [ShardID] {
        holdings.indices.filter {
            holdings[$0].working != nil && (holdings[$0].isLeaving || stopping != nil)
        }.map(ShardID.init(rawValue:))
    }

    private mutating func end(_ shard: ShardID, _ reason: String) {
        holdings[shard.rawValue].isLeaving = false
        guard holdings[shard.rawValue].working != nil else { return }
        holdings[shard.rawValue].working = nil
        directives.append(.endShard(shard, reason: reason))
    }
}
