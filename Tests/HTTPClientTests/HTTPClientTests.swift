import CoordinatorCore
import EventLoop
import HTTPClient
import Testing

/// The client against a real server that stalls, fails, lies and streams for ever.
@Suite("HTTP client", .serialized)
struct HTTPClientTests {
    /// What a client gives for one path.
    @LoopActor private func get(
        _ path: String, host: String = "127.0.0.1", port: UInt16? = nil,
        scheme: String = "http", allowsPrivate: Bool = true, hosts: Set<String>? = nil,
        _ configure: (inout HTTPClient.Limits) -> Void = { _ in }
    ) async throws -> Result<HTTPResponse, HTTPError> {
        let shared = try await ArticleServer.shared.value.port
        let place = port ?? shared
        var limits = HTTPClient.Limits()
        limits.total = .seconds(20)
        configure(&limits)
        let client = HTTPClient(
            hosts: hosts ?? [host], rules: AddressRules(allowsPrivate: allowsPrivate),
            limits: limits, agent: "tests/1")
        defer { client.close() }
        let literal = host.contains(":") ? "[\(host)]" : host
        let request = HTTPRequest(
            host: host, port: place, url: "\(scheme)://\(literal):\(place)\(path)")
        do throws(HTTPError) { return .success(try await client.get(request)) } catch {
            return .failure(error)
        }
    }

    private func text(_ result: Result<HTTPResponse, HTTPError>) throws -> String {
        String(decoding: try result.get().body, as: UTF8.self)
    }

    @Test("an answer comes whole, with its status")
    @LoopActor func plain() async throws {
        let found = try await get("/items/urn:newstool:article:42")
        #expect(try found.get().status == 200)
        #expect(try text(found).contains("Article 42, edition 1"))
        let missing = try await get("/is/status/404").get()
        #expect(missing.status == 404)
        #expect(missing.retryAfter == nil)
    }

    @Test("names are looked up, and a compressed answer is unpacked")
    @LoopActor func unpacked() async throws {
        let found = try await get("/is/zipped/", host: "localhost")
        #expect(try text(found) == #"{"title":"unpacked"}"#)
    }

    @Test("what is sent names no proxy, cookie or password, and says what it wants")
    @LoopActor func sent() async throws {
        let lines = try text(try await get("/is/echo/%7Ba%7D?b=1"))
        #expect(lines.contains(#""path": "/is/echo/%7Ba%7D?b=1""#))
        #expect(lines.contains(#""accept": "application/json""#))
        #expect(lines.contains(#""user-agent": "tests/1""#))
        #expect(!lines.contains("cookie") && !lines.contains("authorization"))
    }

    @Test("a redirect is an answer, not followed, wherever it leads")
    @LoopActor func redirect() async throws {
        let port = try await ArticleServer.shared.value.port
        let answer = try await get("/is/redirect/http:%2F%2F127.0.0.1:\(port)%2Fis%2Fzipped%2F")
        #expect(try answer.get().status == 302)
        #expect(try text(answer) == "{}")
    }

    @Test("Retry-After is read in seconds and as a date")
    @LoopActor func retryAfter() async throws {
        #expect(try await get("/is/status/503/7").get().retryAfter == .seconds(7))
        let past = try await get("/is/status/503/Wed,%2021%20Oct%202015%2007:28:00%20GMT").get()
        #expect(past.retryAfter == nil)
        let future = try await get("/is/status/429/Fri,%2021%20Oct%202095%2007:28:00%20GMT").get()
        #expect((future.retryAfter ?? .zero) > .seconds(86_400))
        #expect(try await get("/is/status/503/soon").get().retryAfter == nil)
    }

