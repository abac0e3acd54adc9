import CoordinatorCore
import EventLoop
import Synchronization
import Testing

@Suite("the event loop")
struct LoopTests {
    @Test("a test isolated to the loop runs although nobody gave the loop a thread")
    @LoopActor
    func isolatedTest() async throws {
        var order: [Int] = []
        let timer = LoopTimer { order.append(1) }
        timer.start(after: .milliseconds(1))
        try await loopSleep(.milliseconds(5))
        timer.close()
        #expect(order == [1])
    }

    @Test("MainLoop hands back what its body returned, also when the loop has a thread already")
    func mainLoop() async {
        // The loop is every test's: were this the first to need it, MainLoop would end it for the
        // others.
        await onLoop()
        #expect(MainLoop.run { 7 } == 7)
    }

    @LoopActor
    private func onLoop() {}

    @Test("a sleep is over, by error, as soon as its task is cancelled")
    @LoopActor
    func cancelledSleep() async {
        var wasCancelled = false
        let task = spawn {
            do { try await loopSleep(.seconds(3_600)) } catch { wasCancelled = true }
        }
        task.cancel()
        await task.value
        #expect(wasCancelled)
    }

    @Test("what other threads post arrives complete and in each thread's order")
    func postFromManyThreads() async {
        let threads = 4
        let perThread = 10_000
        let seen = await withTaskGroup(of: Void.self) { group in
            let box = Box()
            for thread in 0..<threads {
                group.addTask {
                    for number in 0..<perThread {
                        LoopDoor.post { box.add(thread, number) }
                    }
                }
            }
            await group.waitForAll()
            return await withCheckedContinuation { continuation in
                LoopDoor.post { continuation.resume(returning: box.byThread) }
            }
        }
        for thread in 0..<threads { #expect(seen[thread] == Array(0..<perThread)) }
    }

    @LoopActor
    private final class Box {
        var byThread: [Int: [Int]] = [:]
        nonisolated init() {}
        func add(_ thread: Int, _ number: Int) { byThread[thread, default: []].append(number) }
    }

    @Test("blocking work runs elsewhere and its result comes back to the loop")
    @LoopActor
    func offLoopWork() async {
        var results: [Int] = []
        for number in 0..<8 {
            results.append(await offLoop { number * number })
        }
        #expect(results == [0, 1, 4, 9, 16, 25, 36, 49])
    }

    @Test("a storm of tasks does not keep a timer from firing")
    @LoopActor
    func fairness() async throws {
        var isOver = false
        let timer = LoopTimer { isOver = true }
        timer.start(after: .milliseconds(2))
        var steps = 0
        while !isOver, steps < 100_000_000 {
            steps += 1
            await Task.yield()
        }
        timer.close()
        #expect(isOver)
    }

    @Test("participants are called once for each request, at the end of the turn")
    @LoopActor
    func turnEnd() async {
        let counter = Counter()
        atTurnEnd(counter)
        #expect(counter.calls == 0)
        while counter.calls == 0 { await Task.yield() }
        await Task.yield()
        #expect(counter.calls == 1)
    }

    @LoopActor
    private final class Counter: LoopTurnParticipant {
        var calls = 0
        func turnEnded() { calls += 1 }
    }

    @Test("the clock never steps back")
    func clock() {
        var last = loopNow()
        for _ in 0..<1_000 {
            let now = loopNow()
            #expect(now >= last)
            last = now
        }
    }

    @Test("a repeating timer fires until it is stopped, and not after close")
    @LoopActor
    func repeatingTimer() async throws {
        var fired = 0
        await withCheckedContinuation { continuation in
            var timer: LoopTimer?
            timer = LoopTimer {
                fired += 1
                guard fired == 3 else { return }
                timer?.close()
                timer = nil
                continuation.resume()
            }
            timer?.start(after: .zero, repeating: .milliseconds(1))
        }
        try await loopSleep(.milliseconds(5))
        #expect(fired == 3)
    }

    @Test("a host that cannot exist is an error of the resolver, a number resolves to itself")
    @LoopActor
    func resolve() async {
        let number = await lookUp("127.0.0.1")
        #expect((try? number.get())?.map(\.description) == ["127.0.0.1"])
        let longer = await lookUp("::1")
        #expect((try? longer.get())?.map(\.description) == ["::1"])
        guard case .failure(let error) = await lookUp("does-not-exist.invalid") else {
            Issue.record("the name must not resolve")
            return
        }
        #expect(error.function == "getaddrinfo")
    }

    @LoopActor
    private func lookUp(_ host: String) async -> Result<[SocketAddress], LoopError> {
        await withCheckedContinuation { continuation in
            resolveAddresses(host: host, port: 1) { continuation.resume(returning: $0) }
        }
    }
}
