import Glibc

/// Whether a read brought something.
public enum ReadOutcome: Equatable, Sendable {
    case bytes
    /// Nothing to read yet; only where the source was told not to wait.
    case pending
    case end
}

/// The bytes of a file or of standard input, inflated where they are gzip (by their first bytes,
/// not by their name).
///
/// Memory is bounded whatever the input: one buffer of stored and one of inflated bytes.
///
/// - Thread: one; not shared. Reading blocks on a slow disk; on a pipe it does not when `waits` is
///   false.
public final class ByteSource {
    /// One read of stored bytes.
    private static let inputBytes = 65_536
    /// One chunk of inflated bytes: a read's worth at the usual ratio.
    private static let outputBytes = 131_072
    /// What a file is told apart by; see `head()`.
    public static let headBytes = 1_024

    private enum Encoding {
        case unknown
        case plain
        case gzip(GzipInflater, isBetweenMembers: Bool)
    }

    /// For messages.
    public let name: String
    /// The size of the stored file, where it has one; for progress.
    public let storedBytes: Int64?
    /// How many stored bytes have been used.
    public private(set) var consumedBytes: Int64 = 0

    private let descriptor: Int32
    private let ownsDescriptor: Bool
    private let waits: Bool
    private let input: UnsafeMutableRawBufferPointer
    private let output: UnsafeMutableRawBufferPointer
    private var available: Range<Int> = 0..<0
    private var isAtEnd = false
    private var encoding = Encoding.unknown
    /// What `head()` read ahead, handed out first.
    private var stash: [UInt8] = []
    private var failure: ImportError?

    /// Opens a file.
    public static func file(_ path: String) throws(ImportError) -> ByteSource {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotOpen(name: path, code: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw .cannotOpen(name: path, code: code)
        }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG || kind == S_IFIFO || kind == S_IFCHR else {
            close(descriptor)
            throw .notAFile(name: path)
        }
        return ByteSource(
            descriptor: descriptor, name: path, ownsDescriptor: true, waits: true,
            storedBytes: kind == S_IFREG ? Int64(status.st_size) : nil)
    }

    /// Standard input; without `waits` a read answers `.pending` instead of blocking the loop.
    public static func standardInput(waits: Bool) -> ByteSource {
        ByteSource(
            descriptor: STDIN_FILENO, name: "standard input", ownsDescriptor: false, waits: waits,
            storedBytes: nil)
    }

    /// A source on an open descriptor.
    init(
        descriptor: Int32, name: String, ownsDescriptor: Bool, waits: Bool, storedBytes: Int64?
    ) {
        self.descriptor = descriptor
        self.name = name
        self.ownsDescriptor = ownsDescriptor
        self.waits = waits
        self.storedBytes = storedBytes
        input = .allocate(byteCount: Self.inputBytes, alignment: 16)
        output = .allocate(byteCount: Self.outputBytes, alignment: 16)
    }

    // No callback of a loop is under way here: the descriptor and the buffers can go with their
    // owner.
    deinit {
        if ownsDescriptor { close(descriptor) }
        input.deallocate()
        output.deallocate()
    }

    /// The first 1,024 inflated bytes (or all, of a shorter file); nil while they have not arrived.
    ///
    /// They name the source of an import, so a compressed file and its plain copy are the same
    /// source. A file shorter than that is another source once it has grown.
    public func head() throws(ImportError) -> [UInt8]? {
        while stash.count < Self.headBytes, failure == nil {
            var outcome = ReadOutcome.end
            do {
                outcome = try readNext { stash.append(contentsOf: $0) }
            } catch {
                // The bytes before the damage count; the error is told when they have been read.
                failure = error
            }
            if outcome == .pending { return nil }
            if outcome == .end { break }
        }
        if stash.isEmpty, let failure { throw failure }
        return Array(stash.prefix(Self.headBytes))
    }

