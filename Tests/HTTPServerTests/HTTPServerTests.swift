import CoordinatorCore
import EventLoop
import Glibc
import HTTPServer
import Testing

/// A server against peers that are slow, many, or do not speak HTTP.
@Suite("A server among hostile peers", .serialized)
struct HTTPServerTests {
    private static let probe = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    /// A server that answers `/livez` at once, `/later` from another turn, `/stream` with events,
    /// `/body` with the length of what it got, and `/large` with a megabyte.
    @LoopActor private final class Served {
        let server: HTTPServer
        private(set) var streams: [HTTPEventStream] = []

        init(_ limits: HTTPLimits) throws {
            var streamed: (HTTPEventStream) -> Void = { _ in }
            let box = Box()
            server = try HTTPServer(
                try HTTPAddress("127.0.0.1:0"), names: [], limits: limits
            ) { request, reply in
                switch request.target.path {
                case "/later":
                    spawn {
                        do { try await loopSleep(.milliseconds(20)) } catch { return }
                        reply.send(.text(200, "later"))
                    }
                case "/stream":
                    let stream = HTTPEventStream()
                    reply.send(.stream(stream))
                    box.add?(stream)
                case "/body": reply.send(.text(200, "\(request.body.count)"))
                case "/large":
                    reply.send(.text(200, String(repeating: "x", count: 1 << 20)))
                default: reply.send(.text(200, "ok"))
                }
            }
            streamed = { [weak self] in self?.streams.append($0) }
            box.add = streamed
        }

        var port: UInt16 { server.address.port }
        var statistics: HTTPStatistics { server.statistics }
        var counts: (connections: Int, streams: Int) {
            (server.connectionCount, server.streamCount)
        }
        func fill(_ bytes: Int) {
            for stream in streams {
                stream.send(event: "x", data: [UInt8](repeating: 0x78, count: bytes))
            }
        }
        func close() { server.close() }
    }

    @LoopActor private final class Box {
        var add: ((HTTPEventStream) -> Void)?
    }

    private static func eventually(
        _ what: String, _ holds: @LoopActor () -> Bool
    ) async throws {
        let deadline = loopNow() + .seconds(20)
        while await !holds() {
            try #require(loopNow() < deadline, "\(what)")
            try await loopSleep(.milliseconds(5))
        }
    }

    private static func serve(
        _ change: (inout HTTPLimits) -> Void = { _ in }
    ) async throws -> Served {
        var limits = HTTPLimits()
        change(&limits)
        let wanted = limits
        return try await make(wanted)
    }

    @LoopActor private static func make(_ limits: HTTPLimits) throws -> Served {
        try Served(limits)
    }

