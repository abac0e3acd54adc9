/// A reply, or a part of one, where it lies in the connection's memory.
///
/// - Invariant: valid only until the handler that got it returns. It must not be stored, nor
///   carried over an `await`; decode or copy what is needed.
/// - Thread: loop only.
public struct RedisReplyView {
    let tokens: UnsafePointer<ReplyToken>
    let base: UnsafeRawPointer
    let index: Int

    /// What it is.
    @inline(__always)
    public var kind: RedisReplyKind { tokens[index].kind }

    /// The integer; 0 where it is none.
    public var integer: Int64 {
        kind == .integer ? tokens[index].value : 0
    }

    /// The bytes of a string, a status or an error; empty for the rest. Borrowed.
    public var bytes: UnsafeRawBufferPointer {
        switch kind {
        case .string, .status, .error:
            UnsafeRawBufferPointer(
                start: base + tokens[index].position, count: Int(tokens[index].value))
        case .null, .integer, .array: UnsafeRawBufferPointer(start: nil, count: 0)
        }
    }

    /// The number of elements of an array; 0 for the rest.
    public var count: Int { kind == .array ? Int(tokens[index].value) : 0 }

    /// True for the null reply.
    public var isNull: Bool { kind == .null }

    /// The elements of an array in order; none for the rest. Going through them allocates nothing.
    public var elements: Elements {
        Elements(tokens: tokens, base: base, position: index + 1, remaining: count)
    }

    /// One element; nil beyond the end. Walks from the first, so prefer ``elements`` for many.
    public subscript(position: Int) -> RedisReplyView? {
        guard position >= 0, position < count else { return nil }
        var walk = elements
        for _ in 0..<position { _ = walk.next() }
        return walk.next()
    }

    /// Copies it out.
    public func decoded() -> RedisValue {
        switch kind {
        case .null: .null
        case .integer: .integer(integer)
        case .string, .status: .string([UInt8](bytes))
        case .error: .error(RedisServerError(line: bytes))
        case .array: .array(elements.map { $0.decoded() })
        }
    }

    /// The elements of an array.
    public struct Elements: Sequence, IteratorProtocol {
        let tokens: UnsafePointer<ReplyToken>
        let base: UnsafeRawPointer
        var position: Int
        var remaining: Int

        /// The next element.
        public mutating func next() -> RedisReplyView? {
            guard remaining > 0 else { return nil }
            remaining -= 1
            let view = RedisReplyView(tokens: tokens, base: base, index: position)
            let token = tokens[position]
            position = token.kind == .array ? token.position : position + 1
            return view
        }

        /// As many as there are.
        public var underestimatedCount: Int { remaining }
    }
}
