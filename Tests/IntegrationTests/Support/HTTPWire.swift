import Foundation
import Glibc

/// One connection to a node's HTTP, blocking, by hand: what is tested must not be the test's tool.
final class HTTPWire {
    /// What came back.
    struct Answer {
        let status: Int
        /// By lower-case name; a field that came twice has both values.
        let fields: [String: String]
        let body: String

        /// The body as JSON; nil where it is none.
        var json: Any? {
            try? JSONSerialization.jsonObject(
                with: Data(body.utf8), options: [.fragmentsAllowed])
        }
    }

    private let descriptor: Int32
    /// An answer that always goes on has no end either.
    private let patience: Duration

    /// Connects to a port of the loopback.
    init(_ port: Int, patience: Int = 20) throws {
        self.patience = .seconds(patience)
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var limit = timeval(tv_sec: patience, tv_usec: 0)
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

    /// Sends text as it is; false when the peer is gone.
    @discardableResult
    func send(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            == bytes.count
    }

    /// What there is to read now or soon; empty at the end, nil when nothing came in time.
    func read() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count < 0 { return errno == ECONNRESET ? [] : nil }
        return Array(buffer[..<count])
    }

    /// Everything up to the end of the connection; nil when it does not end in time.
    func readToEnd() -> String? {
        var all: [UInt8] = []
        let began = ContinuousClock.now
        while ContinuousClock.now - began < patience {
            guard let some = read() else { return nil }
            if some.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += some
        }
        return nil
    }

    /// One request on a connection of its own.
    static func ask(
        _ port: Int, _ line: String, _ fields: [String] = [], body: String = "",
        host: String = "127.0.0.1"
    ) throws -> Answer {
        let wire = try HTTPWire(port)
        var text = "\(line) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n"
        for field in fields { text += field + "\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        wire.send(text + "\r\n" + body)
        guard let answer = wire.readToEnd() else { throw Trouble("no answer to \(line)") }
        return try parse(answer)
    }

    /// Reads an answer with its length.
    static func parse(_ text: String) throws -> Answer {
        guard let end = text.range(of: "\r\n\r\n") else {
            throw Trouble("no answer: '\(text.prefix(200))'")
        }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else { throw Trouble(lines[0]) }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard parts.count == 2 else { continue }
            let name = parts[0].lowercased()
            fields[name] = fields[name].map { $0 + ", " + parts[1] } ?? parts[1]
        }
        return Answer(status: status, fields: fields, body: String(text[end.upperBound...]))
    }
}
