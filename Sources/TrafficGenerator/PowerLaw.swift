/// Weights of a power law, `2^40 / rank^exponent`, by integers alone.
///
/// `pow` differs in its last bit between C libraries, and one different weight changes every event
/// after it; squaring and square roots of integers are the same everywhere.
struct PowerLaw: Sendable {
    /// Weights are scaled by 2^40: fine enough for the millionth rank at exponent 2, and the sum of
    /// 2^22 of them stays below 2^63.
    static let scaleBits: UInt64 = 40

    private static let fractionBits: UInt64 = 32

    /// `2^(1/2), 2^(1/4), …` with 62 fraction bits.
    private let roots: [UInt64]
    private let exponentHundredths: UInt64

    /// - Parameter exponentHundredths: 100 is Zipf's law; at most `TrafficOptions.exponents`.
    init(exponentHundredths: Int) {
        self.exponentHundredths = UInt64(exponentHundredths)
        var value: UInt64 = 1 << 63  // 2, with 62 fraction bits
        roots = (0..<Self.fractionBits).map { _ in
            value = Self.squareRoot(value)
            return value
        }
    }

    /// The weight of `rank`, counted from 1; at least 1, so that every page can be seen.
    func weight(rank: Int) -> UInt64 {
        let exponent = Self.binaryLogarithm(UInt64(rank)) &* exponentHundredths / 100
        let whole = Self.scaleBits << Self.fractionBits
        guard exponent < whole else { return 1 }
        return max(1, powerOfTwo(whole - exponent))
    }

    /// log2 of `value` with 32 fraction bits, by repeated squaring.
    private static func binaryLogarithm(_ value: UInt64) -> UInt64 {
        let integer = UInt64(63 - value.leadingZeroBitCount)
        var mantissa = value << (31 - integer)  // ranks stay below 2^31
        var result = integer
        for _ in 0..<fractionBits {
            mantissa = (mantissa &* mantissa) >> 31
            result <<= 1
            if mantissa >= 1 << 32 {
                result |= 1
                mantissa >>= 1
            }
        }
        return result
    }

    /// 2 to the power of `exponent`, which has 32 fraction bits and is below 63.
    private func powerOfTwo(_ exponent: UInt64) -> UInt64 {
        var mantissa: UInt64 = 1 << 62
        for (index, root) in roots.enumerated()
        where exponent & (1 << (Self.fractionBits - 1 - UInt64(index))) != 0 {
            let product = mantissa.multipliedFullWidth(by: root)
            mantissa = product.high << 2 | product.low >> 62
        }
        let integer = exponent >> Self.fractionBits
        return integer >= 62 ? mantissa << (integer - 62) : mantissa >> (62 - integer)
    }

    /// The root of a number with 62 fraction bits, with 62 fraction bits, bit by bit.
    private static func squareRoot(_ value: UInt64) -> UInt64 {
        var root: UInt64 = 0
        for bit in (0..<64).reversed() {
            let trial = root | 1 << UInt64(bit)
            let square = trial.multipliedFullWidth(by: trial)
            // trial² has 124 fraction bits: compared with value × 2^62.
            let high = value >> 2
            let low = value << 62
            if square.high < high || (square.high == high && square.low <= low) { root = trial }
        }
        return root
    }
}
