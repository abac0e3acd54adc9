/// The number of a shard, `0..<layout.count`.
public struct ShardID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The shard's number.
    public let rawValue: Int

    /// A shard by its number; whether a layout has it, the layout says.
    public init(rawValue: Int) {
        precondition(rawValue >= 0, "shard number \(rawValue) is negative")
        self.rawValue = rawValue
    }

    /// The shard's number in decimal.
    public var description: String { String(rawValue) }

    /// Orders by number.
    public static func < (left: ShardID, right: ShardID) -> Bool { left.rawValue < right.rawValue }
}
