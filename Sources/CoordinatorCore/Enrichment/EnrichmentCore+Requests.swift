/// Permits, requests, and what their answers mean.
extension EnrichmentCore {
    // MARK: Permits

    /// Begins a request for every permit whose time has come.
    mutating func beginRequests(_ now: MonotonicInstant) {
        while let permit = permits.first, now >= permit.from {
            permits.removeFirst()
            guard now < permit.until else {
                counts.missedPermits += 1
                release(permit.id)
                continue
            }
            guard !ready.isEmpty, now >= holdUntil, breaker.allowance(1, now: now) == 1 else {
                release(permit.id)
                continue
            }
            let next = ready.removeFirst()
            guard let place = places[next.shard] else {
                preconditionFailure("a page is ready of shard \(next.shard), which has ended")
            }
            let request = makeRequest()
            running[request] = Running(
                shard: next.shard, token: place.token, page: next.page, permit: permit.id,
                isProbe: breaker.begin())
            counts.requests += 1
            directives.append(.ask(request, article: next.page.article))
        }
    }

    /// Asks for as many permits as there are pages without one, and gives back what has ended.
    mutating func requestPermits(_ now: MonotonicInstant) {
        guard asking == nil else { return }
        var wanted = 0
        if now >= askAt, now >= holdUntil, ready.count > permits.count {
            wanted = breaker.allowance(
                min(ready.count - permits.count, Self.mostPermits), now: now)
            if !breaker.isClosed { wanted = max(0, min(wanted, 1 - permits.count)) }
        }
        guard wanted > 0 || !released.isEmpty else { return }
        let request = makeRequest()
        asking = (request, wanted, released)
        released = []
        directives.append(
            .requestPermits(request, wanted: wanted, released: asking?.released ?? []))
    }

    mutating func takePermits(
        _ request: RequestID, _ grant: PermitGrant, _ now: MonotonicInstant
    ) {
        guard let asked = asking, asked.request == request else { return }
        asking = nil
        permits += grant.slots(at: settings.rate)
        permits.sort { $0.from < $1.from }
        guard grant.permits.count < asked.wanted else { return }
        // A little later than told, each node by another bit: they are to take turns.
        let jitter = Double.random(in: 1...1.3, using: &random)
        askAt = now + max(grant.askAgainAfter, .milliseconds(5)) * jitter
    }

    mutating func failPermits(_ request: RequestID, _ now: MonotonicInstant) {
        guard let asked = asking, asked.request == request else { return }
        asking = nil
        restore(asked.released)
        askAt = now + Self.redisPause
    }

    /// Without an address no page is to blame.
    mutating func failHost(_ request: RequestID, _ reason: String, _ now: MonotonicInstant) {
        guard let asked = asking, asked.request == request else { return }
        asking = nil
        restore(asked.released)
        askAt = now + Self.hostPause
        counts.lastFailure = reason
        blameHost(isProbe: true, reason, now)
    }

    private mutating func release(_ permit: RequestPermit.ID) {
        if released.count < Self.mostReleased { released.append(permit) }
    }

    private mutating func restore(_ permits: [RequestPermit.ID]) {
        for permit in permits { release(permit) }
    }

    // MARK: Answers

    mutating func finish(
        _ request: RequestID, _ outcome: ArticleOutcome, _ now: MonotonicInstant
    ) {
        guard let run = running.removeValue(forKey: request) else { return }
        release(run.permit)
        judgeHost(run, outcome, now)
        count(outcome)
        // A page of a shard that went to another node meanwhile is that one's to ask for.
        guard let place = places[run.shard], place.token == run.token else { return }
        guard let change = change(run, outcome) else {
            ready.append((run.shard, run.page))
            return
        }
        if case .dead = change { counts.dead += 1 }
        keep(PageResult(page: run.page, change: change), run.shard)
    }

    private mutating func judgeHost(
        _ run: Running, _ outcome: ArticleOutcome, _ now: MonotonicInstant
    ) {
        switch outcome {
        case .found, .missing, .unreadable(_, isHostAtFault: false),
            .refused(_, isHostAtFault: false):
            let wasClosed = breaker.isClosed
            breaker.succeed()
            if !wasClosed {
                directives.append(.hostChanged(isAsked: true, reason: "it answers again"))
            }
        case .failed(let reason, let wait):
            if let wait {
                holdUntil = max(holdUntil, now + min(wait, RetrySchedule.longestAskedFor))
            }
            blameHost(isProbe: run.isProbe, reason, now)
        case .unreadable(let reason, isHostAtFault: true),
            .refused(let reason, isHostAtFault: true):
            blameHost(isProbe: run.isProbe, reason, now)
        case .abandoned:
            if run.isProbe { breaker.forgetProbe() }
        }
    }

    private mutating func blameHost(
        isProbe: Bool, _ reason: String, _ now: MonotonicInstant
    ) {
        let wasClosed = breaker.isClosed
        breaker.fail(isProbe: isProbe, now: now, using: &random)
        if wasClosed, !breaker.isClosed {
            directives.append(.hostChanged(isAsked: false, reason: reason))
        }
    }

    private mutating func count(_ outcome: ArticleOutcome) {
        switch outcome {
        case .found: counts.found += 1
        case .missing: counts.missing += 1
        case .failed(let reason, _), .unreadable(let reason, _), .refused(let reason, _):
            counts.failed += 1
            counts.lastFailure = reason
        case .abandoned: break
        }
    }

    /// What the shard notes; nil when the page is as it was.
    private mutating func change(
        _ run: Running, _ outcome: ArticleOutcome
    ) -> PageResult.Change? {
        let page = run.page
        switch outcome {
        case .found(let values): return .found(values, again: settings.refresh)
        case .missing:
            let misses = page.misses + 1
            return .later(
                RetrySchedule.pause(afterMisses: misses), attempts: 0, misses: misses,
                reason: "the API does not have the article")
        case .failed(let reason, let wait): return retry(run, reason, wait)
        case .unreadable(let reason, _): return retry(run, reason, nil)
        case .refused(let reason, _): return giveUp(page, attempts: page.attempts + 1, reason)
        case .abandoned: return nil
        }
    }

    private mutating func retry(
        _ run: Running, _ reason: String, _ wait: Duration?
    ) -> PageResult.Change {
        let page = run.page
        // A probe that fails tells of the host, not of the page that it was sent for.
        let attempts = page.attempts + (run.isProbe ? 0 : 1)
        guard attempts < settings.attempts else { return giveUp(page, attempts: attempts, reason) }
        let pause = RetrySchedule.pause(
            afterAttempts: max(1, attempts), askedFor: wait, using: &random)
        return .later(pause, attempts: attempts, misses: page.misses, reason: reason)
    }

    private func giveUp(
        _ page: WaitingPage, attempts: Int, _ reason: String
    ) -> PageResult.Change {
        // What is known stays, and is renewed another time.
        guard page.isKnown, let refresh = settings.refresh else {
            return .dead(attempts: attempts, reason: reason)
        }
        return .later(refresh, attempts: 0, misses: page.misses, reason: reason)
    }
}
