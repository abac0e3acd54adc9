/// What one part of a reply is.
public enum RedisReplyKind: UInt8, Sendable {
    case null, integer, string, status, error, array
}

/// One part of a reply on the tape.
struct ReplyToken {
    var kind: RedisReplyKind
    /// The integer, the number of bytes, or the number of elements.
    var value: Int64
    /// Of a string: where its bytes begin. Of an array: the index of the token after its last
    /// element.
    var position: Int
}

/// One reply, flat: tokens in the order they were read, and the bytes of its strings.
///
/// Both blocks are used again for the next reply, so a steady stream of replies allocates nothing.
/// The bytes are copied here because hiredis moves its own buffer before it hands a reply out.
final class ReplyTape {
    /// Blocks larger than this are given back after the reply that needed them.
    private static let keptBytes = 4 * 1024 * 1024

    private(set) var tokens: UnsafeMutablePointer<ReplyToken>
    private(set) var tokenCount = 0
    private var tokenCapacity = 256
    private(set) var bytes: UnsafeMutableRawPointer
    private var byteCount = 0
    private var byteCapacity = 4_096
    private let limit: Int
    /// The reply grew beyond the limit and was refused.
    private(set) var isOverLimit = false

    /// - Parameter limit: tokens and bytes together may take this many bytes.
    init(limit: Int) {
        self.limit = limit
        tokens = .allocate(capacity: tokenCapacity)
        bytes = .allocate(byteCount: byteCapacity, alignment: 16)
    }

    deinit {
        tokens.deallocate()
        bytes.deallocate()
    }

    /// Empties the tape for the next reply.
    func reset() {
        tokenCount = 0
        byteCount = 0
        if tokenCapacity * MemoryLayout<ReplyToken>.stride > Self.keptBytes {
            tokens.deallocate()
            tokenCapacity = 256
            tokens = .allocate(capacity: tokenCapacity)
        }
        if byteCapacity > Self.keptBytes {
            bytes.deallocate()
            byteCapacity = 4_096
            bytes = .allocate(byteCount: byteCapacity, alignment: 16)
        }
    }

    /// Appends a scalar or the head of an array; false when the reply is too large.
    func append(_ kind: RedisReplyKind, _ value: Int64) -> Bool {
        guard makeRoom(0) else { return false }
        tokens[tokenCount] = ReplyToken(kind: kind, value: value, position: tokenCount + 1)
        tokenCount += 1
        return true
    }

    /// Appends a string.
    func append(_ kind: RedisReplyKind, _ text: UnsafeRawBufferPointer) -> Bool {
        guard makeRoom(text.count) else { return false }
        tokens[tokenCount] = ReplyToken(kind: kind, value: Int64(text.count), position: byteCount)
        tokenCount += 1
        if let base = text.baseAddress, text.count > 0 {
            (bytes + byteCount).copyMemory(from: base, byteCount: text.count)
            byteCount += text.count
        }
        return true
    }

    /// The array at `index` has its last element: it ends where the tape now ends.
    func close(_ index: Int) { tokens[index].position = tokenCount }

    private func makeRoom(_ count: Int) -> Bool {
        let tokenBytes = (tokenCount + 1) * MemoryLayout<ReplyToken>.stride
        guard count <= limit - byteCount, tokenBytes <= limit - byteCount - count else {
            isOverLimit = true
            return false
        }
        if tokenCount == tokenCapacity {
            let larger = UnsafeMutablePointer<ReplyToken>.allocate(capacity: tokenCapacity * 2)
            larger.moveInitialize(from: tokens, count: tokenCount)
            tokens.deallocate()
            tokens = larger
            tokenCapacity *= 2
        }
        if byteCount + count > byteCapacity {
            let capacity = max(byteCapacity * 2, byteCount + count)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: bytes, byteCount: byteCount)
            bytes.deallocate()
            bytes = larger
            byteCapacity = capacity
        }
        return true
    }
}
