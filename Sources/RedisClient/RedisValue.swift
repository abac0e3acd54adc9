/// A reply, decoded and owned.
public enum RedisValue: Hashable, Sendable {
    /// No value.
    case null
    /// An integer.
    case integer(Int64)
    /// A string or a status line, as bytes.
    case string([UInt8])
    /// A list of replies.
    case array([RedisValue])
    /// An error inside an array or a pipeline.
    case error(RedisServerError)

    /// The text of a string (what is not UTF-8 is replaced) or the digits of an integer.
    public var text: String? {
        switch self {
        case .string(let bytes): String(decoding: bytes, as: UTF8.self)
        case .integer(let number): String(number)
        case .null, .array, .error: nil
        }
    }

    /// The bytes of a string.
    public var bytes: [UInt8]? {
        if case .string(let bytes) = self { bytes } else { nil }
    }

    /// An integer, or a string that is one.
    public var int: Int64? {
        switch self {
        case .integer(let number): number
        case .string(let bytes): Int64(String(decoding: bytes, as: UTF8.self))
        case .null, .array, .error: nil
        }
    }

    /// The elements of an array.
    public var items: [RedisValue]? {
        if case .array(let items) = self { items } else { nil }
    }

    /// The error, where it is one.
    public var serverError: RedisServerError? {
        if case .error(let error) = self { error } else { nil }
    }

    /// True for the null reply.
    public var isNull: Bool { self == .null }

    /// The value of a field in a reply that lists names and values in turn (`HGETALL`, `CLUSTER
    /// SHARDS`).
    public subscript(field: String) -> RedisValue? {
        guard let items else { return nil }
        let name = Array(field.utf8)
        var index = 0
        while index + 1 < items.count {
            if case .string(name) = items[index] { return items[index + 1] }
            index += 2
        }
        return nil
    }
}
