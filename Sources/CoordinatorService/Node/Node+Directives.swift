import CoordinatorCore
import EventLoop
import Metrics
import RedisClient

/// Carrying out what the core says: every request is answered by one event.
extension Node {
    /// Shards whose tokens are read at once.
    private static let tokenReads = 256
    func carryOut(_ directive: NodeDirective) {
        switch directive {
        case .requestLease(let request, let above):
            let sentAt = loopNow()
            ask(request) { control throws(ServiceError) in
                let answer = try await self.counted(\.elections) { () async throws(ServiceError) in
                    try await control.grant(above: above)
                }
                return .leaseAnswered(request, sentAt: sentAt, answer)
            }
        case .renewLease(let request):
            let sentAt = loopNow()
            ask(request) { control throws(ServiceError) in
                let answer = try await self.counted(\.renewals) { () async throws(ServiceError) in
                    try await control.renew()
                }
                return .leaseAnswered(request, sentAt: sentAt, answer)
            }
        case .releaseLease(let token, let reason): release(token, reason)
        case .sendHeartbeat(let request, let heartbeat): beat(request, heartbeat)
        case .readTokens(let request, let shards): readTokens(request, shards)
        case .publishMap(let request, let draft, let term, let above, let reason):
            ask(request) { control throws(ServiceError) in
                let version = try await self.countedPublication { () async throws(ServiceError) in
                    try await control.publish(draft, term: term, above: above, reason: reason)
                }
                return version.map { .mapPublished(request, version: $0) }
                    ?? .publicationRefused(request)
            }
        case .claimShard(let request, let shard, let token): claim(request, shard, token)
        case .leave(let request):
            let statement = statement(isLeader: false, isDraining: true, refused: [:])
            ask(request) { control throws(ServiceError) in
                try await control.leave(statement)
                return .left(request)
            }
        case .beginShard(let shard, let token):
            workplace?.begin(shard, token, states.removeValue(forKey: shard))
            metrics.handOvers.observe(span: loopNow() - mapLearntAt)
            log.event(.debug, "claimed", [("shard", "\(shard)"), ("token", token.text)])
        case .endShard(let shard, let reason):
            workplace?.end(shard)
            metrics.releases.add()
            log.event(.debug, "released", [("shard", "\(shard)"), ("reason", reason)])
        case .beginLeading(let token, let expired): beginLeading(token, expired)
        case .endLeading(let token, let reason):
            metrics.termsEnded.add()
            log.term = nil
            log.event(.info, "stepped-down", [("term", token.text), ("reason", reason)])
        case .noteLost(let node):
            log.event(.warning, "lost", [("lost", node.text)])
            write(.init(kind: .left, node: node, reason: "lost: not heard of"))
        case .noteSuperseded:
            log.event(
                .warning, "superseded",
                [("reason", "another start of this name is registered: ends if that one lives")])
        case .noteClockJump(let remaining):
            metrics.clockJumps.add()
            log.change(
                "clock", "lease",
                "the lease lives for \(remaining.wholeMilliseconds) ms, longer than any grant: the "
                    + "server's clock was set back; its life is cut to one lease")
        case .finish(let reason): finish(reason)
        }
    }

    // MARK: Requests

    /// Asks, and tells the core the answer or that there is none.
    private func ask(
        _ request: RequestID,
        _ body: @escaping @LoopActor (ControlClient) async throws(ServiceError) -> NodeEvent
    ) {
        let control = control
        spawn {
            do throws(ServiceError) {
                let event = try await body(control)
                self.log.settle("redis", "control")
                self.tell(event)
            } catch {
                self.takeFailure(error, of: request, subject: "control")
            }
        }
    }

    private func takeFailure(_ error: ServiceError, of request: RequestID, subject: String) {
        guard error.isPassing else { return fail(error) }
        log.change("redis", subject, error)
        tell(.requestFailed(request))
    }

    private func release(_ token: FencingToken, _ reason: String) {
        let control = control
        let log = log
        spawn {
            do throws(ServiceError) {
                try await control.release(token, reason: reason)
            } catch {
                log.change("lease", "release", "\(error)")
            }
        }
    }

    private func beat(_ request: RequestID, _ heartbeat: Heartbeat) {
        let statement = statement(
            isLeader: heartbeat.isLeader, isDraining: heartbeat.isDraining,
            refused: heartbeat.refused)
        ask(request) { control throws(ServiceError) in
            let reply = try await self.countedBeat { () async throws(ServiceError) in
                try await control.beat(heartbeat, statement)
            }
            switch reply {
            case .superseded:
                self.metrics.heartbeats.add("superseded")
                return .superseded(request)
            case .answered(let beat):
                self.remember(beat)
                self.note(beat)
                self.workplace?.update(
                    sources: beat.sources, serverTime: beat.answer.serverTime,
                    pausedTiers: beat.pausedTiers)
                if heartbeat.isLeader { self.lookAround(beat) }
                return .heartbeatAnswered(request, beat.answer)
            }
        }
    }

