import CoordinatorCore

/// The seeds of the property tests; a failure names the one that it had.
let seeds: ClosedRange<UInt64> = 1...4

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

    /// A number whose magnitude is as likely to be small as to be large.
    mutating func anyInt64() -> Int64 {
        let number = Int64(bitPattern: next())
        return number >> Int64.random(in: 0...63, using: &self)
    }
}

/// Lends the bytes of a text, as the ingest path has them.
func lend<Value>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) -> Value) -> Value {
    bytes.withUnsafeBytes { body($0) }
}
