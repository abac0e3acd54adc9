import EventLoop

/// Runs one task for each index on the loop, at most `limit` at a time, and returns what they gave,
/// in order.
///
/// A task group would do, but the compiler's region checker refuses groups whose children run on
/// the loop's actor.
@LoopActor func gather<Value: Sendable>(
    _ count: Int, limit: Int = .max, _ body: @escaping @LoopActor (Int) async -> Value
) async -> [Value] {
    guard count > 0 else { return [] }
    let box = GatherBox<Value>(count: count)
    return await withCheckedContinuation { continuation in
        box.continuation = continuation
        for _ in 0..<min(limit, count) {
            spawn {
                while let index = box.take() {
                    box.give(index, await body(index))
                }
            }
        }
    }
}

@LoopActor private final class GatherBox<Value: Sendable> {
    private var values: [Value?]
    private var next = 0
    private var missing: Int
    var continuation: CheckedContinuation<[Value], Never>?

    init(count: Int) {
        values = [Value?](repeating: nil, count: count)
        missing = count
    }

    func take() -> Int? {
        guard next < values.count else { return nil }
        defer { next += 1 }
        return next
    }

    func give(_ index: Int, _ value: Value) {
        values[index] = value
        missing -= 1
        if missing == 0 {
            continuation?.resume(returning: values.compactMap { $0 })
            continuation = nil
        }
    }
}
