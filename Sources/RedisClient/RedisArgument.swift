/// One argument of a command: bytes, made from a literal, a string, an integer or bytes.
public struct RedisArgument: Hashable, Sendable, ExpressibleByStringLiteral,
    ExpressibleByIntegerLiteral,
    ExpressibleByStringInterpolation
{
    enum Storage: Hashable, Sendable {
        case text(String)
        case bytes([UInt8])
        case integer(Int64)
    }

    let storage: Storage

    /// A string, sent as UTF-8.
    public init(_ text: String) { storage = .text(text) }

    /// Bytes, sent as they are.
    public init(_ bytes: [UInt8]) { storage = .bytes(bytes) }

    /// An integer, sent as decimal digits.
    public init(_ number: some FixedWidthInteger) {
        if let small = Int64(exactly: number) {
            storage = .integer(small)
        } else {
            storage = .text(String(number))
        }
    }

    /// A string literal.
    public init(stringLiteral value: String) { storage = .text(value) }

    /// An integer literal.
    public init(integerLiteral value: Int64) { storage = .integer(value) }
}
