import Glibc
import RedisClient

/// A peer that follows a script: it answers what it expects, in order, and writes down what it did
/// not.
///
/// Questions for the topology and PING are answered aside, as they come when the client likes.
/// Everything runs on threads of its own with blocking sockets, so that no code is shared with the
/// client under test.
final class ScriptedServer: Sendable {
    enum Step: Sendable {
        /// The next command, its words joined by blanks.
        case expect(String)
        /// Bytes to send after it.
        case send(String)
        /// The same, byte by byte.
        case sendTorn(String)
        /// Closes the connection.
        case close
        /// Closes it with a reset.
        case reset
    }

    /// How questions aside from the script are answered.
    enum Aside: Sendable {
        case answer(String)
        /// Not at all, and nothing else on that connection from then on.
        case silence
        /// By the script.
        case scripted
    }

    private struct State {
        var steps: [Step]
        var topology = Aside.answer("*0\r\n")
        var slots = Aside.answer("*0\r\n")
        var ping = Aside.answer("+PONG\r\n")
        var problems: [String] = []
        var received: [String] = []
        var sockets: [Int32] = []
        var isStopped = false
    }

    let port: UInt16
    private let listener: Int32
    private let state: Locked<State>

    /// - Parameter isRefusing: holds the port but refuses connections until ``admit()``. A port
    ///   that was merely free would soon be another test's.
    init(_ steps: [Step] = [], isRefusing: Bool = false) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var one: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = loopback()
        let bound = withSockaddr(&address) { bind(listener, $0, $1) }
        precondition(bound == 0, "cannot bind: \(errno)")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(listener, $0, &length)
            }
        }
        self.listener = listener
        self.port = UInt16(bigEndian: address.sin_port)
        state = Locked(State(steps: steps))
        if !isRefusing { admit() }
    }

    /// Begins to accept connections.
    func admit() {
        precondition(listen(listener, 64) == 0, "cannot listen: \(errno)")
        onThread { self.acceptAll() }
    }

    var endpoint: RedisEndpoint { RedisEndpoint(host: "127.0.0.1", port: port) }

    /// What differed from the script, and what is left of it.
    var problems: [String] {
        state.withLock { state in state.problems + state.steps.map { "left over: \($0)" } }
    }

    /// All commands so far, in order of arrival.
    var received: [String] { state.withLock { $0.received } }

    func count(of command: String) -> Int { received.count { $0 == command } }

    func answerTopology(_ aside: Aside) { state.withLock { $0.topology = aside } }

    func answerSlots(_ aside: Aside) { state.withLock { $0.slots = aside } }

    func answerPing(_ aside: Aside) { state.withLock { $0.ping = aside } }

    func append(_ steps: [Step]) { state.withLock { $0.steps += steps } }

    func stop() {
        let sockets = state.withLock { state in
            state.isStopped = true
            defer { state.sockets = [] }
            return state.sockets
        }
        for socket in sockets { shutdown(socket, Int32(SHUT_RDWR)) }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    // MARK: Threads

    private func acceptAll() {
        while true {
            // A child of another test must not keep it open: closing it would say nothing then.
            let connection = accept(listener, nil, nil)
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            guard connection >= 0 else { break }
            var one: Int32 = 1
            setsockopt(
                connection, Int32(IPPROTO_TCP), TCP_NODELAY, &one,
                socklen_t(MemoryLayout<Int32>.size))
            let isStopped = state.withLock { state in
                state.sockets.append(connection)
                return state.isStopped
            }
            if isStopped { shutdown(connection, Int32(SHUT_RDWR)) }
            onThread { self.serve(connection) }
        }
        Glibc.close(listener)
    }

    private func serve(_ connection: Int32) {
        var reader = CommandReader(socket: connection)
        var isOpen = true
        while isOpen, let command = reader.next() {
            isOpen = answer(command, connection, &reader)
        }
        state.withLock { $0.sockets.removeAll { $0 == connection } }
        Glibc.close(connection)
    }

    private func answer(_ command: String, _ connection: Int32, _ reader: inout CommandReader)
        -> Bool
    {
        let aside = state.withLock { state in
            state.received.append(command)
            switch command {
            case "CLUSTER SHARDS": return state.topology
            case "CLUSTER SLOTS": return state.slots
            case "PING": return state.ping
            default: return .scripted
            }
        }
        switch aside {
        case .answer(let text):
            send(Array(text.utf8)[...], connection)
            return true
        case .silence:
            while reader.next() != nil {}
            return false
        case .scripted: return follow(command, connection)
        }
    }

    /// Takes the steps up to the next expectation; false when they closed the connection.
    private func follow(_ command: String, _ connection: Int32) -> Bool {
        let steps: [Step] = state.withLock { state in
            guard case .expect(let expected) = state.steps.first else {
                state.problems.append("not expected: \(command)")
                return []
            }
            state.steps.removeFirst()
            if expected != command { state.problems.append("expected \(expected), got \(command)") }
            var answers: [Step] = []
            while let step = state.steps.first {
                if case .expect = step { break }
                answers.append(step)
                state.steps.removeFirst()
            }
            return answers
        }
        for step in steps {
            switch step {
            case .send(let text): send(Array(text.utf8)[...], connection)
            case .sendTorn(let text): for byte in text.utf8 { send([byte], connection) }
            case .close: return false
            case .reset:
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(
                    connection, SOL_SOCKET, SO_LINGER, &linger,
                    socklen_t(MemoryLayout<Glibc.linger>.size))
                return false
            case .expect: break
            }
        }
        return true
    }

    private func send(_ bytes: ArraySlice<UInt8>, _ connection: Int32) {
        var rest = bytes
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return }
            rest = rest.dropFirst(sent)
        }
    }
}

