import Glibc
import RedisClient

/// One connection to one server, blocking, by hand: what is tested must not be the test's own tool.
final class RedisWire {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var start = 0

    /// Connects to a server on the loopback.
    init(_ port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(
                descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            let code = errno
            close(descriptor)
            throw Trouble("port \(port): errno \(code)")
        }
    }

    deinit { close(descriptor) }

    /// One command. An error reply is thrown, with its text.
    @discardableResult
    func call(_ words: String...) throws -> RedisValue {
        try call(words.map { Array($0.utf8) })
    }

    @discardableResult
    func call(_ words: [[UInt8]]) throws -> RedisValue {
        try send([words])
        return try reply()
    }

    /// How often the server was sent a command, by clients and scripts.
    func calls(of command: String) throws -> Int {
        let lines = try call("INFO", "commandstats").text?.split(whereSeparator: \.isNewline) ?? []
        let head = "cmdstat_\(command):calls="
        let line = lines.first { $0.hasPrefix(head) }
        return line.flatMap { Int($0.dropFirst(head.count).prefix { $0 != "," }) } ?? 0
    }

    /// Many commands in one go; their replies are checked for errors only.
    func pipeline(_ commands: [[[UInt8]]]) throws {
        for part in stride(from: 0, to: commands.count, by: 200) {
            let some = commands[part..<min(part + 200, commands.count)]
            try send(Array(some))
            for _ in some { _ = try reply() }
        }
    }

    private func send(_ commands: [[[UInt8]]]) throws {
        // All replies so far have been read: the buffer begins anew.
        buffer.removeAll(keepingCapacity: true)
        start = 0
        var bytes: [UInt8] = []
        for words in commands {
            bytes += Array("*\(words.count)\r\n".utf8)
            for word in words { bytes += Array("$\(word.count)\r\n".utf8) + word + [13, 10] }
        }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { pointer in
                // A peer that went away is an error here, not a signal.
                Glibc.send(
                    descriptor, pointer.baseAddress?.advanced(by: sent), bytes.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Trouble("send: errno \(errno)") }
            sent += count
        }
    }

    private func reply() throws -> RedisValue {
        let line = try line()
        let rest = String(line.dropFirst())
        switch line.first {
        case "+": return .string(Array(rest.utf8))
        case "-": throw Trouble(rest)
        case ":": return .integer(Int64(rest) ?? 0)
        case "$":
            guard let count = Int(rest), count >= 0 else { return .null }
            return .string(Array(try take(count + 2).dropLast(2)))
        case "*":
            guard let count = Int(rest), count >= 0 else { return .null }
            return .array(try (0..<count).map { _ in try reply() })
        default: throw Trouble("not a reply: \(line)")
        }
    }

    private func line() throws -> String {
        var end = start
        while true {
            while end < buffer.count, buffer[end] != 13 { end += 1 }
            if end + 1 < buffer.count { break }
            try receive()
        }
        defer { start = end + 2 }
        return String(decoding: buffer[start..<end], as: UTF8.self)
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.count - start < count { try receive() }
        defer { start += count }
        return Array(buffer[start..<start + count])
    }

    private func receive() throws {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { throw Trouble("the server closed the connection (errno \(errno))") }
        buffer.append(contentsOf: chunk[..<count])
    }
}

extension RedisWire {
    /// The server's clock, ms.
    func clock() throws -> Int64 {
        let parts = try call("TIME").items?.compactMap(\.int) ?? []
        guard parts.count == 2 else { throw Trouble("TIME says \(parts)") }
        return parts[0] * 1_000 + parts[1] / 1_000
    }
}
