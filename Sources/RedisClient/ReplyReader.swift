import CHiredis

/// Why the bytes of a server were refused.
struct ReplyFault: Error {
    let reason: String
}

/// hiredis's parser, writing replies onto a ``ReplyTape``.
///
/// Bounds against a hostile server: nesting is limited by hiredis (7), the announced length of a
/// string and the whole reply by `limit`, a line without end by ``longestLine``.
final class ReplyReader {
    /// Numbers, statuses and errors are lines; Redis sends none that is remotely as long.
    private static let longestLine = 64 * 1024
    /// An unused buffer larger than this is given back when it is empty. hiredis's own 16 KB would
    /// free and allocate it again at nearly every read.
    private static let keptBytes = 4 * 1024 * 1024

    private let reader: UnsafeMutablePointer<redisReader>
    private let tape: ReplyTape
    private let limit: Int
    private var isTapeFull = false

    init(limit: Int) {
        self.limit = limit
        tape = ReplyTape(limit: limit)
        guard let reader = redisReaderCreateWithFunctions(Self.functions) else {
            preconditionFailure("no memory for a redis reader")
        }
        self.reader = reader
        reader.pointee.privdata = Unmanaged.passUnretained(tape).toOpaque()
        reader.pointee.maxbuf = Self.keptBytes
    }

    deinit { redisReaderFree(reader) }

    /// Hands over bytes as they came from the socket.
    func feed(_ bytes: UnsafeRawBufferPointer) throws(ReplyFault) {
        let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        guard redisReaderFeed(reader, base, bytes.count) == REDIS_OK else { throw fault() }
    }

    /// The next complete reply; nil when more bytes are needed. The view holds until the next call.
    func next() throws(ReplyFault) -> RedisReplyView? {
        if isTapeFull {
            tape.reset()
            isTapeFull = false
        }
        var reply: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &reply) == REDIS_OK else { throw fault() }
        guard reply != nil else {
            try checkUnfinished()
            return nil
        }
        isTapeFull = true
        return RedisReplyView(
            tokens: UnsafePointer(tape.tokens), base: UnsafeRawPointer(tape.bytes), index: 0)
    }

    /// Looks at what waits for more bytes: hiredis would wait for a terabyte, and read a line
    /// without end again and again.
    private func checkUnfinished() throws(ReplyFault) {
        let pending = reader.pointee.len &- reader.pointee.pos
        guard pending > 0, let buffer = reader.pointee.buf, reader.pointee.ridx >= 0 else { return }
        let depth = Int(reader.pointee.ridx)
        let type = withUnsafePointer(to: &reader.pointee.rstack) { stack in
            UnsafeRawPointer(stack).assumingMemoryBound(to: redisReadTask.self)[depth].type
        }
        let line = UnsafeRawBufferPointer(
            start: buffer + Int(reader.pointee.pos), count: min(Int(pending), Self.longestLine))
        if type == REDIS_REPLY_STRING, let length = Self.announcedLength(line) {
            guard length <= limit else {
                throw ReplyFault(
                    reason: "a string of \(length) bytes, more than the limit of \(limit)")
            }
        } else if pending >= Self.longestLine {
            throw ReplyFault(reason: "a line of more than \(Self.longestLine) bytes")
        }
    }

    /// The length in the head of a string, once its line is complete.
    private static func announcedLength(_ line: UnsafeRawBufferPointer) -> Int? {
        var length = 0
        for byte in line {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else {
                return byte == UInt8(ascii: "\r") ? length : nil
            }
            let (product, overflow) = length.multipliedReportingOverflow(by: 10)
            length =
                overflow ? Int.max : product.addingReportingOverflow(Int(byte) - 48).partialValue
            if overflow || length < 0 { return Int.max }
        }
        return nil
    }

    private func fault() -> ReplyFault {
        if tape.isOverLimit {
            return ReplyFault(reason: "a reply larger than the limit of \(limit) bytes")
        }
        let text = withUnsafePointer(to: &reader.pointee.errstr) { text in
            text.withMemoryRebound(to: CChar.self, capacity: 128) { String(cString: $0) }
        }
        return ReplyFault(reason: text)
    }

    // MARK: hiredis's callbacks

    /// One table for all readers; it lives as long as the process, as hiredis keeps a pointer to
    /// it.
    private nonisolated(unsafe) static let functions:
        UnsafeMutablePointer<redisReplyObjectFunctions> = {
            let table = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
            table.initialize(
                to: redisReplyObjectFunctions(
                    createString: { task, text, length in
                        let kind: RedisReplyKind =
                            switch task?.pointee.type {
                            case REDIS_REPLY_ERROR: .error
                            case REDIS_REPLY_STATUS: .status
                            default: .string
                            }
                        let bytes = UnsafeRawBufferPointer(start: text, count: length)
                        return ReplyReader.write(task) { $0.append(kind, bytes) }
                    },
                    createArray: { task, count in
                        ReplyReader.write(task, isOpen: count > 0) {
                            $0.append(.array, Int64(count))
                        }
                    },
                    createInteger: { task, number in
                        ReplyReader.write(task) { $0.append(.integer, number) }
                    },
                    createNil: { task in ReplyReader.write(task) { $0.append(.null, 0) } },
                    freeObject: { _ in }))
            return table
        }()

    /// Appends one token; hiredis gets its index (plus one, as nil would mean "no memory") as the
    /// object.
    private static func write(
        _ task: UnsafePointer<redisReadTask>?, isOpen: Bool = false, _ append: (ReplyTape) -> Bool
    ) -> UnsafeMutableRawPointer? {
        guard let task, let data = task.pointee.privdata else { return nil }
        let tape = Unmanaged<ReplyTape>.fromOpaque(data)
        return tape._withUnsafeGuaranteedRef { tape in
            guard append(tape) else { return nil }
            let object = UnsafeMutableRawPointer(bitPattern: tape.tokenCount)
            if !isOpen { closeParents(task, tape) }
            return object
        }
    }

    /// A last element closes its array, and that one its own, as far as it is a last element too.
    private static func closeParents(_ task: UnsafePointer<redisReadTask>, _ tape: ReplyTape) {
        var task = task
        while let parent = task.pointee.parent, task.pointee.idx == parent.pointee.elements - 1 {
            tape.close(Int(bitPattern: parent.pointee.obj) - 1)
            task = UnsafePointer(parent)
        }
    }
}
