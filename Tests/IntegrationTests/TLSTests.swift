import CoordinatorCore
import EventLoop
import Foundation
import Glibc
import RedisClient
import SecureStream
import Testing

extension ServerSuites {
    /// TLS against peers that do it well and badly. Each refusal names its cause and the way out,
    /// and nothing is sent to whom is not trusted.
    @Suite("TLS", .serialized)
    struct TLSTests {
        /// What a client is told beside the address.
        typealias Options = @Sendable (inout TLSOptions, Certificates) -> Void

        private func configuration(
            _ peer: TLSPeer, host: String = "127.0.0.1", _ change: Options = { _, _ in }
        ) async throws -> RedisConfiguration {
            let certificates = try await Certificates.shared.value
            var options = TLSOptions()
            options.authorityFile = certificates.path("ca.crt")
            change(&options, certificates)
            var configuration = try RedisConfiguration(urls: ["rediss://\(host):\(peer.port)"])
            configuration.tls = try TLSContext(options)
            configuration.connectTimeout = .seconds(20)
            configuration.commandTimeout = .seconds(2)
            return configuration
        }

        /// The error that a first question ends with; nil when it is answered.
        @LoopActor
        private func outcome(_ configuration: RedisConfiguration) async -> RedisError? {
            let cluster = RedisCluster(configuration)
            var failure: RedisError?
            do throws(RedisError) { try await cluster.start() } catch { failure = error }
            await cluster.close()
            return failure
        }

        @Test("a server that proves its name is spoken to, whole records or byte by byte")
        @LoopActor func well() async throws {
            for mode in ["well", "torn"] {
                let peer = try await TLSPeer(mode)
                for host in ["127.0.0.1", "localhost"] {
                    let cluster = RedisCluster(try await configuration(peer, host: host))
                    try await cluster.start()
                    // Larger than a record of TLS, and than what is read at once.
                    let long = String(repeating: "x", count: mode == "torn" ? 20_000 : 300_000)
                    let reply = try await cluster.call("ECHO", .init(long), on: peer.endpoint)
                    #expect(reply.text == long)
                    #expect(cluster.masters.first?.endpoint == peer.endpoint, "the TLS port")
                    await cluster.close()
                }
                try await peer.stop()
            }
        }

        @Test(
            "a certificate that proves nothing is refused, with the reason",
            arguments: [
                ("stranger", "--cacert"), ("wrongName", "--sni"), ("expired", "expired"),
                ("selfSigned", "--cacert"), ("future", "clocks"),
            ])
        @LoopActor func untrusted(certificate: String, word: String) async throws {
            let peer = try await TLSPeer("well", certificate: certificate)
            let failure = await outcome(try await configuration(peer))
            guard case .untrusted(_, let reason) = failure else {
                Issue.record("\(certificate): \(String(describing: failure))")
                return
            }
            #expect(reason.contains(word), "\(reason)")
            // The same server, where nobody looks.
            let careless = try await configuration(peer) { options, _ in
                options.verifiesPeer = false
            }
            #expect(await outcome(careless) == nil)
            try await peer.stop()
        }

        @Test("a name given takes the place of the address; a wrong one is refused")
        @LoopActor func serverName() async throws {
            let peer = try await TLSPeer("well", certificate: "wrongName")
            let named = try await configuration(peer) { options, _ in
                options.serverName = "other.example"
            }
            #expect(await outcome(named) == nil)
            let wrong = try await configuration(peer) { options, _ in
                options.serverName = "another.example"
            }
            guard case .untrusted = await outcome(wrong) else {
                Issue.record("a wrong name was taken")
                return
            }
            try await peer.stop()
        }

        @Test("a server is told by which name it is asked for; a number is none")
        @LoopActor func serverNameIndication() async throws {
            let peer = try await TLSPeer("named")
            #expect(await outcome(try await configuration(peer, host: "localhost")) == nil)
            #expect(await outcome(try await configuration(peer)) != nil)
            let named = try await configuration(peer) { options, _ in
                options.serverName = "localhost"
            }
            #expect(await outcome(named) == nil)
            try await peer.stop()
        }

        @Test("a server without TLS 1.2 is refused; one that wants a certificate gets it")
        @LoopActor func versionsAndClients() async throws {
            let old = try await TLSPeer("tls11")
            guard case .untrusted(_, let reason) = await outcome(try await configuration(old))
            else {
                Issue.record("TLS 1.1 was taken")
                return
            }
            #expect(reason.contains("TLS 1.2"), "\(reason)")
            try await old.stop()
            let strict = try await TLSPeer("client")
            let bare = await outcome(try await configuration(strict))
            guard case .untrusted(_, let reason) = bare else {
                Issue.record("without a certificate: \(String(describing: bare))")
                return
            }
            #expect(reason.contains("--cert"), "\(reason)")
            let shown = try await configuration(strict) { options, certificates in
                options.certificateFile = certificates.path("good.crt")
                options.keyFile = certificates.path("good.key")
            }
            #expect(await outcome(shown) == nil)
            try await strict.stop()
        }

