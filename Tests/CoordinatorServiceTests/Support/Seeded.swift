import CoordinatorCore

/// The seeds of the property tests; a failure names the one that it had.
let seeds: ClosedRange<UInt64> = 1...8

extension SplitMix64 {
    /// An element of a collection that is not empty.
    mutating func pick<Choices: Collection>(_ choices: Choices) -> Choices.Element {
        let offset = Int.random(in: 0..<choices.count, using: &self)
        return choices[choices.index(choices.startIndex, offsetBy: offset)]
    }

    /// Bytes of any value.
    mutating func bytes(_ lengths: ClosedRange<Int>) -> [UInt8] {
        let count = Int.random(in: lengths, using: &self)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// True once in so many times.
    mutating func once(in count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}
