/// What a leader does: knowing the nodes, planning the map, publishing it.
extension NodeCore {
    mutating func advanceLeading(_ now: MonotonicInstant) {
        guard case .leader(var leadership) = role else { return }
        if !leadership.hasTokens, leadership.tokensRequest == nil, now >= leadership.readTokensAt {
            let request = makeRequest()
            leadership.tokensRequest = request
            role = .leader(leadership)
            directives.append(.readTokens(request, allShards))
        }
        if heartbeatFailures == 0, let deadline = leadership.membership.nextDeadline(after: now),
            now >= deadline
        {
            // Looked at again before anybody is given up; after a failure at its own pace.
            heartbeatSoon(now)
        }
    }

    /// Publishes another map if there is a better one.
    mutating func govern(_ now: MonotonicInstant) {
        guard case .leader(var leadership) = role, leadership.hasTokens, leadership.hasLooked,
            leadership.publication == nil, stopping == nil
        else { return }
        let lost = leadership.membership.takeLost(
            owners: Set((map?.owners ?? []).compactMap { $0 }))
        for node in lost { directives.append(.noteLost(node)) }
        defer { role = .leader(leadership) }
        for (shard, token) in leadership.membership.refused where shard.rawValue < shardCount {
            leadership.seen[shard] = max(leadership.seen[shard] ?? .zero, token)
        }
        let draft = plan(leadership, now)
        guard draft.movedCount > 0 || leadership.mustPublish else { return }
        let known = [leadership.token, map?.version, leadership.membership.newestMap]
        let above = known.compactMap { $0 }.reduce(leadership.seen.values.max() ?? .zero, max)
        let request = makeRequest()
        leadership.publication = (request, draft)
        directives.append(
            .publishMap(
                request, draft, term: leadership.token, above: above, reason: reason(draft, lost)))
    }

    mutating func takeTokens(
        _ request: RequestID, _ tokens: [ShardID: FencingToken], _ now: MonotonicInstant
    ) {
        if request == handOver?.request { return takeHandedOver(tokens, now) }
        guard case .leader(var leadership) = role, request == leadership.tokensRequest else {
            return
        }
        leadership.tokensRequest = nil
        // A shard that did not answer refuses a claim that is too low, and says so then.
        leadership.hasTokens = true
        leadership.seen.merge(tokens) { max($0, $1) }
        role = .leader(leadership)
        govern(now)
    }

    mutating func takePublished(
        _ request: RequestID, _ version: FencingToken, _ now: MonotonicInstant
    ) {
        guard case .leader(var leadership) = role, leadership.publication?.request == request,
            let draft = leadership.publication?.draft
        else { return }
        leadership.publication = nil
        leadership.mustPublish = false
        role = .leader(leadership)
        adopt(draft.published(as: version), now)
        govern(now)
    }

    mutating func takeRefusedPublication(_ request: RequestID, _ now: MonotonicInstant) {
        guard case .leader(let leadership) = role, leadership.publication?.request == request
        else { return }
        endTerm(leadership.token, "the lease is another's", now)
    }

    mutating func failLeading(_ request: RequestID, _ now: MonotonicInstant) {
        guard case .leader(var leadership) = role else { return failElection(request, now) }
        if request == leadership.tokensRequest {
            leadership.tokensRequest = nil
            leadership.readTokensAt = now + retryPause(after: 1)
            role = .leader(leadership)
        } else if request == leadership.publication?.request {
            // It may have been published: the map is read before another one is made.
            leadership.publication = nil
            leadership.hasLooked = false
            role = .leader(leadership)
            // A new one: the answer to one under way may be from before.
            sendHeartbeat(now)
        } else {
            failElection(request, now)
        }
    }

    private func plan(_ leadership: Leadership, _ now: MonotonicInstant) -> ShardMapDraft {
        let owners = map?.owners ?? [NodeID?](repeating: nil, count: shardCount)
        let eligible = leadership.membership.eligible(
            drained: orders.drained, owners: Set(owners.compactMap { $0 }), now: now)
        // Without anybody to own them shards stay with whom they are.
        let planned =
            eligible.isEmpty ? owners : ShardPlanner.plan(owners: owners, nodes: eligible)
        let kept = planned.indices.map { number -> FencingToken? in
            guard let entry = map?.entries[number] else { return nil }
            let seen = leadership.seen[ShardID(rawValue: number)] ?? .zero
            // A shard that holds a greater token than its owner may show is lost to it.
            return planned[number] == entry.owner && seen <= entry.token ? entry.token : nil
        }
        return ShardMapDraft(owners: planned, kept: kept)
    }

    private func reason(_ draft: ShardMapDraft, _ lost: [NodeID]) -> String {
        let moved = "\(draft.movedCount) of \(shardCount) shards"
        if !lost.isEmpty {
            return "\(moved): lost \(lost.map(\.text).joined(separator: ", "))"
        }
        guard let map else { return "\(moved): the first map" }
        let before = Set(map.owners.compactMap { $0 })
        let after = Set(draft.owners.compactMap { $0 })
        func names(_ nodes: Set<NodeID>) -> String {
            nodes.sorted().map(\.text).joined(separator: ", ")
        }
        let joined = after.subtracting(before)
        let gone = before.subtracting(after)
        if !joined.isEmpty { return "\(moved): for \(names(joined))" }
        if !gone.isEmpty { return "\(moved): from \(names(gone))" }
        return draft.movedCount == 0
            ? "again: a failover lost the last map" : "\(moved): balance, or tokens overtaken"
    }
}