        @Test(
            "what is no TLS, or half of it, is an error and no wait without end",
            arguments: [
                ("garbage", "TLS"), ("plain", "TLS"), ("cut", "handshake"), ("cutoff", ""),
                ("bye", ""),
            ])
        @LoopActor func broken(mode: String, word: String) async throws {
            let peer = try await TLSPeer(mode)
            let cluster = RedisCluster(try await configuration(peer))
            var events: [String] = []
            cluster.onEvent = { events.append("\($0)") }
            var failure: RedisError?
            do throws(RedisError) { try await cluster.start() } catch { failure = error }
            if mode == "cutoff" || mode == "bye" {
                // The answer came; then the connection went, in order or not.
                let words = mode == "bye" ? "end of file" : "close_notify"
                let deadline = loopNow() + Duration.seconds(10)
                while !events.contains(where: { $0.hasPrefix("lost") && $0.contains(words) }) {
                    guard loopNow() < deadline else {
                        Issue.record("\(mode): \(events)")
                        break
                    }
                    try await loopSleep(.milliseconds(5))
                }
                #expect(failure == nil)
            } else {
                #expect("\(String(describing: failure))".contains(word), "\(failure as Any)")
            }
            await cluster.close()
            try await peer.stop()
        }

        @Test("files that cannot be used are named before anything is sent")
        func files() async throws {
            let certificates = try await Certificates.shared.value
            let nobody = "rediss://127.0.0.1:1"
            for (words, word) in [
                (["--cacert", "/nonexistent"], "/nonexistent"),
                (["--cacert", certificates.path("good.key")], "good.key"),
                (["--cert", certificates.path("ca.key")], "ca.key"),
                (
                    [
                        "--cert", certificates.path("good.crt"), "--key",
                        certificates.path("ca.key"),
                    ], "ca.key"
                ),
                (
                    [
                        "--cert", certificates.path("good.crt"), "--key",
                        certificates.path("locked.key"),
                    ], "pass phrase"
                ),
                (["--key", certificates.path("good.key")], "certificate"),
                (["--redis-url", "redis://127.0.0.1:2"], "rediss:// together"),
            ] {
                let finished = try await Child(
                    [Package.program, "status", "--redis-url", nobody] + words
                ).finish()
                #expect(finished.code == 78, "\(words): \(finished.errors)")
                #expect(finished.errors.contains(word), "\(words): \(finished.errors)")
            }
            let plain = try await Child(
                [Package.program, "status", "--redis-url", "127.0.0.1:1", "--insecure"]
            ).finish()
            #expect(plain.code == 78 && plain.errors.contains("--tls"), "\(plain.errors)")
        }

        @Test("--insecure is warned of at each start, --quiet or not; untrusted is exit 3")
        func program() async throws {
            let peer = try await TLSPeer("well", certificate: "stranger")
            let words = [
                Package.program, "leader", "-q", "--redis-url", "rediss://127.0.0.1:\(peer.port)",
            ]
            let careful = try await Child(words).finish()
            #expect(careful.code == 3, "\(careful.errors)")
            #expect(careful.errors.contains("--cacert"), "\(careful.errors)")
            let careless = try await Child(words + ["--insecure"]).finish()
            #expect(careless.errors.contains("not verified"), "\(careless.errors)")
            // A node says it in its log, where somebody looks later.
            let node = try Child([
                Package.program, "run", "--redis-url", "rediss://127.0.0.1:\(peer.port)",
                "--insecure",
                "--http", "off",
            ])
            try await eventually("the log says it") { node.errors.contains("event=insecure") }
            node.send(SIGTERM)
            _ = try await node.finish()
            try await peer.stop()
        }
    }
}

/// Keys and certificates, good and bad, made once a run.
struct Certificates: Sendable {
    static let shared = Task { try await Certificates() }

    private let folder: String

    func path(_ name: String) -> String { folder + "/" + name }

    private init() async throws {
        folder = try Scratch.folder("certificates")
        let made = try await Child(
            [Package.root + "/Tests/Peers/make_certificates", folder]
        ).finish()
        guard made.code == 0 else { throw Trouble("certificates: \(made.errors.suffix(2_000))") }
    }
}

/// `Tests/Peers/tls_peer.py` in one mode.
struct TLSPeer: Sendable {
    let port: Int
    private let child: Child

    var endpoint: RedisEndpoint { RedisEndpoint(host: "127.0.0.1", port: UInt16(port)) }

    init(_ mode: String, certificate: String = "good") async throws {
        let certificates = try await Certificates.shared.value
        let child = try Child([
            "/usr/bin/env", "python3", Package.root + "/Tests/Peers/tls_peer.py", "--mode", mode,
            "--cert", certificates.path(certificate + ".crt"), "--key",
            certificates.path(certificate + ".key"), "--ca", certificates.path("ca.crt"),
        ])
        try await eventually("the peer has a port", within: .seconds(20)) {
            if child.code != nil { throw Trouble("peer: \(child.errors)") }
            return child.output.contains("\n")
        }
        self.child = child
        port = Int(child.output.prefix { $0.isNumber }) ?? 0
    }

    func stop() async throws {
        child.send(SIGKILL)
        _ = try await child.finish()
    }
}
