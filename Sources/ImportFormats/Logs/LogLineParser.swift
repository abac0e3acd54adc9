/// Parses lines of the common, combined and vhost-combined formats.
///
/// A line that is not of the form is nil, never an error: what people send to web servers has no
/// bounds. Fields after the user agent are passed over, servers add their own.
///
/// - Source: Apache HTTP Server, mod_log_config, "Custom Log Formats"; nginx, ngx_http_log_module,
///   `log_format` and `escape`.
public struct LogLineParser {
    /// Whether each line begins with the virtual host.
    public var isHostFirst: Bool
    private var clock = LogClock()

    /// A parser for one file.
    public init(isHostFirst: Bool) {
        self.isHostFirst = isHostFirst
    }

    /// The line's parts, or nil where it is not a log line.
    public mutating func parse(_ line: UnsafeRawBufferPointer) -> LogLine? {
        var cursor = LogCursor(line)
        var host: [UInt8]?
        if isHostFirst {
            guard let token = cursor.token(), Self.isHost(token) else { return nil }
            host = token.elementsEqual([UInt8(ascii: "-")]) ? nil : Array(token)
        }
        guard let address = cursor.token().map({ Array($0) }), !address.isEmpty,
            let time = cursor.bracketedTime(&clock), cursor.skip(UInt8(ascii: " ")),
            let request = cursor.quoted().flatMap(Self.request), cursor.skip(UInt8(ascii: " ")),
            let status = cursor.token().flatMap(Self.status), cursor.token() != nil
        else { return nil }
        var agent = [UInt8(ascii: "-")]
        var hasAgent = false
        if cursor.quotedRange() != nil, cursor.skip(UInt8(ascii: " ")), let quoted = cursor.quoted()
        {
            agent = quoted
            hasAgent = true
        }
        return LogLine(
            host: host, address: address, time: time, method: request.method,
            target: request.target, status: status, agent: agent, hasAgent: hasAgent)
    }

    /// Whether the bytes could stand between `http://` and a path without changing what is the
    /// host.
    static func isHost(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.count <= longestHost
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "@"),
                    UInt8(ascii: "\\"), UInt8(ascii: "\""), 0...0x20, 0x7F:
                    return false
                default: return true
                }
            }
    }

    /// A domain name has at most 253 bytes; a port adds six.
    private static let longestHost = 260

    private static let protocolStart = Array("HTTP/".utf8)

    /// Splits `GET /path HTTP/1.1`. The protocol may be missing (HTTP/0.9), the target may hold
    /// spaces (bad clients); a line without a method and a target is not a request.
    private static func request(_ bytes: [UInt8]) -> (method: [UInt8], target: [UInt8])? {
        guard let space = bytes.firstIndex(of: 0x20), space > 0,
            bytes[..<space].allSatisfy(isMethodByte)
        else { return nil }
        var target = bytes[(space + 1)...]
        if let last = target.lastIndex(of: 0x20),
            bytes[(last + 1)...].starts(with: protocolStart)
        {
            target = target[..<last]
        }
        return target.isEmpty ? nil : (Array(bytes[..<space]), Array(target))
    }

    private static func isMethodByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            return true
        default: return false
        }
    }

    private static func status(_ token: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard token.count == 3 else { return nil }
        var status = 0
        for byte in token {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            status = status * 10 + Int(byte - 0x30)
        }
        return status
    }
}

/// A cursor over one line.
struct LogCursor {
    private let line: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ line: UnsafeRawBufferPointer) {
        self.line = line
    }

    mutating func skip(_ byte: UInt8) -> Bool {
        guard position < line.count, line[position] == byte else { return false }
        position += 1
        return true
    }

    /// The bytes up to the next space, and the space is passed; nil at the end of the line or where
    /// there are none.
    mutating func token() -> Slice<UnsafeRawBufferPointer>? {
        let rest = line[position...]
        let end = rest.firstIndex(of: 0x20) ?? line.count
        guard end > position else { return nil }
        let token = line[position..<end]
        position = min(end + 1, line.count)
        return token
    }

    /// Looks for ` [time]` or `[time]` here: between address and time stand two names, and a user's
    /// may hold spaces.
    mutating func bracketedTime(_ clock: inout LogClock) -> Int64? {
        while let bracket = line[position...].firstIndex(of: UInt8(ascii: "[")) {
            position = bracket + 1
            let end = position + LogClock.width
            guard end < line.count else { return nil }
            guard bracket > 0, line[bracket - 1] == 0x20, line[end] == UInt8(ascii: "]"),
                let time = clock.milliseconds(
                    UnsafeRawBufferPointer(rebasing: line[position..<end]))
            else { continue }
            position = end + 1
            return time
        }
        return nil
    }

    /// The field in quotes, its escapes undone; nil where there is none, or it does not end.
    mutating func quoted() -> [UInt8]? {
        guard let field = quotedRange() else { return nil }
        let text = line[field.range]
        return field.hasEscapes ? Self.unescaped(text) : Array(text)
    }

    /// Passes the field in quotes; where it is, and whether there are escapes in it.
    mutating func quotedRange() -> (range: Range<Int>, hasEscapes: Bool)? {
        guard skip(UInt8(ascii: "\"")) else { return nil }
        let begin = position
        var hasEscapes = false
        var end = position
        while end < line.count {
            let byte = line[end]
            if byte == UInt8(ascii: "\"") {
                position = end + 1
                return (begin..<end, hasEscapes)
            }
            let isEscape = byte == UInt8(ascii: "\\")
            hasEscapes = hasEscapes || isEscape
            end += isEscape ? 2 : 1
        }
        position = line.count
        return nil
    }

    /// Undoes `\"`, `\\`, `\xHH` and the C escapes; a backslash before anything else stands for
    /// itself.
    private static func unescaped(_ field: Slice<UnsafeRawBufferPointer>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(field.count)
        var rest = field[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let escape = rest.first else {
                text.append(byte)
                continue
            }
            if let plain = meaning(of: escape) {
                rest.removeFirst()
                text.append(plain)
            } else if escape == UInt8(ascii: "x"), let value = hexByte(rest.dropFirst().prefix(2)) {
                rest = rest.dropFirst(3)
                text.append(value)
            } else {
                text.append(byte)
            }
        }
        return text
    }

    private static func meaning(of escape: UInt8) -> UInt8? {
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): return escape
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "v"): return 0x0B
        default: return nil
        }
    }

    private static func hexByte(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt8? {
        guard digits.count == 2 else { return nil }
        var value: UInt8 = 0
        for byte in digits {
            guard let digit = HexDigit.value(byte) else { return nil }
            value = value << 4 | digit
        }
        return value
    }
}

/// Hexadecimal digits.
enum HexDigit {
    static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: return byte - 0x30
        case 0x41...0x46: return byte - 0x41 + 10
        case 0x61...0x66: return byte - 0x61 + 10
        default: return nil
        }
    }
}
