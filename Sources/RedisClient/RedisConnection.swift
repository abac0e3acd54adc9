import CoordinatorCore
import EventLoop
import SecureStream

/// What a connection tells the client it works for.
@LoopActor
protocol RedisConnectionOwner: AnyObject {
    /// It may be used.
    func connectionReady(_ connection: RedisConnection)
    /// A command was answered by an error.
    func connection(
        _ connection: RedisConnection, refused request: RedisRequest, with error: RedisServerError)
    /// All replies of a pipeline are there.
    func connection(_ connection: RedisConnection, completed request: RedisRequest)
    /// A single command was answered.
    func connection(
        _ connection: RedisConnection, answered request: RedisRequest, with reply: RedisReplyView)
    /// The request's time is up.
    func connection(
        _ connection: RedisConnection, expired request: RedisRequest, wasSent: Bool)
    /// It is gone. `unsent` have not been sent, `sent` may have run.
    func connectionLost(
        _ connection: RedisConnection, failure: RedisError, unsent: [RedisRequest],
        sent: [RedisRequest])
}

/// One connection to one server, used from its first byte to its end and never again.
///
/// States: resolving → connecting → authenticating → ready → closed; from each one straight to
/// closed.
///
/// Commands of one turn of the loop go out in one write. They wait unformatted while the kernel
/// takes no more, so that "not sent" stays certain for as long as possible: what is in `owed` may
/// have run, what is in `waiting` has not.
///
/// - Thread: loop only.
@LoopActor
final class RedisConnection {
    enum State { case resolving, connecting, authenticating, ready, closed }

    /// What an owed reply is for.
    enum Owed {
        case reply(RedisRequest, index: Int)
        /// The connection's own, or one nobody waits for.
        case ignored
        case authentication
        /// `SCRIPT LOAD` of this digest, sent before the calls that need it.
        case script(String)
    }

    /// Formatted bytes beyond this are written at once, so that a turn's output stays in the cache.
    private static let writeBytes = 256 * 1024
    /// The buffer is given back when a large command made it larger than this.
    private static let keptBytes = 1024 * 1024

    let endpoint: RedisEndpoint
    let lane: RedisLane
    let configuration: RedisConfiguration
    private(set) var state = State.resolving
    /// No new commands; closed as soon as nothing is owed.
    var isRetiring = false

    private(set) var owner: (any RedisConnectionOwner)?
    private var stream: (any ByteStream)?
    private var addresses: [SocketAddress] = []
    private let reader: ReplyReader
    private var timer: LoopTimer?
    private var timerAt = UInt64.max

    var waiting = FirstInFirstOut<RedisRequest>()
    var owed = FirstInFirstOut<Owed>()
    private var outbox: [UInt8] = []
    private var willFlush = false
    private var loadingScripts: Set<String> = []
    private var sparePassword: String?
    /// The server has said something.
    private(set) var hasHeard = false

    /// Monotonic nanoseconds.
    let connectDeadline: UInt64
    var earliestDeadline = UInt64.max
    var lastHeard: UInt64
    var pingSentAt: UInt64?
    /// The kernel's backlog when it was last looked at: a shrinking one is a sign of life.
    var lastBacklog = 0

    init(
        to endpoint: RedisEndpoint, lane: RedisLane, configuration: RedisConfiguration,
        owner: any RedisConnectionOwner
    ) {
        self.endpoint = endpoint
        self.lane = lane
        self.configuration = configuration
        self.owner = owner
        reader = ReplyReader(limit: configuration.limits.replyBytes)
        let now = loopNow().nanoseconds
        lastHeard = now
        connectDeadline = now &+ configuration.connectTimeout.clampedNanoseconds
        timer = LoopTimer { self.wake() }
        rearm(at: connectDeadline)
        resolve()
    }

    /// Accepts a request; it goes out at the end of this turn, or when the connection stands.
    func send(_ request: RedisRequest) {
        waiting.append(request)
        if request.deadline < earliestDeadline {
            earliestDeadline = request.deadline
            rearm(at: request.deadline)
        }
        flushSoon()
    }

    /// Makes the server know a script, then sends the request that needed it, in this order.
    func send(_ request: RedisRequest, after script: RedisScript) {
        guard state == .ready else { return send(request) }
        if loadingScripts.insert(script.sha1).inserted {
            write(script.loadCommand, for: .script(script.sha1))
        }
        send(request)
    }