    /// Lends the next bytes, for the length of the call.
    ///
    /// - Errors: `.cannotRead`, `.corruptGzip`, `.truncatedGzip`, after everything before the
    ///   damage was lent; the same again at every further call.
    public func read(_ body: (UnsafeRawBufferPointer) -> Void) throws(ImportError) -> ReadOutcome {
        if !stash.isEmpty {
            stash.withUnsafeBytes(body)
            stash = []
            return .bytes
        }
        if let failure { throw failure }
        do {
            return try readNext(body)
        } catch {
            failure = error
            throw error
        }
    }

    private func readNext(
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(ImportError) -> ReadOutcome {
        if case .unknown = encoding {
            guard try fill(atLeast: 2) else { return .pending }
            let isGzip =
                available.count >= 2 && input[available.lowerBound] == 0x1F
                && input[available.lowerBound + 1] == 0x8B
            encoding = isGzip ? .gzip(GzipInflater(), isBetweenMembers: false) : .plain
        }
        guard case .gzip(let inflater, let isBetweenMembers) = encoding else {
            return try readPlain(body)
        }
        return try readGzip(inflater, isBetweenMembers, body)
    }

    private func readPlain(
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(ImportError) -> ReadOutcome {
        guard try fill(atLeast: 1) else { return .pending }
        guard !available.isEmpty else { return .end }
        body(UnsafeRawBufferPointer(rebasing: input[available]))
        use(available.count)
        return .bytes
    }

    private func readGzip(
        _ inflater: GzipInflater, _ wasBetweenMembers: Bool,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(ImportError) -> ReadOutcome {
        var isBetweenMembers = wasBetweenMembers
        while true {
            guard try fill(atLeast: 1) else { return .pending }
            if isBetweenMembers {
                // Tapes and some tools pad with zeros; anything else must be another member.
                while let first = available.first, input[first] == 0 { use(1) }
                if available.isEmpty {
                    if isAtEnd { return .end }
                    continue
                }
                inflater.reset()
                isBetweenMembers = false
                encoding = .gzip(inflater, isBetweenMembers: false)
            }
            guard !available.isEmpty else {
                throw .truncatedGzip(name: name, offset: consumedBytes)
            }
            let step = inflater.step(
                UnsafeRawBufferPointer(rebasing: input[available]), into: output)
            use(step.consumed)
            switch step.outcome {
            case .running: break
            case .memberEnded:
                isBetweenMembers = true
                encoding = .gzip(inflater, isBetweenMembers: true)
            case .failed(let reason):
                // A stream that failed fails again, so what it made before goes out first.
                if step.produced == 0 {
                    throw .corruptGzip(name: name, offset: consumedBytes, reason: reason)
                }
            }
            if step.produced > 0 {
                body(UnsafeRawBufferPointer(rebasing: output[..<step.produced]))
                return .bytes
            }
        }
    }

    private func use(_ count: Int) {
        available = available.lowerBound + count..<available.upperBound
        consumedBytes += Int64(count)
    }

    /// Reads until so many stored bytes are there or the end is reached; false where the source
    /// would have to wait.
    private func fill(atLeast count: Int) throws(ImportError) -> Bool {
        if available.isEmpty { available = 0..<0 }
        while available.count < count, !isAtEnd {
            if !waits, !isReadable() { return false }
            let free = UnsafeMutableRawBufferPointer(rebasing: input[available.upperBound...])
            let received = Glibc.read(descriptor, free.baseAddress, free.count)
            if received > 0 {
                available = available.lowerBound..<available.upperBound + received
            } else if received == 0 {
                isAtEnd = true
            } else if errno == EAGAIN {
                if !waits { return false }
                waitUntilReadable()
            } else if errno != EINTR {
                throw .cannotRead(name: name, offset: consumedBytes, code: errno)
            }
        }
        return true
    }

    private func isReadable() -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) != 0
    }

    private func waitUntilReadable() {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&entry, 1, -1)
    }
}
