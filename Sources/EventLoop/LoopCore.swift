import CLibuv
import CoordinatorCore
import Glibc
import Synchronization

/// Somebody who wants one call at the end of a turn, to do at once what the turn gathered.
///
/// Connections flush so: a hundred commands of one turn become one write.
@LoopActor
public protocol LoopTurnParticipant: AnyObject {
    /// The turn's jobs have run; the loop is about to wait.
    func turnEnded()
}

/// Owner of the uv loop, of its thread, and of the jobs that wait for it.
///
/// Jobs run in the loop's prepare step (just before it waits) and in its check step (just after),
/// so neither what a timer started nor what a socket brought waits for another turn.
///
/// `@unchecked`: everything but the atomics is touched on the loop's thread only, which `submit`
/// and `drain` see to.
final class LoopCore: @unchecked Sendable {
    static let shared = LoopCore()

    /// More jobs than this wait for the next turn, so that a storm of tasks cannot starve the
    /// sockets.
    private static let maximumJobsPerTurn = 1_024
    /// A participant may ask again from its own call; after this many rounds that is the next
    /// turn's.
    private static let maximumRoundsPerTurn = 4

    let loop: UnsafeMutablePointer<uv_loop_t>
    let door: LoopDoor
    private let idle: UnsafeMutablePointer<uv_idle_t>
    private let thread = Atomic<UInt>(0)
    private let isClaimed = Atomic<Bool>(false)

    private var ready: [LoopItem] = []
    private var readyHead = 0
    private var participants: [any LoopTurnParticipant] = []
    private var isIdleRunning = false
    private(set) var lowPriorityTime: Duration = .zero

    private init() {
        loop = .allocate(capacity: 1)
        idle = .allocate(capacity: 1)
        requireSuccess(uv_loop_init(loop), "uv_loop_init")
        door = LoopDoor(loop: loop)
        requireSuccess(uv_idle_init(loop, idle), "uv_idle_init")
        let prepare = UnsafeMutablePointer<uv_prepare_t>.allocate(capacity: 1)
        requireSuccess(uv_prepare_init(loop, prepare), "uv_prepare_init")
        requireSuccess(
            uv_prepare_start(prepare) { _ in LoopCore.shared.drain() }, "uv_prepare_start")
        let check = UnsafeMutablePointer<uv_check_t>.allocate(capacity: 1)
        requireSuccess(uv_check_init(loop, check), "uv_check_init")
        requireSuccess(uv_check_start(check) { _ in LoopCore.shared.drain() }, "uv_check_start")
    }

    // MARK: The thread

    var isOnLoopThread: Bool { thread.load(ordering: .relaxed) == UInt(uv_thread_self()) }

    /// Makes the calling thread the loop's; false when another one already is.
    func claim() -> Bool {
        isClaimed.compareExchange(expected: false, desired: true, ordering: .sequentiallyConsistent)
            .exchanged
    }

    /// Runs the loop on the calling thread, which must have claimed it, until ``stop()``.
    func run() {
        // A peer that went away must be an error of the write, never a signal that ends the
        // process.
        _ = signal(SIGPIPE, SIG_IGN)
        thread.store(UInt(uv_thread_self()), ordering: .sequentiallyConsistent)
        uv_run(loop, UV_RUN_DEFAULT)
    }

    func stop() { uv_stop(loop) }

    /// In a test nobody gives the loop a thread: it takes one of its own at the first job.
    private func startOwnThreadIfUnclaimed() {
        guard !isClaimed.load(ordering: .relaxed), claim() else { return }
        var identifier = uv_thread_t()
        requireSuccess(
            uv_thread_create(&identifier, { _ in LoopCore.shared.run() }, nil), "uv_thread_create")
    }

    // MARK: Jobs

    /// Queues an item; `always` makes even the loop's own thread use the door.
    ///
    /// - Thread: any.
    func submit(_ item: LoopItem, always: Bool = false) {
        if isOnLoopThread && !always {
            ready.append(item)
        } else {
            startOwnThreadIfUnclaimed()
            door.push(item)
        }
    }

    @LoopActor
    func requestTurnEnd(_ participant: any LoopTurnParticipant) {
        participants.append(participant)
    }

    private func drain() {
        var budget = Self.maximumJobsPerTurn
        for _ in 0..<Self.maximumRoundsPerTurn {
            let fromOutside = door.takeAll()
            if !fromOutside.isEmpty { ready.append(contentsOf: fromOutside) }
            runJobs(&budget)
            if participants.isEmpty { break }
            LoopActor.assume { LoopCore.shared.endTurn() }
        }
        keepTurning(readyHead < ready.count || !participants.isEmpty)
    }

    private func runJobs(_ budget: inout Int) {
        while budget > 0, readyHead < ready.count {
            let item = ready[readyHead]
            readyHead += 1
            budget -= 1
            switch item {
            case .job(let job): run(job)
            case .call(let body): LoopActor.assume { body() }
            }
        }
        if readyHead == ready.count {
            ready.removeAll(keepingCapacity: ready.capacity <= 4 * Self.maximumJobsPerTurn)
            readyHead = 0
        } else {
            ready.removeFirst(readyHead)
            readyHead = 0
        }
    }

    private func run(_ job: UnownedJob) {
        // The others are not measured: reading the clock costs as much as a short job.
        guard job.priority.rawValue <= TaskPriority.utility.rawValue else {
            return LoopExecutor.shared.run(job)
        }
        let began = threadTime()
        LoopExecutor.shared.run(job)
        lowPriorityTime += threadTime() - began
    }

    @LoopActor
    private func endTurn() {
        var asked: [any LoopTurnParticipant] = []
        swap(&asked, &participants)
        for participant in asked { participant.turnEnded() }
        asked.removeAll(keepingCapacity: true)
        // The array goes back for the next turn: no allocation on a steady path.
        if participants.isEmpty { swap(&asked, &participants) }
    }

    /// An active idle handle makes the loop poll without waiting.
    private func keepTurning(_ wanted: Bool) {
        guard wanted != isIdleRunning else { return }
        isIdleRunning = wanted
        if wanted {
            requireSuccess(uv_idle_start(idle) { _ in }, "uv_idle_start")
        } else {
            requireSuccess(uv_idle_stop(idle), "uv_idle_stop")
        }
    }
}
