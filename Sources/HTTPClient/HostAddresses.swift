import CoordinatorCore
import EventLoop

/// Looks hosts up, judges what is found, and remembers it for a short while.
///
/// libcurl never looks a name up: its resolver's threads are joined when a transfer ends early, and
/// would block the loop for as long as a name server is silent. And what is judged here is what it
/// is given to dial.
///
/// - Not guaranteed: an end in time of a look-up; whoever waits keeps a deadline. One host has one
///   look-up under way, so that a silent name server holds one of libuv's threads.
/// - Thread: loop only.
@LoopActor final class HostAddresses {
    /// A changed entry of a name server is followed within this.
    private static let trustedFor: Duration = .seconds(60)
    /// A failure is told to others for this long, so that a flood of requests is not one of
    /// look-ups.
    private static let failureTrustedFor: Duration = .seconds(1)

    typealias Answer = Result<[SocketAddress], HTTPError>

    private struct Known {
        let answer: Answer
        let until: MonotonicInstant
    }

    private struct Name: Hashable {
        let host: String
        let port: UInt16
    }

    private let rules: AddressRules
    private var known: [Name: Known] = [:]
    private var waiting: [Name: [Waiter]] = [:]

    init(_ rules: AddressRules) {
        self.rules = rules
    }

    /// The addresses of a host that may be dialled, at least one.
    ///
    /// - Errors: `.unresolved`, `.addressRefused`, `.timedOut`, `.closed`.
    func addresses(
        of host: String, port: UInt16, within limit: Duration
    ) async throws(HTTPError) -> [SocketAddress] {
        let name = Name(host: host, port: port)
        if let known = known[name], loopNow() < known.until { return try known.answer.get() }
        let answer = await withCheckedContinuation { continuation in
            let waiter = Waiter(continuation)
            waiter.giveUp(after: limit)
            let isFirst = waiting[name] == nil
            // Those that gave up are let go of here: a silent name server must not collect them.
            waiting[name] = (waiting[name] ?? []).filter { !$0.isDone } + [waiter]
            if isFirst { lookUp(name) }
        }
        return try answer.get()
    }

    /// Lets everybody go who waits.
    func close() {
        for waiter in waiting.values.flatMap({ $0 }) { waiter.finish(.failure(.closed)) }
        for name in waiting.keys { waiting[name] = [] }
    }

    private func lookUp(_ name: Name) {
        resolveAddresses(host: name.host, port: name.port) { [weak self] found in
            self?.take(found, name)
        }
    }

    private func take(_ found: Result<[SocketAddress], LoopError>, _ name: Name) {
        let answer = judged(found, name.host)
        var trust = Self.failureTrustedFor
        if case .success = answer { trust = Self.trustedFor }
        known[name] = Known(answer: answer, until: loopNow() + trust)
        for waiter in waiting.removeValue(forKey: name) ?? [] { waiter.finish(answer) }
    }

    private func judged(
        _ found: Result<[SocketAddress], LoopError>, _ host: String
    ) -> Answer {
        switch found {
        case .failure(let error): return .failure(.unresolved(host: host, reason: error.reason))
        case .success(let addresses):
            let usable = addresses.filter { rules.allows($0.bytes) }
            guard usable.isEmpty, let first = addresses.first else { return .success(usable) }
            return .failure(
                .addressRefused(
                    host: host, address: first.description, kind: AddressKind(of: first.bytes)))
        }
    }

    /// One who waits for a look-up, or gives up.
    @LoopActor private final class Waiter {
        private var continuation: CheckedContinuation<Answer, Never>?
        private var timer: LoopTimer?

        init(_ continuation: CheckedContinuation<Answer, Never>) {
            self.continuation = continuation
        }

        var isDone: Bool { continuation == nil }

        func giveUp(after limit: Duration) {
            let timer = LoopTimer { [weak self] in self?.finish(.failure(.timedOut(after: limit))) }
            self.timer = timer
            timer.start(after: limit)
        }

        func finish(_ answer: Answer) {
            timer?.close()
            timer = nil
            continuation?.resume(returning: answer)
            continuation = nil
        }
    }
}
