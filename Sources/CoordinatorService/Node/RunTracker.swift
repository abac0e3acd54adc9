import CoordinatorCore

/// What a leader knows of the runs: how far all shards are in each tier, by the nodes' own reports.
///
/// - Not guaranteed: that a report is still true; what a shard's own slot says is.
struct RunTracker {
    private var last: [String: NodeRecord.Progress] = [:]

    /// Up to where all shards are sealed and merged in a tier, ms; nil while that is not known.
    func doneTo(_ tier: Tier) -> Int64? { last[tier.name]?.doneTo }

    /// The tiers whose progress changed since the last call; none while a shard is not reported.
    mutating func changes(
        _ nodes: [NodeRecord], _ ladder: Ladder, shardCount: Int
    ) -> [(tier: Tier, progress: NodeRecord.Progress)] {
        let working = nodes.filter { $0.shards > 0 }
        guard working.reduce(0, { $0 + $1.shards }) == shardCount,
            working.allSatisfy({ !$0.progress.isEmpty })
        else { return [] }
        var changed: [(tier: Tier, progress: NodeRecord.Progress)] = []
        for tier in ladder.tiers.dropFirst() {
            let places = working.compactMap { $0.progress[tier.name] }
            guard places.count == working.count else { continue }
            let progress = NodeRecord.Progress(
                sealedTo: places.map(\.sealedTo).max() ?? 0,
                doneTo: places.map(\.doneTo).min() ?? 0)
            guard progress.doneTo > 0, last[tier.name] != progress else { continue }
            last[tier.name] = progress
            changed.append((tier, progress))
        }
        return changed
    }
}
