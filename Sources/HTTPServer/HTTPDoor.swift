internal import CLinux
import CoordinatorCore
import EventLoop
import Glibc

/// Where connections come in, and wait until they have said something: on a thread of its own.
///
/// Most of what a flood costs is taking its connections in and ending them, in the kernel. On the
/// loop that would be time that the node does not count in. The loop is told of those that have a
/// request, and takes as many as it can bear.
///
/// `@unchecked`: what is not under the lobby's lock is touched by the door's thread alone, or
/// before that begins and after it has ended.
///
/// - Thread: made and closed on the loop. ``close()`` must be called before the last reference
///   goes.
final class HTTPDoor: @unchecked Sendable {
    /// How often deadlines are looked at, while somebody waits.
    private static let sweepInterval: Duration = .milliseconds(500)

    /// What both threads touch.
    private struct Shared {
        var lobby: HTTPLobby
        var statistics = HTTPStatistics()
        var isClosed = false

        /// Keeps a guest at a place.
        ///
        /// - Returns: whether the loop has to be told. Where a request waits already it was, and
        ///   goes on until none does.
        mutating func keep(_ guest: HTTPGuest, _ place: HTTPGuest.Place) -> Bool {
            let isFirst =
                switch place {
                case .outside, .silent: false
                case .probe: !lobby.hasRequest(ofProbe: true)
                case .question: !lobby.hasRequest(ofProbe: false)
                }
            lobby.add(guest, place)
            return isFirst
        }
    }

    private let shared: Guarded<Shared>
    private let limits: HTTPLimits
    private let listener: Int32
    private let epoll: Int32
    /// Readable when the door is to close.
    private let bell: Int32
    private var thread = pthread_t()
    private var isRunning = false
    private let onRequests: @LoopActor @Sendable () -> Void
    private let onNoRoom: @LoopActor @Sendable () -> Void

    /// The silent, by descriptor.
    private var watched: [Int32: HTTPGuest] = [:]
    private var allowance: HTTPAllowance
    private var opensAt: MonotonicInstant?
    private var sweepsAt: MonotonicInstant?

    /// Takes over a socket that listens; it is closed with the door.
    ///
    /// - Parameters:
    ///   - onRequests: requests wait.
    ///   - onNoRoom: descriptors have run out, and nobody in the lobby could give one back.
    /// - Errors: the function that failed and the reason.
    init(
        _ listener: Int32, _ limits: HTTPLimits,
        onRequests: @escaping @LoopActor @Sendable () -> Void,
        onNoRoom: @escaping @LoopActor @Sendable () -> Void
    ) throws(LoopError) {
        self.listener = listener
        self.limits = limits
        self.onRequests = onRequests
        self.onNoRoom = onNoRoom
        shared = Guarded(
            Shared(
                lobby: HTTPLobby(
                    limit: limits.waiting, limitOfPeer: limits.waitingPerAddress)))
        allowance = HTTPAllowance(
            share: limits.doorShare, burst: limits.doorBurst, now: loopNow())
        epoll = epoll_create1(coordinator_epoll_cloexec)
        bell = eventfd(0, coordinator_eventfd_flags)
        guard epoll >= 0, bell >= 0, watch(bell), watch(listener) else {
            let error = LoopError(function: "epoll_ctl", code: -errno)
            close()
            throw error
        }
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<HTTPDoor>.fromOpaque(context).takeUnretainedValue().run()
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
        guard code == 0 else {
            close()
            throw LoopError(function: "pthread_create", code: -code)
        }
        isRunning = true
    }

    deinit { if isRunning { preconditionFailure("an HTTPDoor was dropped without close()") } }

    /// Ends the thread and everybody who waits.
    func close() {
        shared.with { $0.isClosed = true }
        if isRunning {
            var one: UInt64 = 1
            _ = Glibc.write(bell, &one, MemoryLayout<UInt64>.size)
            pthread_join(thread, nil)
            isRunning = false
        }
        while let guest = shared.with({ $0.lobby.takeLongest() }) { guest.close() }
        for descriptor in [listener, epoll, bell] where descriptor >= 0 {
            Glibc.close(descriptor)
        }
    }

    // MARK: For the loop

    /// Who waits.
    var count: Int { shared.with { $0.lobby.count } }

    /// What it has seen.
    var statistics: HTTPStatistics { shared.with { $0.statistics } }

    /// Whether a request waits.
    func hasRequest(ofProbe isProbe: Bool) -> Bool {
        shared.with { $0.lobby.hasRequest(ofProbe: isProbe) }
    }

    /// The request that has waited longest; whoever takes it closes it.
    func takeRequest(ofProbe isProbe: Bool) -> HTTPGuest? {
        shared.with { $0.lobby.takeRequest(ofProbe: isProbe) }
    }

