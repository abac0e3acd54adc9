import EventLoop
import HTTPServer
import Terminal

/// `coordinator health`: asks a node's probe, for images that have no curl.
@LoopActor enum HealthCommand {
    private static let patience: Duration = .seconds(5)

    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        let wanted = ["live", "ready", "leader"].filter { arguments.flag($0) }
        guard wanted.count <= 1 else {
            throw CommandError(.usage, "ask one thing at a time: --live, --ready or --leader")
        }
        guard let address = try NodeServing.address("http", context) else {
            throw CommandError(.configuration, "--http is off: the node answers nobody")
        }
        let path = ["live": "/livez", "leader": "/leader"][wanted.first ?? ""] ?? "/readyz"
        let probe = ProbeRequest(address.reachable, path)
        let answer = await probe.ask(within: arguments.span("timeout") ?? patience)
        guard let answer else {
            throw CommandError(
                .unreachable, "no answer from \(address.reachable): is a node running there?")
        }
        var table = Table([TableColumn("STATUS", .trailing), TableColumn("ANSWER", isName: true)])
        table.append([.number(Int64(answer.status)), TableCell(answer.text)])
        let value = JSONValue.object([
            .init("probe", .string(path)), .init("ok", .bool(answer.status == 200)),
            .init("status", .integer(Int64(answer.status))), .init("answer", .string(answer.text)),
        ])
        if !arguments.flag("quiet") { context.show(Document(value, table: table)) }
        return answer.status == 200 ? .done : .unhealthy
    }
}

/// One GET on a node of this machine.
///
/// - Thread: loop only.
@LoopActor private final class ProbeRequest: ByteStreamOwner {
    /// A probe's answer is some words.
    private static let longest = 8_192

    private let address: HTTPAddress
    private let path: String
    private var stream: TCPStream?
    private var timer: LoopTimer?
    private var bytes: [UInt8] = []
    private var waiter: CheckedContinuation<Void, Never>?

    init(_ address: HTTPAddress, _ path: String) {
        self.address = address
        self.path = path
    }

    /// The status and the words; nil when none came.
    func ask(within limit: Duration) async -> (status: Int, text: String)? {
        await withCheckedContinuation { continuation in
            waiter = continuation
            let timer = LoopTimer { [weak self] in self?.finish() }
            self.timer = timer
            timer.start(after: limit)
            resolveAddresses(host: address.host, port: address.port) { [weak self] found in
                guard let self, case .success(let all) = found, let first = all.first else {
                    self?.finish()
                    return
                }
                let stream = TCPStream(owner: self)
                self.stream = stream
                do throws(LoopError) { try stream.connect(to: first) } catch { finish() }
            }
        }
        return answer
    }

    func streamConnected() {
        let text = "GET \(path) HTTP/1.0\r\nHost: \(address)\r\nConnection: close\r\n\r\n"
        let isSent = Array(text.utf8).withUnsafeBytes { bytes -> Bool in
            do throws(LoopError) { try stream?.write(bytes) } catch { return false }
            return true
        }
        if !isSent { finish() }
    }

    func streamRead(_ read: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: read.prefix(Self.longest - bytes.count))
        if bytes.count == Self.longest { finish() }
    }

    func streamDrained() {}

    func streamEnded(_ failure: LoopError) { finish() }

    private func finish() {
        timer?.close()
        timer = nil
        stream?.close()
        stream = nil
        waiter?.resume()
        waiter = nil
    }

    private var answer: (status: Int, text: String)? {
        let text = String(decoding: bytes, as: UTF8.self)
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let words = (lines.first ?? "").split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            return nil
        }
        let body = lines.drop { !$0.isEmpty }.dropFirst().first ?? ""
        return (status, String(body))
    }
}
