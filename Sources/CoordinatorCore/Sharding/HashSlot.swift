/// A hash slot of a Redis Cluster: where a key lives.
///
/// - Shape: `0..<16384`, CRC16 of the key's hash tag, or of the whole key if it has none.
/// - Source: Redis Cluster specification, "Hash tags".
public struct HashSlot: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// How many slots a cluster has.
    public static let count = 16384

    /// The slot's number, `0..<16384`.
    public let rawValue: UInt16

    /// A slot by its number; nil from 16384 on.
    public init?(rawValue: UInt16) {
        guard rawValue < Self.count else { return nil }
        self.rawValue = rawValue
    }

    /// The slot of a key.
    public init(key: String) {
        var key = key
        self = key.withUTF8 { HashSlot(key: UnsafeRawBufferPointer($0)) }
    }

    /// The slot of a key.
    public init(key: [UInt8]) {
        self = key.withUnsafeBytes { HashSlot(key: $0) }
    }

    /// The slot of a key: what stands between the first `{` and the first `}` after it decides, if
    /// it is not empty; else the whole key does.
    public init(key: UnsafeRawBufferPointer) {
        self.init(checksum: CRC16.checksum(Self.hashedPart(of: key)))
    }

    /// The slot that decides the shard of a record: that of its 40 hex characters.
    public init(record: RecordID) {
        let checksum = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: RecordID.hexLength) {
            record.writeHex(to: $0)
            return CRC16.checksum($0)
        }
        self.init(checksum: checksum)
    }

    /// The slot's number in decimal.
    public var description: String { String(rawValue) }

    /// Orders by number.
    public static func < (left: HashSlot, right: HashSlot) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The slot that a checksum falls into.
    init(checksum: UInt16) {
        rawValue = checksum % UInt16(Self.count)
    }

    private static func hashedPart(of key: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer>
    {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")) else { return key[...] }
        let inside = key[(open + 1)...]
        guard let close = inside.firstIndex(of: UInt8(ascii: "}")), close > inside.startIndex else {
            return key[...]
        }
        return inside[..<close]
    }
}
