import CoordinatorCore

/// The draws that generated traffic is made with, all from one seed.
///
/// - Invariant: each draw takes exactly one number of the generator, so that a change of one
///   figure does not shift all others.
struct TrafficRandom: Sendable {
    private var generator: SplitMix64

    init(seed: UInt64) {
        generator = SplitMix64(seed: seed)
    }

    /// 64 random bits.
    mutating func next() -> UInt64 {
        generator.next()
    }

    /// An even choice of `0..<bound`; `bound` is at least 1.
    ///
    /// The multiplication is off from even by less than 2^-20 for the bounds used here; rejection
    /// would be exact, but takes a varying count of numbers.
    mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// True in `chance` of all cases.
    mutating func happens(_ chance: Chance) -> Bool {
        next() >> 32 < chance.threshold
    }

    /// Spreads a number, such as a device's index, over 64 bits; different numbers stay different.
    static func mix(_ value: UInt64) -> UInt64 {
        var generator = SplitMix64(seed: value)
        return generator.next()
    }
}

/// A probability in 2^32 parts.
struct Chance: Sendable {
    /// `0...2^32`; the event happens when 32 random bits are below it.
    let threshold: UInt64

    /// - Parameter fraction: `0...1`; scaling by a power of two is exact, so equal on any machine.
    init(_ fraction: Double) {
        threshold = UInt64(fraction * 4_294_967_296)
    }
}