    /// A server at which everything but probes rests for as long as a test lasts.
    private static func serveProbesAlone() async throws -> Served {
        let served = try await serve {
            $0.share = 0.000_001
            $0.burst = .milliseconds(1)
            $0.probeShare = 0.9
            $0.longestRest = .seconds(600)
        }
        let port = await served.port
        while await served.statistics.rests == 0 {
            let wire = try #require(Wire(port))
            wire.send("GET /body HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try await loopSleep(.milliseconds(1))
        }
        return served
    }

    private static func isAlive(_ port: UInt16) -> Bool {
        Wire(port).map { wire in
            wire.send(probe)
            return wire.readToEnd()?.hasPrefix("HTTP/1.1 200") ?? false
        } ?? false
    }

    @Test("requests follow one another on a connection, also sent ahead, also answered later")
    func keepAlive() async throws {
        let served = try await Self.serve()
        let wire = try #require(Wire(await served.port))
        let line = "HTTP/1.1\r\nHost: localhost\r\n\r\n"
        wire.send("GET /later \(line)GET /livez \(line)GET /later \(line)\(Self.probe)")
        let text = try #require(wire.readToEnd())
        #expect(text.components("HTTP/1.1 200") == 4)
        #expect(text.components("later\n") == 2)
        await served.close()
    }

    @Test("headers that do not come to an end end the connection, however they trickle")
    func slowHeaders() async throws {
        let served = try await Self.serve {
            $0.requestDeadline = .milliseconds(400)
        }
        let port = await served.port
        let began = loopNow()
        let wire = try #require(Wire(port))
        wire.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n")
        var number = 0
        // Each byte comes in time; the whole does not.
        while wire.send("X-\(number): y\r\n"), loopNow() - began < .seconds(10) {
            number += 1
            try await loopSleep(.milliseconds(50))
        }
        #expect(loopNow() - began < .seconds(5), "it was ended")
        #expect(Self.isAlive(port))
        #expect(await served.statistics.timedOut > 0)
        await served.close()
    }

    @Test("a body that does not come to an end ends the connection")
    func slowBody() async throws {
        let served = try await Self.serve { $0.requestDeadline = .milliseconds(300) }
        let wire = try #require(Wire(await served.port))
        wire.send("POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n12")
        #expect(wire.readToEnd() == "")
        await served.close()
    }

    @Test("an answer that is not taken ends the connection")
    func slowReader() async throws {
        let served = try await Self.serve { $0.answerDeadline = .milliseconds(300) }
        let wire = try #require(Wire(await served.port))
        wire.send(
            String(repeating: "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 40))
        try await Self.eventually("it was ended") { served.statistics.timedOut > 0 }
        await served.close()
    }

    @Test("a listener that does not read is dropped, and the others hear on")
    func slowListener() async throws {
        let served = try await Self.serve { $0.streamQueueBytes = 100_000 }
        let port = await served.port
        let line = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let slow = try #require(Wire(port))
        slow.send(line)
        try await Self.eventually("a stream is open") { served.counts.streams == 1 }
        // More than the kernel takes for a peer.
        try await Self.eventually("the one that does not read is dropped") {
            served.fill(50_000)
            return served.statistics.slowStreams == 1
        }
        let other = try #require(Wire(port))
        other.send(line)
        try await Self.eventually("only the other one is there") { served.counts.streams == 1 }
        await served.fill(10)
        #expect(other.read()?.hasPrefix("HTTP/1.1 200") ?? false)
        await served.close()
    }

    @Test("a full house lets a probe in, in place of whoever waits longest")
    func fullHouse() async throws {
        let served = try await Self.serve {
            $0.waiting = 24
            $0.waitingPerAddress = 16
            $0.connections = 12
            $0.connectionsPerAddress = 8
            $0.probes = 4
        }
        let port = await served.port
        var held: [Wire] = []
        for round in 0..<100 {
            if let wire = Wire(port) {
                if round % 2 == 0 { wire.send(round % 4 == 0 ? "GET / HT" : "GET /livez HT") }
                held.append(wire)
            }
            if round % 10 == 9 { #expect(Self.isAlive(port), "round \(round)") }
        }
        let counts = await served.counts
        #expect(counts.connections <= 40 && held.count == 100)
        try await Self.eventually("one address has its part, and no more") {
            served.counts.connections <= 28 && served.statistics.evicted >= 72
        }
        let last = try #require(Wire(port))
        await served.close()
        #expect(last.readToEnd() == "", "a server that closes ends also those who wait")
        held = []
    }

    @Test(
        "probes do not wait for others, and what only looks like one does",
        arguments: [
            ("GET /livez HTTP/1.1", true), ("HEAD /readyz HTTP/1.1", true),
            ("GET /leader?x HTTP/1.0", true), ("GET /livezz HTTP/1.1", false),
            ("GET /livez/ HTTP/1.1", false), ("POST /livez HTTP/1.1", false),
            ("GET /status HTTP/1.1", false),
        ])
    func probesApart(line: String, isProbe: Bool) async throws {
        let served = try await Self.serveProbesAlone()
        let port = await served.port
        let wire = try #require(Wire(port, patience: isProbe ? 10 : 1))
        // What follows a probe is no probe.
        wire.send("\(line)\r\nHost: localhost\r\n\r\nGET /body HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = wire.readToEnd()
        #expect((answer?.hasPrefix("HTTP/1.1 200") ?? false) == isProbe, "\(answer ?? "none")")
        #expect((answer ?? "").components("HTTP/1.1 ") == (isProbe ? 1 : 0))
        await served.close()
    }

    @Test("connections are taken in while the loop is busy")
    func doorApart() async throws {
        let served = try await Self.serve()
        let port = await served.port
        let wires = (0..<50).map { _ in Wire(port) }
        await Self.block(until: "all are taken in") { served.statistics.accepted == 50 }
        #expect(Self.isAlive(port) && wires.count == 50)
        await served.close()
    }

    /// Gives the loop to nobody else until something holds.
    @LoopActor private static func block(until what: String, _ holds: @LoopActor () -> Bool) {
        let deadline = loopNow() + .seconds(20)
        while !holds() {
            if loopNow() > deadline {
                Issue.record("\(what)")
                return
            }
            usleep(1_000)
        }
    }

    @Test("of a peer that is not read some kilobytes are taken in")
    func unread() async throws {
        let served = try await Self.serveProbesAlone()
        let wire = try #require(Wire(await served.port))
        let sent = wire.sendWhatFits([UInt8](repeating: UInt8(ascii: "a"), count: 8 << 20))
        #expect(sent > 0 && sent < 128 << 10, "\(sent)")
        await served.close()
    }

    @Test("a thousand connections that say nothing take no place from those that ask")
    func silentCrowd() async throws {
        let served = try await Self.serve {
            $0.doorShare = 0.9
            $0.waiting = 64
            $0.waitingPerAddress = 48
            $0.connections = 4
        }
        let port = await served.port
        let asking = try #require(Wire(port))
        asking.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try await Self.eventually("a stream is open") { served.counts.streams == 1 }
        var crowd: [Wire] = []
        for round in 0..<1_000 {
            if let wire = Wire(port) { crowd.append(wire) }
            // The oldest ones have been ended; the test's descriptors are bounded, too.
            if crowd.count > 100 { crowd.removeFirst() }
            if round % 100 == 99 { #expect(Self.isAlive(port), "round \(round)") }
        }
        let counts = await served.counts
        #expect(counts.streams == 1 && counts.connections <= 65)
        #expect(await served.statistics.evicted > 0)
        await served.close()
    }

    @Test("what takes more than its share makes the server rest, and is still answered")
    func share() async throws {
        let served = try await Self.serve {
            $0.share = 0.01
            $0.probeShare = 0.01
            $0.burst = .milliseconds(1)
            $0.longestRest = .milliseconds(50)
        }
        let port = await served.port
        for _ in 0..<40 { #expect(Self.isAlive(port)) }
        #expect(await served.statistics.probeRests > 0)
        #expect(await served.statistics.rests == 0)
        for _ in 0..<40 {
            let wire = try #require(Wire(port))
            wire.send("GET /body HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            #expect(wire.readToEnd()?.hasPrefix("HTTP/1.1 200") ?? false)
        }
        #expect(await served.statistics.rests > 0)
        await served.close()
    }

    @Test(
        "what is no HTTP is refused, and the next one is served",
        arguments: [
            "\r\n\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "ffffffffffffffffff\r\n",
            "POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "2\r\nabc\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX\r\n: y\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ])
    func nonsense(text: String) async throws {
        let served = try await Self.serve { $0.requestDeadline = .milliseconds(300) }
        let port = await served.port
        let wire = try #require(Wire(port))
        wire.send(text)
        let answer = try #require(wire.readToEnd(), "the connection stays open")
        #expect(!answer.hasPrefix("HTTP/1.1 200"), "\(answer)")
        #expect(Self.isAlive(port))
        await served.close()
    }

    @Test("a megabyte of headers, or of body, costs some kilobytes")
    func large() async throws {
        let served = try await Self.serve()
        let port = await served.port
        let megabyte = String(repeating: "a", count: 1 << 20)
        for text in [
            "GET /\(megabyte) HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX: \(megabyte)\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\n"
                + String(repeating: "X: y\r\n", count: 200_000) + "\r\n",
            "POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "100000\r\n\(megabyte)\r\n0\r\n\r\n",
        ] {
            let wire = try #require(Wire(port))
            wire.send(text)
            let answer = try #require(wire.readToEnd())
            #expect(!answer.hasPrefix("HTTP/1.1 200"), "\(answer.prefix(200))")
            #expect(Self.isAlive(port))
        }
        let fits = try #require(Wire(port))
        fits.send(
            "POST /body HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 65536"
                + "\r\n\r\n" + megabyte.prefix(65_536))
        #expect(fits.readToEnd()?.hasSuffix("65536\n") ?? false)
        await served.close()
    }

    @Test("whatever bytes come, the next one is served", arguments: 0..<4)
    func fuzzed(part: UInt64) async throws {
        let served = try await Self.serve { $0.requestDeadline = .milliseconds(200) }
        let port = await served.port
        var random = SplitMix64(seed: 77 + part)
        let seeds = [
            Self.probe, "GET /a%20b?x=1&y=%zz HTTP/1.1\r\nHost: [::1]:80\r\nX-A: b\r\n\r\n",
            "POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n0\r\nT: v\r\n\r\n",
        ].map { Array($0.utf8) }
        for round in 0..<300 {
            var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8.random(in: 0...32, using: &random), at: place)
                default: bytes.insert(contentsOf: bytes[..<place], at: place)
                }
                if bytes.isEmpty { bytes = [0] }
            }
            guard let wire = Wire(port) else { continue }
            wire.send(bytes)
            if round % 50 == 49 { #expect(Self.isAlive(port), "part \(part) round \(round)") }
        }
        #expect(Self.isAlive(port))
        await served.close()
    }
}

extension String {
    /// How often a text stands in it.
    fileprivate func components(_ text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let found = rest.firstRange(of: text) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }

}
