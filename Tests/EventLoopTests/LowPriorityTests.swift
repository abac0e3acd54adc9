import CoordinatorCore
import EventLoop
import Testing

@Suite("the time of what can wait", .serialized)
struct LowPriorityTests {
    @Test("of a task of low priority it counts the running, not the waiting")
    @LoopActor
    func counted() async {
        let before = lowPriorityTime()
        var taken: Duration = .zero
        let task = spawn(priority: .utility) {
            for _ in 0..<3 {
                taken += Self.work()
                // Each part is a job of its own: the count goes on after it.
                do { try await loopSleep(.milliseconds(20)) } catch { return }
            }
        }
        await finish(of: task)
        let counted = lowPriorityTime() - before
        #expect(counted >= taken && counted < taken + .milliseconds(20), "\(counted), \(taken)")
    }

    @Test("of any other task it counts nothing")
    @LoopActor
    func uncounted() async {
        let before = lowPriorityTime()
        await spawn(priority: .medium) { _ = Self.work() }.value
        #expect(lowPriorityTime() == before)
    }

    @Test("what such a task starts is counted with it")
    @LoopActor
    func inherited() async {
        let before = lowPriorityTime()
        var taken: Duration = .zero
        await withCheckedContinuation { continuation in
            spawn(priority: .utility) {
                spawn {
                    taken = Self.work()
                    continuation.resume()
                }
            }
        }
        #expect(lowPriorityTime() - before >= taken)
    }

    /// Awaiting a task's value would lift it to the priority of whoever waits.
    @LoopActor
    private func finish(of task: Task<Void, Never>) async {
        await withCheckedContinuation { continuation in
            spawn(priority: .background) {
                await task.value
                continuation.resume()
            }
        }
    }

    /// Runs for ten milliseconds of the thread's own time.
    @LoopActor
    private static func work() -> Duration {
        let began = threadTime()
        while threadTime() - began < .milliseconds(10) {}
        return threadTime() - began
    }
}