    /// Asks the server whether it lives.
    func ping(now: UInt64) {
        pingSentAt = now
        write(RedisCommand("PING"), for: .ignored)
        flushSoon()
    }

    /// Bytes the kernel has not taken yet.
    var backlog: Int { stream?.queuedBytes ?? 0 }

    /// Gives back what has not been sent.
    func takeUnsent() -> [RedisRequest] { waiting.takeAll() }

    /// Ends the connection and tells the owner what becomes of its requests. A second call does
    /// nothing.
    func close(_ failure: RedisError) {
        guard state != .closed else { return }
        state = .closed
        stream?.close()
        stream = nil
        timer?.close()
        timer = nil
        var sent: [RedisRequest] = []
        for entry in owed.takeAll() {
            // A pipeline owes several replies but is one request.
            if case .reply(let request, _) = entry, sent.last !== request, !request.isDone {
                sent.append(request)
            }
        }
        let unsent = waiting.takeAll()
        let owner = owner
        self.owner = nil
        owner?.connectionLost(self, failure: failure, unsent: unsent, sent: sent)
    }

    // MARK: Connecting

    private func resolve() {
        resolveAddresses(host: endpoint.host, port: endpoint.port) { [weak self] result in
            guard let self, state == .resolving else { return }
            switch result {
            case .success(let found):
                addresses = found
                connectToNext(unreachable("no address"))
            case .failure(let error): close(unreachable(error.reason))
            }
        }
    }

    /// A name may have several addresses, of which some do not answer: all are tried in turn.
    private func connectToNext(_ failure: RedisError) {
        guard !addresses.isEmpty else { return close(failure) }
        state = .connecting
        stream?.close()
        let stream: any ByteStream =
            configuration.tls.map { TLSStream(owner: self, context: $0, host: endpoint.host) }
            ?? TCPStream(owner: self)
        self.stream = stream
        do throws(LoopError) {
            try stream.connect(to: addresses.removeFirst())
        } catch {
            connectToNext(lost(error))
        }
    }

    private func unreachable(_ reason: String) -> RedisError {
        .unreachable(endpoint: endpoint.description, reason: reason)
    }

    private func lost(_ error: LoopError) -> RedisError {
        if error.isUntrusted {
            return .untrusted(endpoint: endpoint.description, reason: error.reason)
        }
        // A server that wants TLS hangs up on what is none.
        let isSuspect = error.function == "read" && configuration.tls == nil && !hasHeard
        return unreachable(error.reason + (isSuspect ? " (does it want TLS, rediss://?)" : ""))
    }

    private func authenticate() {
        if let password = configuration.newestPassword {
            state = .authenticating
            // What the source says now may be half of a rotation: the password that was accepted
            // before is tried after it.
            sparePassword = configuration.password == password ? nil : configuration.password
            authenticate(by: password)
        } else {
            becomeReady()
        }
    }

    private func authenticate(by password: String) {
        let command =
            configuration.user.map {
                RedisCommand("AUTH", RedisArgument($0), RedisArgument(password))
            }
            ?? RedisCommand("AUTH", RedisArgument(password))
        write(command, for: .authentication)
        writeOutbox()
    }

    private func becomeReady() {
        state = .ready
        if let name = configuration.clientName {
            // Refused at worst: a name is a convenience for the operator.
            write(RedisCommand("CLIENT", "SETNAME", RedisArgument(name)), for: .ignored)
        }
        owner?.connectionReady(self)
        flushSoon()
        rearm(at: nextWake(loopNow().nanoseconds))
    }

    // MARK: Writing

    private func flushSoon() {
        guard !willFlush, state == .ready else { return }
        willFlush = true
        atTurnEnd(self)
    }

    private func format(_ request: RedisRequest) {
        let isAsking = request.redirect?.isAsking ?? false
        for index in 0..<request.commandCount {
            let command = request.command(index)
            // ASKING holds for the next command only.
            if isAsking, !command.isKeyless { write(RedisCommand.asking, for: .ignored) }
            write(command, for: .reply(request, index: index))
        }
    }

