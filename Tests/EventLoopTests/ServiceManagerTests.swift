import CoordinatorCore
import EventLoop
import Glibc
import Testing

/// What a service manager would hear.
@Suite("Telling the service manager")
struct ServiceManagerTests {
    /// A socket as systemd makes one.
    private struct Listener {
        let path: String
        let descriptor: Int32

        init() throws {
            path = "/tmp/notify-\(getpid())-\(UInt32.random(in: .min ... .max))"
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            let bound = withUnsafePointer(to: address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(bound == 0)
            // Longer than any message takes; a missing one fails here instead of hanging.
            var limit = timeval(tv_sec: 20, tv_usec: 0)
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }

        func next() -> String {
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        }

        func end() {
            close(descriptor)
            unlink(path)
        }
    }

    @Test("ready, then alive again and again, then stopping")
    func life() async throws {
        let listener = try Listener()
        defer { listener.end() }
        let manager = try #require(
            await Self.manager(["NOTIFY_SOCKET": listener.path, "WATCHDOG_USEC": "40000"]))
        await manager.ready()
        #expect(listener.next() == "READY=1")
        #expect(listener.next() == "WATCHDOG=1")
        #expect(listener.next() == "WATCHDOG=1")
        await manager.stopping()
        await manager.end()
        var last = listener.next()
        while last == "WATCHDOG=1" { last = listener.next() }
        #expect(last == "STOPPING=1")
    }

    @Test("a reload says when it began, and that the process is ready again")
    func reload() async throws {
        let listener = try Listener()
        defer { listener.end() }
        let manager = try #require(await Self.manager(["NOTIFY_SOCKET": listener.path]))
        let before = loopNow().nanoseconds / 1_000
        await manager.reloading()
        await manager.reloaded()
        let lines = listener.next().split(separator: "\n")
        #expect(lines.first == "RELOADING=1")
        let time = lines.last?.split(separator: "=").last.flatMap { UInt64($0) }
        #expect(lines.last?.hasPrefix("MONOTONIC_USEC=") == true)
        #expect((before...loopNow().nanoseconds / 1_000).contains(try #require(time)))
        #expect(listener.next() == "READY=1")
    }

    @LoopActor
    private static func manager(_ environment: [String: String]) -> ServiceManager? {
        ServiceManager { environment[$0] }
    }

    @Test("nobody asked, or in a way that cannot be followed")
    func nobody() async {
        let paths = ["", "relative", "/" + String(repeating: "x", count: 200)]
        for environment in paths.map({ ["NOTIFY_SOCKET": $0] }) + [[:]] {
            #expect(await Self.manager(environment) == nil)
        }
    }
}
