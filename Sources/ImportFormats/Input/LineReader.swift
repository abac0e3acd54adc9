import Glibc

/// What a step of the line reader brought.
public enum LineStep: Equatable, Sendable {
    /// A line was lent.
    case line
    /// A line over the limit was passed over.
    case tooLong
    /// A chunk was read and no line ended in it: call again. So that a line without end holds
    /// nobody up.
    case more
    /// Nothing to read yet.
    case pending
    case end
}

/// Cuts bytes into lines, with bounded memory whatever they are.
///
/// A line ends with LF or CR LF, the last one also with the end of the file. What is between is any
/// byte, NUL as well.
///
/// - Thread: one; not shared.
public final class LineReader {
    /// Longer lines are passed over. May change between lines, for the format is known after the
    /// first one.
    public var maximumLineBytes: Int
    private let source: ByteSource
    private var buffer: [UInt8] = []
    /// Where the next line begins.
    private var start = 0
    /// Up to where no line end was found.
    private var searched = 0
    private var isSkipping = false
    private var isAtEnd = false

    /// A reader of a source; nobody else may read from it.
    public init(_ source: ByteSource, maximumLineBytes: Int) {
        self.source = source
        self.maximumLineBytes = maximumLineBytes
    }

    /// Lends the next line, without its end, for the length of the call.
    ///
    /// - Errors: those of the source, after all whole lines before; what was begun of a line is
    ///   dropped then, for half an event must not count.
    public func next(
        _ body: (UnsafeRawBufferPointer) throws(ImportError) -> Void
    ) throws(ImportError) -> LineStep {
        if let end = lineEnd() { return try finish(end, next: end + 1, body) }
        if isAtEnd { return try finishLast(body) }
        dropRead()
        switch try source.read({ buffer.append(contentsOf: $0) }) {
        case .pending: return .pending
        case .end: isAtEnd = true
        case .bytes: break
        }
        if let end = lineEnd() { return try finish(end, next: end + 1, body) }
        if isAtEnd { return try finishLast(body) }
        return .more
    }

    private func lineEnd() -> Int? {
        let found = buffer.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, searched < bytes.count,
                let place = memchr(base + searched, 0x0A, bytes.count - searched)
            else { return nil }
            return UnsafeRawPointer(place) - base
        }
        searched = found ?? buffer.count
        return found
    }

    private func finish(
        _ end: Int, next: Int, _ body: (UnsafeRawBufferPointer) throws(ImportError) -> Void
    ) throws(ImportError) -> LineStep {
        let line = start..<end
        start = next
        searched = next
        let wasSkipping = isSkipping
        isSkipping = false
        if wasSkipping || line.count > maximumLineBytes { return .tooLong }
        let isCRLF = !line.isEmpty && buffer[line.upperBound - 1] == 0x0D
        let text = isCRLF ? line.dropLast() : line
        // Typed throws do not pass through withUnsafeBytes' rethrow in every compiler: carry the
        // result.
        let result = buffer.withUnsafeBytes { bytes -> Result<Void, ImportError> in
            do throws(ImportError) {
                return .success(try body(UnsafeRawBufferPointer(rebasing: bytes[text])))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        return .line
    }

    private func finishLast(
        _ body: (UnsafeRawBufferPointer) throws(ImportError) -> Void
    ) throws(ImportError) -> LineStep {
        guard isSkipping || start < buffer.count else { return .end }
        return try finish(buffer.count, next: buffer.count, body)
    }

    /// Makes room for the next chunk: lines that were lent go, and a line that is too long as well.
    private func dropRead() {
        if isSkipping || buffer.count - start > maximumLineBytes {
            isSkipping = true
            buffer.removeAll(keepingCapacity: true)
        } else {
            buffer.removeSubrange(..<start)
        }
        start = 0
        searched = buffer.count
    }
}