/// A value under a lock that the thread sanitizer can see; it is blind to `Synchronization.Mutex`.
private final class Locked<Value>: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var value: Value

    init(_ value: Value) {
        self.value = value
        pthread_mutex_init(lock, nil)
    }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return body(&value)
    }
}

/// Reads commands as arrays of strings from a blocking socket.
private struct CommandReader {
    let socket: Int32
    private var buffer: [UInt8] = []
    private var position = 0

    init(socket: Int32) { self.socket = socket }

    /// The words of the next command, joined by blanks; nil at the end of the connection.
    mutating func next() -> String? {
        guard let head = line(), head.first == "*", let count = Int(head.dropFirst()) else {
            return nil
        }
        var words: [String] = []
        for _ in 0..<count {
            guard let size = line(), let length = Int(size.dropFirst()), fill(length + 2) else {
                return nil
            }
            words.append(String(decoding: buffer[position..<position + length], as: UTF8.self))
            position += length + 2
        }
        buffer.removeFirst(position)
        position = 0
        return words.joined(separator: " ")
    }

    private mutating func line() -> String? {
        while true {
            if let end = buffer[position...].firstIndex(of: 10) {
                defer { position = end + 1 }
                return String(decoding: buffer[position..<end - 1], as: UTF8.self)
            }
            guard more() else { return nil }
        }
    }

    private mutating func fill(_ count: Int) -> Bool {
        while buffer.count - position < count {
            guard more() else { return false }
        }
        return true
    }

    private mutating func more() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }
}

private func loopback() -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = 0
    address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
    return address
}

private func withSockaddr<Result>(
    _ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func onThread(_ run: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let body = Unmanaged.passRetained(ThreadBody(run))
    let status = pthread_create(
        &thread, nil,
        { data in
            if let data { Unmanaged<ThreadBody>.fromOpaque(data).takeRetainedValue().run() }
            return nil
        }, body.toOpaque())
    precondition(status == 0, "no thread: \(status)")
    pthread_detach(thread)
}