    // MARK: The thread

    private func run() {
        // Signals are the loop's.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let count = epoll_wait(epoll, &events, Int32(events.count), timeout())
            if shared.with({ $0.isClosed }) { return }
            let now = loopNow()
            for event in events.prefix(Int(max(0, count))) {
                let descriptor = event.data.fd
                if descriptor == listener {
                    acceptSome()
                } else if let guest = watched[descriptor] {
                    charge { spoke(guest) }
                }
            }
            if let opensAt, now >= opensAt {
                self.opensAt = nil
                modify(listener, coordinator_epollin)
            }
            sweep(now)
        }
    }

    /// Milliseconds until something is due; -1 when nothing is.
    private func timeout() -> Int32 {
        guard let due = [opensAt, sweepsAt].compactMap({ $0 }).min() else { return -1 }
        let now = loopNow()
        return due <= now ? 0 : Int32(clamping: (due - now).clampedMilliseconds)
    }

    /// Takes some of the connections that wait in the kernel.
    private func acceptSome() {
        charge {
            // Whoever comes next comes with others, and most have said something by then.
            closeDoor(for: limits.acceptPause)
            for _ in 0..<limits.acceptsPerTurn {
                guard let guest = accept() else { return }
                receive(guest)
            }
        }
    }

    private func accept() -> HTTPGuest? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let descriptor = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                accept4(listener, $0, &length, coordinator_accept_flags)
            }
        }
        guard descriptor >= 0 else {
            // Out of descriptors: those that wait longest have to go, or it stays so.
            if errno == EMFILE || errno == ENFILE { giveWay() }
            return nil
        }
        return HTTPGuest(descriptor, storage, length, since: loopNow())
    }

    private func giveWay() {
        let guest = shared.with { shared in
            let guest = shared.lobby.takeLongest()
            if guest != nil { shared.statistics.evicted += 1 }
            return guest
        }
        if let guest { end(guest) } else { LoopDoor.post(onNoRoom) }
    }

    /// One more has come; its request often is there already.
    private func receive(_ guest: HTTPGuest) {
        var place = guest.look()
        if place == .silent {
            if watch(guest.descriptor) {
                watched[guest.descriptor] = guest
            } else {
                place = .outside
            }
        }
        let (leaving, isNews) = shared.with { shared in
            shared.statistics.accepted += 1
            let leaving = place == .outside ? guest : shared.lobby.makeRoom(for: guest.peer)
            if place != .outside, leaving != nil { shared.statistics.evicted += 1 }
            return (leaving, shared.keep(guest, place))
        }
        if let leaving { end(leaving) }
        if isNews { LoopDoor.post(onRequests) }
        if sweepsAt == nil { sweepsAt = loopNow() + Self.sweepInterval }
    }

    /// A guest who was silent may have said something.
    private func spoke(_ guest: HTTPGuest) {
        let place = guest.look()
        if place == .silent { return }
        watched[guest.descriptor] = nil
        epoll_ctl(epoll, EPOLL_CTL_DEL, guest.descriptor, nil)
        let isNews = shared.with { shared in
            shared.lobby.take(guest)
            return shared.keep(guest, place)
        }
        if place == .outside { guest.close() }
        if isNews { LoopDoor.post(onRequests) }
    }

    /// Ends those who have said nothing in time, or whose turn has not come.
    private func sweep(_ now: MonotonicInstant) {
        guard let due = sweepsAt, now >= due else { return }
        let (late, left) = shared.with { shared in
            let late = shared.lobby.take(before: now - limits.requestDeadline)
            shared.statistics.timedOut += UInt64(late.count)
            return (late, shared.lobby.count)
        }
        for guest in late { end(guest) }
        sweepsAt = left == 0 ? nil : now + Self.sweepInterval
    }

    private func end(_ guest: HTTPGuest) {
        watched[guest.descriptor] = nil
        guest.close()
    }

    // MARK: Its part of the time

    /// Past the door's part, those who come wait in the kernel.
    private func charge(_ body: () -> Void) {
        let began = threadTime()
        body()
        guard let rest = allowance.spend(threadTime() - began, now: loopNow()) else { return }
        shared.with { $0.statistics.doorRests += 1 }
        closeDoor(for: min(limits.longestRest, rest))
    }

    private func closeDoor(for rest: Duration) {
        if opensAt == nil { modify(listener, 0) }
        opensAt = loopNow() + rest
    }

    private func watch(_ descriptor: Int32) -> Bool {
        var event = epoll_event(
            events: coordinator_epollin, data: epoll_data_t(fd: descriptor))
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    private func modify(_ descriptor: Int32, _ events: UInt32) {
        var event = epoll_event(events: events, data: epoll_data_t(fd: descriptor))
        epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event)
    }
}
