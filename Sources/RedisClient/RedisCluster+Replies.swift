import CoordinatorCore
import EventLoop
import Metrics

/// What becomes of a request after its connection has spoken.
extension RedisCluster: RedisConnectionOwner {
    /// After so many redirections in a row a request pauses between them: two servers may each
    /// believe in the other.
    private static let patientAttempts = 5
    /// A script that is still unknown after being loaded so often cannot be loaded (`NOPERM`, out
    /// of memory).
    private static let scriptAttempts = 4
    /// While a slot moves its keys are divided for milliseconds.
    private static let tryAgainPause: ClosedRange<UInt64> = 5_000_000...20_000_000
    /// A server that cannot serve now needs longer.
    private static let notNowPause: ClosedRange<UInt64> = 20_000_000...100_000_000

    func connectionReady(_ connection: RedisConnection) {
        nodes[connection.endpoint]?.succeeded()
        onEvent?(.connected(connection.endpoint, connection.lane))
    }

    func connection(
        _ connection: RedisConnection, answered request: RedisRequest, with reply: RedisReplyView
    ) {
        guard case .single(let handler) = settle(request) else { return }
        statistics.note(request, nil, now: loopNow().nanoseconds)
        handler(.success(reply))
    }

    func connection(
        _ connection: RedisConnection, refused request: RedisRequest, with error: RedisServerError
    ) {
        let redirection = Redirection(error, from: connection.endpoint)
        guard !follow(redirection, error, request, connection, index: 0) else { return }
        fail(request, error.asError(endpoint: connection.endpoint))
    }

    /// A pipeline is sent again as a whole, and only when nothing of it can have run: the commands
    /// that were not redirected name no key (`WAIT` after a script).
    func connection(_ connection: RedisConnection, completed request: RedisRequest) {
        var first: (Redirection, RedisServerError, Int)?
        var mayRepeat = true
        for (index, reply) in request.replies.enumerated() {
            let error = reply.serverError
            let redirection = error.map { Redirection($0, from: connection.endpoint) } ?? .none
            if let error, redirection != .none {
                first = first ?? (redirection, error, index)
            } else if !request.command(index).isKeyless {
                mayRepeat = false
            }
        }
        if let first, mayRepeat || request.isRepeatable,
            follow(first.0, first.1, request, connection, index: first.2)
        {
            return
        }
        let replies = request.replies
        guard case .batch(let handler) = settle(request) else { return }
        statistics.note(request, nil, now: loopNow().nanoseconds)
        handler(.success(replies))
    }

    func connection(
        _ connection: RedisConnection, expired request: RedisRequest, wasSent: Bool
    ) {
        let now = loopNow().nanoseconds
        fail(
            request,
            wasSent
                ? request.outcomeUnknown(at: connection.endpoint, now: now) : request.timeoutError)
    }

    func connectionLost(
        _ connection: RedisConnection, failure: RedisError, unsent: [RedisRequest],
        sent: [RedisRequest]
    ) {
        let now = loopNow().nanoseconds
        forget(connection, failure, now)
        for request in sent {
            if case .protocolViolation = failure {
                fail(request, failure)
            } else if case .untrusted = failure, !connection.hasHeard {
                // In TLS 1.3 a server may refuse the client's certificate after the handshake is
                // over here: it has read none of this then.
                fail(request, failure)
            } else if request.isRepeatable, !isClosed, !request.failsFast {
                request.lastFailure = request.outcomeUnknown(at: connection.endpoint, now: now)
                request.redirect = nil
                request.replies = []
                dispatch(request)
            } else {
                fail(request, request.outcomeUnknown(at: connection.endpoint, now: now))
            }
        }
        for request in unsent {
            if request.failsFast || isClosed || failure.isFinal {
                fail(request, failure)
            } else {
                if failure != .closed { request.lastFailure = failure }
                request.redirect = nil
                dispatch(request)
            }
        }
    }

    private func forget(_ connection: RedisConnection, _ failure: RedisError, _ now: UInt64) {
        guard let node = nodes[connection.endpoint] else { return }
        if node.connections[connection.lane.rawValue] === connection {
            node.connections[connection.lane.rawValue] = nil
        }
        // It was closed here, in order.
        guard failure != .closed else { return }
        statistics.lostConnections &+= 1
        node.failed(failure, now: now, limits: configuration.limits, using: &random)
        onEvent?(.disconnected(connection.endpoint, connection.lane, reason: failure))
        if owners.contains(where: { $0 === node }) { refreshSoon() }
    }

    // MARK: Redirections

    /// Does what an error asks for; false where it is the caller's.
    private func follow(
        _ redirection: Redirection, _ error: RedisServerError, _ request: RedisRequest,
        _ connection: RedisConnection, index: Int
    ) -> Bool {
        guard redirection != .none else { return false }
        statistics.redirectionsByKind.add(redirection.name)
        if redirection == .noScript { return loadScript(request, connection, index) }
        // One named server was asked: its refusal is the answer.
        guard case .slot = request.target else { return false }
        statistics.redirections &+= 1
        request.attempts += 1
        request.replies = []
        request.lastFailure = error.asError(endpoint: connection.endpoint)
        switch redirection {
        case .moved(let slot, let endpoint):
            learn(slot, endpoint)
            refreshSoon(asking: endpoint)
            // The answer counts for this request even if a topology older than it is on its way.
            go(request, to: endpoint, isAsking: false)
        case .ask(let endpoint): go(request, to: endpoint, isAsking: true)
        case .tryAgain:
            // The redirection stays: a server that takes the slot in wants ASKING with every
            // attempt.
            park(request, for: pause(Self.tryAgainPause), untilTopology: false)
        case .notNow:
            request.redirect = nil
            refreshSoon()
            park(request, for: pause(Self.notNowPause), untilTopology: false)
        case .busy:
            request.redirect = nil
            park(request, for: pause(Self.notNowPause), untilTopology: false)
        case .noScript, .none: return false
        }
        return true
    }

    private func go(_ request: RedisRequest, to endpoint: RedisEndpoint, isAsking: Bool) {
        request.redirect = (endpoint, isAsking)
        if request.attempts > Self.patientAttempts {
            park(request, for: pause(Self.tryAgainPause), untilTopology: false)
        } else {
            dispatch(request)
        }
    }

    private func loadScript(_ request: RedisRequest, _ connection: RedisConnection, _ index: Int)
        -> Bool
    {
        guard let script = request.command(index).script, request.attempts < Self.scriptAttempts
        else {
            return false
        }
        statistics.redirections &+= 1
        request.attempts += 1
        request.replies = []
        if connection.state == .ready, !connection.isRetiring {
            connection.send(request, after: script)
        } else {
            dispatch(request)
        }
        return true
    }

    private func pause(_ range: ClosedRange<UInt64>) -> Duration {
        .nanoseconds(Int64(UInt64.random(in: range, using: &random)))
    }
}
