import EventLoop

/// A command, formatted and ready to send; copying it copies a reference.
public struct RedisCommand: Sendable {
    /// The bytes on the wire begin at `start`: the header was written right-aligned before the
    /// arguments.
    let buffer: [UInt8]
    let start: Int
    /// The command's name, for errors.
    public let operation: String
    /// It names no key (`WAIT`): it can be sent again together with the command it follows.
    let isKeyless: Bool
    /// The script it calls, loaded and tried again when the server does not know it.
    let script: RedisScript?
    /// It only reads, or running it twice is the same as once: sent again by itself when a
    /// connection breaks.
    public var isRepeatable: Bool
    /// How long the server may rightly be silent over it (`WAIT`, `BLOCK`), beyond the usual.
    public var blocksServer: Duration = .zero

    /// Formats a command.
    public init(_ arguments: [RedisArgument], isRepeatable: Bool = false) {
        var writer = RedisCommandWriter()
        for argument in arguments { writer.append(argument) }
        self = writer.finish(isRepeatable: isRepeatable)
    }

    /// Formats a command.
    public init(_ arguments: RedisArgument..., isRepeatable: Bool = false) {
        self.init(arguments, isRepeatable: isRepeatable)
    }

    /// `WAIT`: ask the server whether `replicas` replicas hold what this connection wrote.
    ///
    /// - Units: the server stops waiting after `timeout`, whole milliseconds, at least 1 (0 would
    ///   wait for ever).
    public static func wait(replicas: Int, timeout: Duration) -> RedisCommand {
        let milliseconds = max(1, timeout.clampedMilliseconds)
        var command = RedisCommand(
            "WAIT", RedisArgument(replicas), RedisArgument(milliseconds), isRepeatable: true)
        command.blocksServer = timeout
        return command
    }

    init(
        buffer: [UInt8], start: Int, operation: String, isKeyless: Bool, script: RedisScript?,
        isRepeatable: Bool
    ) {
        self.buffer = buffer
        self.start = start
        self.operation = operation
        self.isKeyless = isKeyless
        self.script = script
        self.isRepeatable = isRepeatable
    }

    /// Bytes on the wire.
    public var byteCount: Int { buffer.count - start }
}

/// Writes a command into one buffer, argument by argument.
///
/// hiredis could format it (`redisFormatCommandArgv`), but wants every argument as a C string first
/// and allocates the result: 77–109 ns an argument measured, 150–258 from Swift strings, against
/// 7–13 here. The number of arguments is known only at the end, so room for the header is left at
/// the front and the header written against its end; Redis refuses one padded with zeros.
public struct RedisCommandWriter: Sendable {
    /// `*`, up to 10 digits, CR, LF, rounded up.
    private static let headerRoom = 16

    private var buffer: [UInt8] = []
    /// Arguments written so far.
    public private(set) var argumentCount = 0
    private var operation = ""
    private var script: RedisScript?
    private var isKeyless = false

    /// Begins a command.
    ///
    /// - Parameter bytes: a guess at its size; a good one saves copies.
    public init(reserving bytes: Int = 112) {
        buffer.reserveCapacity(Self.headerRoom + bytes)
        buffer.append(contentsOf: repeatElement(0, count: Self.headerRoom))
    }

    /// Begins a script call; the keys follow, then the other arguments.
    public init(script: RedisScript, keyCount: Int, reserving bytes: Int = 240) {
        self.init(reserving: bytes)
        append("EVALSHA")
        append(script.sha1)
        append(keyCount)
        self.script = script
        operation = "script \(script.name)"
    }

    /// Bytes written so far, the header included.
    public var byteCount: Int { buffer.count }

    /// Appends an argument.
    public mutating func append(_ argument: RedisArgument) {
        switch argument.storage {
        case .text(let text): append(text)
        case .bytes(let bytes): append(bytes)
        case .integer(let number): append(number)
        }
    }

    /// Appends a string as UTF-8.
    public mutating func append(_ text: String) {
        var text = text
        if argumentCount == 0 { name(text) }
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Appends bytes.
    public mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends bytes that are only borrowed.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        argumentCount += 1
        writeLength(bytes.count)
        buffer.append(contentsOf: bytes)
        endLine()
    }

    /// Appends an integer in decimal digits.
    public mutating func append(_ number: some BinaryInteger) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.longestInteger) { digits in
            var end = digits.count
            var rest = number.magnitude
            repeat {
                let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
                end -= 1
                digits[end] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: remainder)
                rest = quotient
            } while rest != 0 && end > 1
            if number < 0 {
                end -= 1
                digits[end] = UInt8(ascii: "-")
            }
            append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[end...]))
        }
    }

    /// Appends an argument of known size that `fill` writes in place.
    public mutating func append(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        argumentCount += 1
        writeLength(count)
        let begin = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: count))
        buffer.withUnsafeMutableBytes {
            fill(UnsafeMutableRawBufferPointer(rebasing: $0[begin...]))
        }
        endLine()
    }

    /// Ends the command.
    ///
    /// - Parameter isRepeatable: see ``RedisCommand/isRepeatable``.
    public consuming func finish(isRepeatable: Bool = false) -> RedisCommand {
        precondition(argumentCount > 0, "a redis command needs a name")
        var index = Self.headerRoom
        put(UInt8(ascii: "\n"), before: &index)
        put(UInt8(ascii: "\r"), before: &index)
        var rest = argumentCount
        repeat {
            put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10), before: &index)
            rest /= 10
        } while rest != 0
        put(UInt8(ascii: "*"), before: &index)
        return RedisCommand(
            buffer: buffer, start: index, operation: operation, isKeyless: isKeyless,
            script: script,
            isRepeatable: isRepeatable)
    }

    /// The digits of a 128-bit integer, and its sign.
    private static let longestInteger = 40

    private mutating func put(_ byte: UInt8, before index: inout Int) {
        index -= 1
        buffer[index] = byte
    }

    private mutating func name(_ text: String) {
        operation = text
        isKeyless = text == "WAIT"
    }

    private mutating func writeLength(_ count: Int) {
        buffer.append(UInt8(ascii: "$"))
        if count < 10 {
            buffer.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: count))
        } else {
            var divisor = 10
            while count / divisor >= 10 { divisor *= 10 }
            while divisor > 0 {
                let digit = UInt8(truncatingIfNeeded: count / divisor % 10)
                buffer.append(UInt8(ascii: "0") + digit)
                divisor /= 10
            }
        }
        endLine()
    }

    private mutating func endLine() {
        buffer.append(UInt8(ascii: "\r"))
        buffer.append(UInt8(ascii: "\n"))
    }
}
