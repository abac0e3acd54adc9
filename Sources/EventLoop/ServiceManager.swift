import CoordinatorCore
import Glibc

/// Tells the service manager that started this process how it is: that it is ready, that its loop
/// turns, that it reads its configuration again, that it stops.
///
/// Written here and not taken from libsystemd: it is one datagram of text, a protocol promised to
/// be stable for others to speak, and the library would bring four more into every image.
///
/// - Shape: datagrams such as `READY=1` to the socket that `NOTIFY_SOCKET` names.
/// - Not guaranteed: that anybody listens. A message that cannot be sent is dropped.
/// - Thread: loop only.
/// - Source: sd_notify(3), "Standalone implementations"; sd_watchdog_enabled(3).
@LoopActor
public final class ServiceManager {
    private let descriptor: Int32
    private var address = sockaddr_un()
    private let addressLength: socklen_t
    private let watchdog: Duration?
    private var timer: LoopTimer?

    /// Nil when nobody asked to be told, or in a way that cannot be followed.
    ///
    /// - Parameter environment: gives the value of a variable.
    public init?(_ environment: (String) -> String?) {
        guard let path = environment("NOTIFY_SOCKET"), path.hasPrefix("/") || path.hasPrefix("@")
        else { return nil }
        var bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        // An abstract name: written with an at sign, sent with a zero.
        if path.hasPrefix("@") { bytes[0] = 0 }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        addressLength = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        // Half the time, so that one late message is no failure.
        watchdog =
            Self.isForThisProcess(environment("WATCHDOG_PID"))
            ? environment("WATCHDOG_USEC").flatMap(Int64.init).map { .microseconds($0 / 2) } : nil
        descriptor = socket(
            AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    /// The process does its work from now on; its loop says so again and again.
    public func ready() {
        send("READY=1")
        guard let watchdog, watchdog > .zero else { return }
        let timer = LoopTimer { [weak self] in self?.send("WATCHDOG=1") }
        self.timer = timer
        timer.start(after: watchdog, repeating: watchdog)
    }

    /// The process reads its configuration again, until ``reloaded()``; its work goes on.
    ///
    /// The time says which order this answers: with `Type=notify-reload` systemd waits for one
    /// that is later than its signal.
    public func reloading() {
        send("RELOADING=1\nMONOTONIC_USEC=\(loopNow().nanoseconds / 1_000)")
    }

    /// What could be taken over is in force.
    public func reloaded() {
        send("READY=1")
    }

    /// The process ends in an orderly way; the loop goes on turning meanwhile.
    public func stopping() {
        send("STOPPING=1")
    }

    /// Says nothing more.
    public func end() {
        timer?.close()
        timer = nil
    }

    private func send(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            withUnsafePointer(to: address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    _ = sendto(
                        descriptor, bytes.baseAddress, bytes.count,
                        Int32(MSG_NOSIGNAL),
                        address, addressLength)
                }
            }
        }
    }

    private static func isForThisProcess(_ process: String?) -> Bool {
        process.map { Int32($0) == getpid() } ?? true
    }
}
