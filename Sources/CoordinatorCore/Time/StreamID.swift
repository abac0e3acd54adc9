/// The id of a stream entry: its time in milliseconds, then a number within that millisecond.
///
/// - Source: Redis Streams, "Entry IDs".
public struct StreamID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Before every entry: what a watermark is before the first one.
    public static let zero = StreamID(milliseconds: 0, sequence: 0)
    /// The last id that a stream can hold.
    public static let maximum = StreamID(milliseconds: .max, sequence: .max)

    /// Milliseconds since 1970, by the server's clock or the client's choice.
    public var milliseconds: UInt64
    /// The number within the millisecond.
    public var sequence: UInt64

    /// An id of its two parts.
    public init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// Reads `ms-seq`, exactly as Redis writes it; anything else is nil.
    public init?(_ text: String) {
        var text = text
        let parsed = text.withUTF8 { StreamID(bytes: UnsafeRawBufferPointer($0)) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// Reads `ms-seq` from borrowed bytes, exactly as Redis writes it; anything else is nil.
    public init?(bytes: UnsafeRawBufferPointer) {
        guard let dash = bytes.firstIndex(of: UInt8(ascii: "-")),
            let milliseconds = Decimal.canonicalUnsigned(bytes[..<dash]),
            let sequence = Decimal.canonicalUnsigned(bytes[(dash + 1)...])
        else { return nil }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }

    /// The id as Redis writes it: `ms-seq`.
    public var description: String { "\(milliseconds)-\(sequence)" }

    /// The smallest id after this one; the greatest id stays where it is, as nothing follows it.
    public func next() -> StreamID {
        if sequence < .max { return StreamID(milliseconds: milliseconds, sequence: sequence + 1) }
        if milliseconds < .max { return StreamID(milliseconds: milliseconds + 1, sequence: 0) }
        return self
    }

    /// Orders as the stream does.
    public static func < (left: StreamID, right: StreamID) -> Bool {
        left.milliseconds == right.milliseconds
            ? left.sequence < right.sequence : left.milliseconds < right.milliseconds
    }
}
