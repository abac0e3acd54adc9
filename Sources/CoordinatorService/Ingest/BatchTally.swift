import CoordinatorCore
import EventLoop
import Metrics

/// What a batch adds to the figures once it is applied.
struct BatchTally {
    let read: Int
    let refused: [RefusalReason: Int]
    let late: Int
    /// The arrival of its oldest entry, ms; nil for an empty batch.
    let oldest: Int64?

    init(_ batch: Batch) {
        read = batch.read
        refused = batch.refused
        late = batch.late
        oldest = batch.first.map { Int64(clamping: $0.milliseconds) }
    }

    /// - Parameter serverTime: ms; nil where it is not known.
    @LoopActor func count(
        in metrics: NodeMetrics, _ kind: SourceRecord.Kind, serverTime: Int64?
    ) {
        guard read > 0 else { return }
        let lost = refused.values.reduce(0, +)
        metrics.read.add(kind.rawValue, by: UInt64(read))
        metrics.counted.add(kind.rawValue, by: UInt64(max(0, read - lost)))
        for (reason, count) in refused { metrics.refused.add(reason.rawValue, by: UInt64(count)) }
        metrics.late.add(by: UInt64(late))
        // An imported entry did not arrive when it says.
        guard kind == .live, let oldest, let serverTime else { return }
        metrics.visible.observe(span: .milliseconds(max(0, serverTime - oldest)))
    }
}
