import CoordinatorCore
import RedisClient

/// Which windows a shard holds within a stretch of time, and the state that they were seen under.
///
/// - Shape: `SS:<tier>::{tag}::` lists a tier's windows, `SS:EXPIRY::{tag}::` when they end.
struct WindowIndex: Sendable {
    /// From just before the windows were listed.
    let state: ShardState
    /// The window being merged just after they were listed: what it holds is not whole.
    let open: (tier: Int, start: Int64)?
    /// By tier index: starts, ascending, without those whose keys have expired, ms.
    let windows: [[Int64]]
    /// When the deployment was initialised, ms: windows since then end by the clock alone.
    var initialisedAt: Int64 = .max

    /// Whether a window is sealed and completely merged; those of the base are never merged.
    func isDone(_ tier: Tier, _ start: Int64) -> Bool {
        tier.index > 0 && tier.end(of: start) <= state.done[tier.name] ?? 0
    }

    /// Whether a window is being merged.
    func isOpen(_ tier: Tier, _ start: Int64) -> Bool {
        [open, state.open].contains {
            $0.map { $0.tier - 1 == tier.index && $0.start == start } ?? false
        }
    }

    /// Whether nothing of the tier within a stretch has expired in this shard, so that a window
    /// that is not there had no events.
    ///
    /// A window has no expiry until the one that it is part of is done. A window that only an
    /// import keeps may also be one that had ended before: then a coarser one is there without a
    /// single part.
    ///
    /// - Units: ms since 1970, half-open; `now` is the server's clock.
    func keeps(
        _ tier: Tier, from: Int64, to: Int64, _ ladder: Ladder, allowance: Int64, now: Int64
    ) -> Bool {
        let end = tier.end(of: tier.start(of: from))
        let settling = tier.index + 1 < ladder.tiers.count ? ladder.tiers[tier.index + 1] : tier
        guard isDone(settling, settling.start(of: from)) else { return true }
        let keep = tier.keepMilliseconds + allowance
        if end + keep > now { return true }
        // What the deployment counted itself and keeps no more is not kept by an import either.
        guard tier.start(of: from) < initialisedAt, state.floor + keep > now else { return false }
        let finer = windows[tier.index]
        for coarser in ladder.tiers[(tier.index + 1)...] {
            let held = windows[coarser.index]
            var place = held.partitionPoint { coarser.end(of: $0) > from }
            while place < held.count, held[place] < to {
                let window = held[place]
                place += 1
                guard isDone(coarser, window) else { continue }
                let first = finer.partitionPoint { $0 >= window }
                let hasPart = first < finer.count && finer[first] < coarser.end(of: window)
                if !hasPart { return false }
            }
        }
        return true
    }
}

extension ShardClient {
    /// The windows of all tiers that start in a stretch, with the state before and after.
    ///
    /// - Units: ms since 1970; `now` is the server's clock, by which windows have expired.
    func index(from: Int64, to: Int64, now: Int64) async throws(ServiceError) -> WindowIndex {
        let tiers = deployment.ladder.tiers
        let first = RedisArgument(from == .min ? "-inf" : "\(from)")
        let last = RedisArgument(to == .max ? "+inf" : "(\(to)")
        let stateKey = RedisArgument(RedisKeys.shardState(tag))
        var commands = [RedisCommand("HGETALL", stateKey, isRepeatable: true)]
        for tier in tiers {
            commands.append(
                RedisCommand(
                    "ZRANGE", .init(RedisKeys.windows(tier, tag)), first, last, "BYSCORE",
                    isRepeatable: true))
        }
        commands.append(
            RedisCommand(
                "ZRANGE", .init(RedisKeys.expiry(tag)), "-inf", .init(now), "BYSCORE",
                isRepeatable: true))
        commands.append(RedisCommand("HGET", stateKey, "open", isRepeatable: true))
        let replies = try await pipeline(commands)
        let expired = Set((replies[tiers.count + 1].items ?? []).compactMap(\.text))
        let windows = tiers.map { tier in
            (replies[tier.index + 1].items ?? []).compactMap { reply -> Int64? in
                guard let text = reply.text, !expired.contains("\(tier.index + 1):\(text)") else {
                    return nil
                }
                return Int64(text)
            }
        }
        return WindowIndex(
            state: ShardState(shard: shard, fields: (replies[0].items ?? [])[...]),
            open: replies[tiers.count + 2].text.flatMap(ShardState.window), windows: windows,
            initialisedAt: deployment.initialisedAt)
    }
}

extension Array where Element: Comparable {
    /// The first index whose element satisfies `predicate`, in an array where such elements are
    /// last.
    func partitionPoint(_ predicate: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
