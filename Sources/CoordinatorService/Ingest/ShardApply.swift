import CoordinatorCore
import EventLoop
import RedisClient

/// One call of `apply`, sent again until its outcome is known.
///
/// The compare-and-set makes the same call harmless twice: if the first one ran, the second finds
/// the watermark where it wanted it.
///
/// - Thread: loop only.
@LoopActor struct ShardApply {
    enum Outcome: Sendable {
        case applied(faults: Int64, fault: String)
        /// The watermark stored is another than expected; zero when there is none.
        case elsewhere(StreamID)
        case unclaimed
        case failed(ServiceError)
    }

    /// A lost reply is asked for again this often; then the shard is read from its own watermark.
    private static let attempts = 3

    let client: ShardClient
    let source: String
    let expected: StreamID
    let through: StreamID
    let floor: Int64
    let packed: [RedisArgument]

    func run() async -> Outcome {
        var failure = ServiceError.redis(.closed)
        for attempt in 0..<Self.attempts {
            do throws(ServiceError) {
                let applied = try await client.apply(
                    source, expected: expected == .zero ? nil : expected, through: through,
                    floor: floor, packed: packed)
                switch applied {
                case .applied(let faults, let fault): return .applied(faults: faults, fault: fault)
                case .unclaimed: return .unclaimed
                case .elsewhere(let stored):
                    if attempt > 0, stored == through { return .applied(faults: 0, fault: "") }
                    return .elsewhere(stored ?? .zero)
                }
            } catch {
                failure = error
                guard case .redis(.outcomeUnknown) = error else { return .failed(error) }
            }
        }
        return .failed(failure)
    }
}
