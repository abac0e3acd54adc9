import CZlib

/// Inflates gzip members, one after the other. The one owner of a `z_stream`.
///
/// - Thread: one; not shared.
/// - Source: RFC 1952; zlib manual, `inflate`.
final class GzipInflater {
    /// What one step did.
    struct Step {
        var consumed: Int
        var produced: Int
        var outcome: Outcome
    }

    /// How one step ended.
    enum Outcome: Equatable {
        /// More of this member follows.
        case running
        /// The member is complete, and its checksum right.
        case memberEnded
        case failed(String)
    }

    /// 15 is the largest window, 16 asks for the gzip wrapping.
    private static let gzipWindowBits: Int32 = 15 + 16

    private let stream: UnsafeMutablePointer<z_stream>

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let status = coordinator_inflateInit2(stream, Self.gzipWindowBits)
        precondition(status == Z_OK, "zlib's inflateInit2 failed with \(status): out of memory")
    }

    // Unlike a handle of the loop nothing else holds this memory, so it can go with its owner.
    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Makes ready for the next member.
    func reset() {
        let status = inflateReset(stream)
        precondition(status == Z_OK, "zlib's inflateReset failed with \(status)")
    }

    /// Inflates from `input` to `output` until one of them is used up, or the member ends.
    func step(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Step {
        let source = input.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.next_in = UnsafeMutablePointer(mutating: source)
        stream.pointee.avail_in = UInt32(clamping: input.count)
        stream.pointee.next_out = output.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(clamping: output.count)
        let status = inflate(stream, Z_NO_FLUSH)
        let step = Step(
            consumed: input.count - Int(stream.pointee.avail_in),
            produced: output.count - Int(stream.pointee.avail_out), outcome: outcome(status))
        stream.pointee.next_in = nil
        stream.pointee.next_out = nil
        return step
    }

    private func outcome(_ status: Int32) -> Outcome {
        switch status {
        case Z_OK, Z_BUF_ERROR: return .running
        case Z_STREAM_END: return .memberEnded
        default:
            let message = stream.pointee.msg.map { String(cString: $0) }
            return .failed(message ?? "zlib error \(status)")
        }
    }
}