    @Test(
        "what is too large is dropped while it comes: a bomb, a stream, announced or not, headers")
    @LoopActor func tooLarge() async throws {
        let limit = HTTPClient.Limits().bodyBytes
        for path in ["/is/bomb/", "/is/forever/", "/is/large/\(limit + 1)"] {
            #expect(
                try await get(path) == .failure(.tooLarge(what: "body", limit: limit)), "\(path)")
        }
        #expect(try await get("/is/large/\(limit)").get().body.count == limit)
        let lines = HTTPClient.Limits().headerBytes
        for path in ["/is/headers/", "/is/hints/"] {
            #expect(
                try await get(path) == .failure(.tooLarge(what: "header", limit: lines)), "\(path)")
        }
    }

    @Test("who says nothing, or a byte now and then, is given up in time")
    @LoopActor func slow() async throws {
        for path in ["/is/stall/", "/is/drip/"] {
            let began = loopNow()
            let result = try await get(path) { $0.total = .milliseconds(400) }
            #expect(result == .failure(.timedOut(after: .milliseconds(400))), "\(path)")
            #expect(loopNow() - began < .seconds(5))
        }
    }

    @Test("an answer that is late but in time is taken")
    @LoopActor func late() async throws {
        let found = try await get("/is/late/5.5") { $0.total = .seconds(9) }
        #expect(try text(found) == #"{"title":"late"}"#)
    }

    @Test("a broken answer is an error, not half an article")
    @LoopActor func broken() async throws {
        for path in ["/is/short/", "/is/close/", "/is/garbage/"] {
            guard case .failure(.interrupted) = try await get(path) else {
                Issue.record("\(path) was taken")
                continue
            }
        }
        guard case .failure(.unreachable) = try await get("/", port: 1) else {
            Issue.record("port 1 answered")
            return
        }
    }

    @Test("private addresses and this machine are not dialled, in whatever clothes")
    @LoopActor func refused() async throws {
        let hosts = [
            "127.0.0.1", "localhost", "0x7f.1", "2130706433", "::1", "::ffff:127.0.0.1",
            "::ffff:7f00:1", "0.0.0.0", "169.254.169.254", "10.0.0.1", "64:ff9b::7f00:1",
        ]
        for host in hosts {
            let result = try await get("/items/1", host: host, allowsPrivate: false)
            guard case .failure(.addressRefused) = result else {
                Issue.record("\(host): \(result)")
                continue
            }
        }
        let metadata = try await get("/", host: "169.254.169.254", allowsPrivate: true)
        guard case .failure(.addressRefused(_, _, .linkLocal)) = metadata else {
            Issue.record("\(metadata)")
            return
        }
    }

    @Test("a server without TLS is none under https, and only http and https are spoken")
    @LoopActor func schemes() async throws {
        guard case .failure(.unreachable) = try await get("/items/1", scheme: "https") else {
            Issue.record("an answer in the clear was taken for one under https")
            return
        }
        for scheme in ["ftp", "file", "gopher", "telnet"] {
            guard case .failure(.interrupted) = try await get("/items/1", scheme: scheme) else {
                Issue.record("\(scheme) was spoken")
                continue
            }
        }
    }

    @Test("only hosts of the list are asked")
    @LoopActor func allowList() async throws {
        let result = try await get("/items/1", hosts: ["api.example.org"])
        #expect(result == .failure(.hostNotAllowed(host: "127.0.0.1")))
    }

    @Test("a name without an address is an error in time")
    @LoopActor func unresolved() async throws {
        let result = try await get("/", host: "no-such-host.invalid") { $0.total = .seconds(10) }
        switch result {
        case .failure(.unresolved), .failure(.timedOut): break
        default: Issue.record("\(result)")
        }
    }

    @Test("many at once share a few connections; closing ends them all")
    @LoopActor func many() async throws {
        let port = try await ArticleServer.shared.value.port
        var limits = HTTPClient.Limits()
        limits.total = .seconds(30)
        let client = HTTPClient(
            hosts: ["127.0.0.1"], rules: AddressRules(allowsPrivate: true), limits: limits,
            agent: "tests/1")
        let tally = Tally()
        for number in 0..<200 {
            spawn {
                let request = HTTPRequest(
                    host: "127.0.0.1", port: port,
                    url: "http://127.0.0.1:\(port)/items/urn:newstool:article:\(number)")
                do throws(HTTPError) {
                    let body = try await client.get(request).body
                    tally.note(String(decoding: body, as: UTF8.self).contains("Article \(number),"))
                } catch {
                    tally.note(false)
                }
            }
        }
        try await tally.wait(200)
        #expect(tally.good == 200)
        let stalled = Tally()
        for _ in 0..<20 {
            spawn {
                let request = HTTPRequest(
                    host: "127.0.0.1", port: port, url: "http://127.0.0.1:\(port)/is/stall/")
                do throws(HTTPError) {
                    _ = try await client.get(request)
                    stalled.note(false)
                } catch {
                    stalled.note(error == .closed)
                }
            }
        }
        while client.count < 20 { try await loopSleep(.milliseconds(1)) }
        client.close()
        try await stalled.wait(20)
        #expect(stalled.good == 20)
    }

    @Test("the loop turns on while servers stall and names are looked up")
    @LoopActor func turns() async throws {
        let port = try await ArticleServer.shared.value.port
        var limits = HTTPClient.Limits()
        limits.total = .milliseconds(700)
        let client = HTTPClient(
            hosts: ["127.0.0.1", "no-such-host.invalid"], rules: AddressRules(allowsPrivate: true),
            limits: limits, agent: "tests/1")
        let tally = Tally()
        for number in 0..<16 {
            spawn {
                let host = number % 2 == 0 ? "127.0.0.1" : "no-such-host.invalid"
                let request = HTTPRequest(
                    host: host, port: port, url: "http://\(host):\(port)/is/stall/")
                do throws(HTTPError) {
                    _ = try await client.get(request)
                    tally.note(false)
                } catch {
                    tally.note(true)
                }
            }
        }
        var turns = 0
        while tally.count < 16 {
            try await loopSleep(.milliseconds(2))
            turns += 1
        }
        client.close()
        #expect(tally.good == 16)
        // A look-up or a server that is waited for would leave the loop one turn each.
        #expect(turns > 32, "the loop turned \(turns) times")
    }

    @LoopActor private final class Tally {
        private(set) var good = 0
        private(set) var count = 0

        func note(_ isGood: Bool) {
            count += 1
            if isGood { good += 1 }
        }

        func wait(_ wanted: Int) async throws {
            let deadline = loopNow() + .seconds(40)
            while count < wanted, loopNow() < deadline { try await loopSleep(.milliseconds(2)) }
            #expect(count == wanted)
        }
    }
}