    private func write(_ command: RedisCommand, for purpose: Owed) {
        command.buffer.withUnsafeBytes { bytes in
            outbox.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[command.start...]))
        }
        owed.append(purpose)
    }

    private func flush() {
        let now = loopNow().nanoseconds
        while state == .ready, let stream, stream.queuedBytes == 0 {
            while outbox.count < Self.writeBytes, let request = waiting.popFirst() {
                if request.isDone { continue }
                if request.deadline <= now {
                    owner?.connection(self, expired: request, wasSent: false)
                } else {
                    format(request)
                }
            }
            guard !outbox.isEmpty else { break }
            writeOutbox()
        }
        if state == .ready,
            timerAt > now &+ configuration.limits.owedPingInterval.clampedNanoseconds
        {
            rearm(at: nextWake(now))
        }
    }

    private func writeOutbox() {
        guard let stream, !outbox.isEmpty else { return }
        // The closure would erase the typed error, so it is carried out as a value.
        let failure = outbox.withUnsafeBytes { bytes -> LoopError? in
            do throws(LoopError) { try stream.write(bytes) } catch { return error }
            return nil
        }
        if let failure { return streamEnded(failure) }
        outbox.removeAll(keepingCapacity: outbox.capacity <= Self.keptBytes)
    }

    // MARK: Time

    /// Sets the timer unless it comes earlier anyway.
    func rearm(at instant: UInt64) {
        guard instant < timerAt, let timer else { return }
        timerAt = instant
        let now = loopNow().nanoseconds
        timer.start(after: .nanoseconds(Int64(clamping: instant &- min(instant, now))))
    }

    private func wake() {
        timerAt = .max
        let now = loopNow().nanoseconds
        checkTime(now)
        if state != .closed { rearm(at: nextWake(now)) }
    }

    // MARK: Replies

    private func readReplies(_ bytes: UnsafeRawBufferPointer) throws(ReplyFault) {
        try reader.feed(bytes)
        while state != .closed, let view = try reader.next() {
            guard let entry = owed.popFirst() else {
                throw ReplyFault(reason: "a reply nobody asked for")
            }
            handle(view, for: entry)
        }
    }

    private func handle(_ view: RedisReplyView, for entry: Owed) {
        switch entry {
        case .reply(let request, let index): handle(view, for: request, index)
        case .ignored: break
        case .script(let digest): loadingScripts.remove(digest)
        case .authentication:
            guard view.kind == .error else { return becomeReady() }
            if let password = sparePassword {
                sparePassword = nil
                return authenticate(by: password)
            }
            // Whatever the words: the server did not take the credentials it was given.
            let error = RedisServerError(line: view.bytes)
            close(.authentication(endpoint: endpoint.description, message: error.description))
        }
    }

    private func handle(_ view: RedisReplyView, for request: RedisRequest, _ index: Int) {
        guard !request.isDone else { return }
        switch request.consumer {
        case .single:
            if view.kind == .error {
                owner?.connection(self, refused: request, with: RedisServerError(line: view.bytes))
            } else {
                owner?.connection(self, answered: request, with: view)
            }
        case .batch:
            request.replies.append(view.decoded())
            if index == request.commandCount - 1 { owner?.connection(self, completed: request) }
        case nil: break
        }
    }
}

extension RedisConnection: ByteStreamOwner {
    func streamConnected() { authenticate() }

    func streamRead(_ bytes: UnsafeRawBufferPointer) {
        lastHeard = loopNow().nanoseconds
        hasHeard = true
        pingSentAt = nil
        do throws(ReplyFault) {
            try readReplies(bytes)
        } catch {
            close(.protocolViolation(endpoint: endpoint.description, reason: error.reason))
        }
        if isRetiring, owed.isEmpty, waiting.isEmpty { close(.closed) }
    }

    func streamDrained() { flushSoon() }

    func streamEnded(_ failure: LoopError) {
        switch state {
        case .connecting: connectToNext(lost(failure))
        case .resolving, .authenticating, .ready: close(lost(failure))
        case .closed: break
        }
    }
}

extension RedisConnection: LoopTurnParticipant {
    func turnEnded() {
        willFlush = false
        flush()
    }
}

extension RedisCommand {
    fileprivate static let asking = RedisCommand("ASKING")
}
