/// A key of the naming convention, taken apart.
///
/// - Shape: `TYPE:NAME:DIMENSION:{tag}ID:TIMESTAMP:METRIC`, always five colons, unused segments
///   empty.
/// - Invariant: `RedisKey(parsing: key.bytes) == key`, and `RedisKey(parsing: bytes)?.bytes ==
///   bytes`: only the one spelling that formatting gives is read.
/// - Why bytes: `Character` joins `\r\n` and combining marks, `String` equality joins spellings
///   that are different keys in Redis.
/// - Source: semantics.md §1.
public struct RedisKey: Hashable, Sendable, CustomStringConvertible {
    /// Longer keys are not read: no record's key comes near, and a reader must not copy megabytes.
    public static let maximumBytes = 1_024

    /// The first segment.
    public let type: RedisKeyType
    /// The second segment: a tier's name for rolled-up data, else free; UTF-8.
    public let name: [UInt8]
    /// The third segment.
    public let dimension: Dimension?
    /// The hash tag at the front of the fourth segment, without braces; never empty.
    public let tag: [UInt8]?
    /// The fourth segment after its tag; UTF-8.
    public let id: [UInt8]
    /// The fifth segment: the start of a window, in milliseconds since 1970.
    public let timestamp: Int64?
    /// The sixth segment.
    public let metric: Metric?

    /// A key of its parts; nil when a part is one that a segment refuses.
    ///
    /// - Errors: nil when `name`, `tag` or `id` holds `:`, `{`, `}`, a space, a control byte or
    ///   invalid UTF-8, when `tag` is empty, or when the key is longer than `maximumBytes`.
    public init?(
        type: RedisKeyType, name: [UInt8] = [], dimension: Dimension? = nil, tag: [UInt8]? = nil,
        id: [UInt8] = [], timestamp: Int64? = nil, metric: Metric? = nil
    ) {
        guard Self.isUsable(name), Self.isUsable(id), tag.map(Self.isUsable) ?? true,
            tag?.isEmpty != true
        else { return nil }
        self.type = type
        self.name = name
        self.dimension = dimension
        self.tag = tag
        self.id = id
        self.timestamp = timestamp
        self.metric = metric
        guard bytes.count <= Self.maximumBytes else { return nil }
    }

    /// Takes a key apart, by position; nil when it is not of the convention.
    public init?(parsing bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= Self.maximumBytes else { return nil }
        let segments = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .map { Array($0) }
        guard segments.count == 6, let type = Self.member(RedisKeyType.self, segments[0]),
            let dimension = Self.optional(segments[2], { Self.member(Dimension.self, $0) }),
            let (tag, id) = Self.tagAndID(segments[3]),
            let timestamp = Self.optional(segments[4], Self.canonicalNumber),
            let metric = Self.optional(segments[5], { Self.member(Metric.self, $0) })
        else { return nil }
        self.init(
            type: type, name: segments[1], dimension: dimension, tag: tag, id: id,
            timestamp: timestamp, metric: metric)
    }

    /// Takes a key apart, by position; nil when it is not of the convention.
    public init?(parsing bytes: [UInt8]) {
        let parsed = bytes.withUnsafeBytes { RedisKey(parsing: $0) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// Takes a key apart, by position; nil when it is not of the convention.
    public init?(parsing text: String) {
        self.init(parsing: Array(text.utf8))
    }

    /// The key as Redis has it.
    public var bytes: [UInt8] {
        var bytes = Array(type.rawValue.utf8)
        let colon = UInt8(ascii: ":")
        bytes.append(colon)
        bytes += name
        bytes.append(colon)
        bytes += (dimension?.rawValue ?? "").utf8
        bytes.append(colon)
        if let tag { bytes += [UInt8(ascii: "{")] + tag + [UInt8(ascii: "}")] }
        bytes += id
        bytes.append(colon)
        bytes += (timestamp.map { String($0) } ?? "").utf8
        bytes.append(colon)
        bytes += (metric?.rawValue ?? "").utf8
        return bytes
    }

    /// The key as text; exact, as all its bytes are UTF-8.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The key as text.
    public var description: String { text }

    /// The slot that the key lives in.
    public var slot: HashSlot { HashSlot(key: bytes) }

    private static func isUsable(_ segment: [UInt8]) -> Bool {
        let refused: [UInt8] = [
            UInt8(ascii: ":"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: " "), 0x7F,
        ]
        return segment.allSatisfy { $0 >= 0x20 && !refused.contains($0) }
            && segment.withUnsafeBytes { UTF8Check.isValid($0) }
    }

    /// An empty segment is `.some(nil)`; one that cannot be read is nil.
    private static func optional<Value>(
        _ segment: [UInt8], _ read: ([UInt8]) -> Value?
    ) -> Value?? {
        if segment.isEmpty { return .some(nil) }
        guard let value = read(segment) else { return nil }
        return .some(value)
    }

    private static func member<Value: RawRepresentable & CaseIterable>(
        _ values: Value.Type, _ segment: [UInt8]
    ) -> Value? where Value.RawValue == String {
        values.allCases.first { $0.rawValue.utf8.elementsEqual(segment) }
    }

    private static func canonicalNumber(_ segment: [UInt8]) -> Int64? {
        guard let number = Decimal.signed(segment), String(number).utf8.elementsEqual(segment)
        else {
            return nil
        }
        return number
    }

    private static func tagAndID(_ segment: [UInt8]) -> (tag: [UInt8]?, id: [UInt8])? {
        guard segment.first == UInt8(ascii: "{") else { return (nil, segment) }
        guard let close = segment.firstIndex(of: UInt8(ascii: "}")) else { return nil }
        return (Array(segment[1..<close]), Array(segment[(close + 1)...]))
    }
}
