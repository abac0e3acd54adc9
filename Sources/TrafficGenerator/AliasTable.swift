/// Draws an index with given weights in constant time.
///
/// - Source: Vose, "A linear algorithm for generating random numbers with a given distribution",
///   1991; here with integers, so that the same weights give the same table on any machine.
struct AliasTable: Sendable {
    private struct Column: Sendable {
        /// In 2^32 parts: below it the column's own index, else `alias`.
        var threshold: UInt32
        var alias: UInt32
    }

    private let columns: [Column]

    /// - Parameter weights: not empty; each below 2^41, and at most 2^22 of them.
    init(weights: [UInt64]) {
        precondition(
            !weights.isEmpty && weights.count <= 1 << 22, "an alias table of \(weights.count)")
        let count = UInt64(weights.count)
        let total = max(1, weights.reduce(0, &+))
        // Scaled so that an average column holds `total`.
        var rest = weights.map { $0 &* count }
        var columns = weights.indices.map { Column(threshold: .max, alias: UInt32($0)) }
        var small = rest.indices.filter { rest[$0] < total }
        var large = rest.indices.filter { rest[$0] >= total }
        while let poor = small.popLast() {
            guard let rich = large.last else { break }  // rounding only: the column keeps itself
            let share = rest[poor].multipliedFullWidth(by: 1 << 32)
            columns[poor].threshold = UInt32(
                truncatingIfNeeded: total.dividingFullWidth(share).quotient)
            columns[poor].alias = UInt32(rich)
            rest[rich] -= total - rest[poor]
            if rest[rich] < total {
                large.removeLast()
                small.append(rich)
            }
        }
        self.columns = columns
    }

    func draw(_ random: inout TrafficRandom) -> Int {
        let place = random.next().multipliedFullWidth(by: UInt64(columns.count))
        let index = Int(truncatingIfNeeded: place.high)
        let column = columns[index]
        return place.low >> 32 < column.threshold ? index : Int(column.alias)
    }
}
