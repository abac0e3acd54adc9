/// Why bytes are no HyperLogLog of Redis.
///
/// Redis refuses the same bytes, with two exceptions: it reads the byte behind a text that ends
/// within an opcode, which is its own NUL, and takes that for the opcode's end; and some versions
/// ignore values that follow the last register.
public enum HyperLogLogError: Error, Equatable, CustomStringConvertible {
    /// Shorter than a header, or it does not begin with `HYLL`.
    case noHeader(byteCount: Int)
    /// An encoding that is neither dense nor sparse.
    case unknownEncoding(UInt8)
    /// A dense one of another length than all registers take.
    case denseLength(byteCount: Int)
    /// A sparse one that ends within an opcode.
    case endsInOpcode
    /// A sparse one whose runs do not add up to all registers: so many were named.
    case registerCount(Int)

    /// One lower-case line.
    public var description: String {
        switch self {
        case .noHeader(let count): "\(count) bytes without the header of a hyperloglog"
        case .unknownEncoding(let encoding): "a hyperloglog of the unknown encoding \(encoding)"
        case .denseLength(let count):
            "a dense hyperloglog of \(count) bytes instead of \(HyperLogLog.denseByteCount)"
        case .endsInOpcode: "a sparse hyperloglog that ends within an opcode"
        case .registerCount(let count):
            "a sparse hyperloglog of \(count) registers instead of \(HyperLogLog.registerCount)"
        }
    }
}