    /// What cannot be read here is of a newer version: it is left alone, and said once.
    private func note(_ beat: ControlClient.Beat) {
        for name in beat.nodes.unreadable {
            log.change(
                "nodes", name,
                "the record of node \(name) cannot be read: it is of a version that this one does "
                    + "not know, and gets no shards")
        }
        for key in beat.sources?.unreadable ?? [] {
            log.change(
                "sources", key,
                "the record of source \(key) cannot be read: it is of a version that this one does "
                    + "not know; it is not read here, and rotation waits for it")
        }
        if beat.isMapUnreadable {
            log.change(
                "map", "control",
                "the shard map cannot be read: it is of a version that this one does not know; "
                    + "the map before it is kept")
        }
    }

    private func statement(
        isLeader: Bool, isDraining: Bool, refused: [ShardID: FencingToken]
    ) -> NodeRecord.Statement {
        var progress: [String: NodeRecord.Progress]?
        if let places = workplace?.progress, let tiers = deployment?.ladder.tiers.dropFirst() {
            progress = Dictionary(
                zip(tiers.map(\.name), places), uniquingKeysWith: { first, _ in first })
        }
        let refusals = refused.map { ("\($0.key)", $0.value.text) }
        return NodeRecord.Statement(
            node: id.text, host: options.host, version: Version.text,
            role: isLeader ? "leader" : "follower", state: isDraining ? "draining" : "ready",
            shards: workplace?.shardCount ?? 0, weight: options.weight,
            ttl: options.timing.nodeTTL.wholeMilliseconds,
            every: options.timing.heartbeatInterval.wholeMilliseconds,
            renew: options.timing.renewInterval.wholeMilliseconds,
            lease: options.timing.leaseDuration.wholeMilliseconds,
            refused: refusals.isEmpty
                ? nil : Dictionary(refusals, uniquingKeysWith: { first, _ in first }),
            map: map?.version.text, progress: progress, enrichment: workplace?.enrichment)
    }

    private func readTokens(_ request: RequestID, _ wanted: [ShardID]) {
        let shards = shards
        spawn {
            let tokens = await gather(wanted.count, limit: Self.tokenReads) {
                index -> Result<FencingToken?, ServiceError> in
                do throws(ServiceError) {
                    return .success(try await shards[wanted[index].rawValue].token())
                } catch {
                    return .failure(error)
                }
            }
            var held: [ShardID: FencingToken] = [:]
            for (shard, token) in zip(wanted, tokens) {
                switch token {
                case .success(let token):
                    held[shard] = token
                    self.log.settle("redis", "shard \(shard)")
                case .failure(let error): self.log.change("redis", "shard \(shard)", error)
                }
            }
            self.tell(.tokensRead(request, held))
        }
    }

    private func claim(_ request: RequestID, _ shard: ShardID, _ token: FencingToken) {
        let client = shards[shard.rawValue]
        let owner = id.text
        spawn {
            do throws(ServiceError) {
                let claim = try await client.claim(token, owner: owner)
                self.log.settle("redis", "shard \(shard)")
                switch claim {
                case .held(let state):
                    self.metrics.claims.add("held")
                    self.states[shard] = state
                    self.tell(.shardClaimed(request))
                    self.states[shard] = nil
                case .refused(let other):
                    self.metrics.claims.add("refused")
                    self.metrics.fenced.add("claim")
                    self.tell(.claimRefused(request, by: other))
                }
            } catch {
                self.metrics.claims.add("failed")
                self.takeFailure(error, of: request, subject: "shard \(shard)")
            }
        }
    }

    // MARK: Leading

    private func beginLeading(_ token: FencingToken, _ expired: LeaseAnswer.Holder?) {
        log.term = token.text
        log.event(.info, "elected")
        metrics.terms.add()
        runs = RunTracker()
        var notes = ControlClient.Notes()
        if let expired {
            notes.entries.append(
                .init(kind: .expired, node: expired.node, reason: "the lease was not renewed"))
        }
        notes.entries.append(
            .init(
                kind: .elected, node: id,
                reason: expired.map { "the lease of \($0.node) expired" } ?? "the lease was free"))
        write(notes)
    }

    private func write(_ entry: ControlClient.Notes.Entry) {
        var notes = ControlClient.Notes()
        notes.entries = [entry]
        write(notes)
    }

    private func write(_ notes: ControlClient.Notes) {
        guard !notes.isEmpty else { return }
        let control = control
        let log = log
        spawn {
            do throws(ServiceError) {
                try await control.write(notes)
            } catch {
                log.change("redis", "history", "\(error)")
            }
        }
    }

    /// Writes down what the nodes' reports say of the runs, and forgets nodes long gone.
    private func lookAround(_ beat: ControlClient.Beat) {
        guard let deployment else { return }
        indexKeeper?.look()
        var notes = ControlClient.Notes()
        let now = beat.answer.serverTime
        // A lost node is still listed, with the shards that others have now.
        let live = beat.nodes.records.filter { $0.state(now: now) != .lost }
        notes.runs = runs.changes(live, deployment.ladder, shardCount: shards.count)
        notes.forgotten = beat.nodes.headers.filter {
            now - $0.heartbeatAt > NodeRecord.forgottenAfterMilliseconds
        }
        for node in notes.forgotten { log.event(.info, "forgotten", [("lost", node.name)]) }
        write(notes)
    }
}
