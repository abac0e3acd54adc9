import CoordinatorCore

/// Whether a window can be compared with its parts: only while none of them has expired.
///
/// - Shape: parts of one window get their expiry in one step, from the end of each or, if later,
///   from the start of the import that brought them; `expiries` holds what they got.
struct PartsAudit {
    let ladder: Ladder
    /// ms.
    let allowance: Int64
    /// The server's clock, ms.
    let now: Int64
    /// When windows expire, ms, by tier index and start.
    let expiries: [WindowName: Int64]

    /// One stored window.
    struct WindowName: Hashable, Sendable {
        let tier: Int
        /// ms since 1970.
        let start: Int64
    }

    /// Judges the parts that are listed for a window of `tier`; those not listed had no events.
    func areComparable(_ tier: Tier, _ start: Int64, parts: [Int64]) -> Bool {
        let below = ladder.tiers[tier.index - 1]
        // The first part ends first: if its own time is not up, nothing can be gone.
        if below.end(of: start) + below.keepMilliseconds + allowance > now { return true }
        guard !parts.isEmpty, let floor = floor(of: tier, start) else { return false }
        // A part with another floor was made again by a later import, after it had expired.
        return parts.allSatisfy { part in
            self.floor(of: below, part).map {
                $0 <= floor && $0 + below.keepMilliseconds + allowance > now
            }
                ?? false
        }
    }

    /// The start of the import that prolongs a window's time; nil where nothing does.
    private func floor(of tier: Tier, _ start: Int64) -> Int64? {
        guard let expiry = expiries[WindowName(tier: tier.index, start: start)] else { return nil }
        let floor = expiry - tier.keepMilliseconds - allowance
        return floor > tier.end(of: start) ? floor : nil
    }
}
