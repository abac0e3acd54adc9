/// A set of devices, of which only the number can be told: what Redis keeps in a HyperLogLog.
///
/// A merge takes the greater of each register, so sets of any records, windows and shards can be
/// united in any order, also where Redis itself cannot: its keys lie in different slots.
///
/// - Shape: 2^14 registers of 6 bits, held as a byte each.
/// - Invariant: the estimate is to the unit what `PFCOUNT` gives of the same registers.
/// - Source: Redis, `hyperloglog.c`, the documented string formats; O. Ertl, "New cardinality
///   estimation algorithms for HyperLogLog sketches" (2017), algorithm 6.
public struct HyperLogLog: Sendable, Equatable {
    /// How many registers there are.
    public static let registerCount = 16_384
    /// Bits of a hash that are left for a register's value once its index is taken.
    static let valueBits = 50
    /// What comes before the registers: `HYLL`, the encoding, three unused bytes, eight of a cached
    /// count.
    static let headerByteCount = 16
    /// The length of every dense one.
    public static let denseByteCount = headerByteCount + registerCount * 6 / 8

    /// A byte for each register; 0 where no device fell.
    var registers: [UInt8]

    /// The empty set.
    public init() {
        registers = [UInt8](repeating: 0, count: Self.registerCount)
    }

    /// Empties the set and keeps its memory.
    public mutating func removeAll() {
        registers.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    }

    /// Adds the devices of another set.
    public mutating func formUnion(_ other: HyperLogLog) {
        registers.withUnsafeMutableBufferPointer { mine in
            other.registers.withUnsafeBufferPointer { theirs in
                for index in 0..<Self.registerCount {
                    mine[index] = max(mine[index], theirs[index])
                }
            }
        }
    }

    /// How many different devices there are, by Ertl's estimator.
    ///
    /// - Not guaranteed: a meaning for registers that no hash gives (all of them at their ends),
    ///   where the estimate has no bound: then it is the greatest number.
    public var estimate: Int64 {
        let counts = histogram()
        let size = Double(Self.registerCount)
        let saturated = Double(counts[Self.valueBits + 1])
        var sum = size * Self.tau((size - saturated) / size)
        for value in stride(from: Self.valueBits, through: 1, by: -1) {
            sum += Double(counts[value])
            sum *= 0.5
        }
        sum += size * Self.sigma(Double(counts[0]) / size)
        let estimate = (Self.bias * size * size / sum).rounded(.toNearestOrAwayFromZero)
        return Int64(exactly: estimate) ?? .max
    }

    /// 1 / (2 ln 2): the estimator's constant for infinitely many registers.
    private static let bias = 0.721347520444481703680

    /// How many registers have each value.
    private func histogram() -> [Int] {
        var counts = [Int](repeating: 0, count: 64)
        counts.withUnsafeMutableBufferPointer { counts in
            registers.withUnsafeBufferPointer { registers in
                for value in registers { counts[Int(value & 63)] += 1 }
            }
        }
        return counts
    }

    /// x + Σ x^(2^k) · 2^(k−1): what empty registers tell. Infinite when all are empty.
    private static func sigma(_ start: Double) -> Double {
        if start == 1 { return .infinity }
        var power = start
        var factor = 1.0
        var sum = start
        var before: Double
        repeat {
            power *= power
            before = sum
            sum += power * factor
            factor += factor
        } while before != sum
        return sum
    }

    /// (1 − x − Σ (1 − x^(2^−k))² · 2^−k) / 3: what registers at their end tell.
    private static func tau(_ start: Double) -> Double {
        if start == 0 || start == 1 { return 0 }
        var root = start
        var factor = 1.0
        var sum = 1 - start
        var before: Double
        repeat {
            root = root.squareRoot()
            before = sum
            factor *= 0.5
            sum -= (1 - root) * (1 - root) * factor
        } while before != sum
        return sum / 3
    }
}
