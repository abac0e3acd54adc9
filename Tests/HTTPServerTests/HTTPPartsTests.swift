import CoordinatorCore
import HTTPServer
import Testing

@Suite("Parts of requests")
struct HTTPPartsTests {
    @Test(
        "a target is decoded once, and refused where it could mean two things",
        arguments: [
            ("/status", "/status", []), ("/a%2Fb?x=1+2", "/a/b", ["x=1 2"]),
            ("/t?w=R%C3%A9&n=%2B", "/t", ["w=Ré", "n=+"]), ("/t?a&b=", "/t", ["a=", "b="]),
            ("/t?a=b=c", "/t", ["a=b=c"]), ("/t?", "/t", []),
            ("status", nil, []), ("", nil, []), ("/%", nil, []), ("/%4", nil, []),
            ("/%zz", nil, []), ("/a%00b", nil, []), ("/a%0Ab", nil, []), ("/%ff", nil, []),
            ("/a/../b", nil, []), ("/a/%2e%2e", nil, []), ("/a?%00=1", nil, []),
            ("/a?=1", nil, []), ("http://other/", nil, []),
            ("/t?" + (0..<33).map { "p\($0)=1" }.joined(separator: "&"), nil, []),
        ] as [(String, String?, [String])])
    func target(raw: String, path: String?, parameters: [String]) {
        let target = HTTPTarget(raw)
        #expect(target?.path == path)
        #expect((target?.parameters ?? []).map { "\($0.name)=\($0.value)" } == parameters)
    }

    @Test(
        "an address to listen on is numeric",
        arguments: [
            ("127.0.0.1:8080", "127.0.0.1:8080"), ("[::1]:80", "[::1]:80"),
            ("localhost:1", "127.0.0.1:1"), ("0.0.0.0:8080", "0.0.0.0:8080"), ("::1:80", nil),
            ("example.org:80", nil), ("127.0.0.1", nil), (":8080", nil), ("1.2.3.4:99999", nil),
            ("[1.2.3.4]:5", nil), ("", nil),
        ] as [(String, String?)])
    func address(text: String, expected: String?) {
        do throws(HTTPServerError) {
            #expect(try HTTPAddress(text).description == expected)
        } catch {
            #expect(expected == nil && error == .address(text))
        }
    }

    @Test("a token is shown as bearer or as a password, whole or not at all")
    func token() throws {
        let token = try #require(BearerToken(" 0123456789abcdef\n"))
        #expect(BearerToken("0123456789abcde") == nil, "too short to be a secret")
        #expect(token.isShown(by: "Bearer 0123456789abcdef"))
        #expect(token.isShown(by: "bearer  0123456789abcdef"))
        // anybody:0123456789abcdef
        #expect(token.isShown(by: "Basic YW55Ym9keTowMTIzNDU2Nzg5YWJjZGVm"))
        for wrong in [
            nil, "", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0",
            "Bearer 0123456789abcdeg", "0123456789abcdef", "Basic 0123456789abcdef", "Basic %%%",
            "Digest 0123456789abcdef", "Bearer 0123456789abcdef\0",
        ] {
            #expect(!token.isShown(by: wrong), "\(wrong ?? "none")")
        }
    }

    @Test("a wrong token takes as long wherever it differs")
    func comparison() throws {
        // So long that one byte and all bytes are told apart, whatever else the machine does.
        let secret = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        let token = try #require(BearerToken(String(decoding: secret, as: UTF8.self)))
        func fastest(_ place: Int) -> Duration {
            var wrong = secret
            wrong[place] = UInt8(ascii: "y")
            let field = "Bearer " + String(decoding: wrong, as: UTF8.self)
            return (0..<5).map { _ in
                ContinuousClock().measure { #expect(!token.isShown(by: field)) }
            }.min() ?? .zero
        }
        let (first, last) = (fastest(0), fastest(secret.count - 1))
        #expect(first > last / 2, "\(first) at the first byte, \(last) at the last")
    }

    @Test("what is taken beyond a part is waited for until the part is kept again")
    func allowance() {
        let start = MonotonicInstant(nanoseconds: 0)
        var allowance = HTTPAllowance(share: 0.25, burst: .seconds(2), now: start)
        #expect(allowance.spend(.seconds(2), now: start) == nil, "so much at once is free")
        #expect(allowance.spend(.seconds(1), now: start) == .seconds(4))
        let later = start + .seconds(4)
        #expect(allowance.spend(.zero, now: later) == nil, "who has rested owes nothing")
        #expect(allowance.spend(.milliseconds(100), now: later) == .milliseconds(400))
        let long = later + .seconds(1_000)
        #expect(allowance.spend(.seconds(2), now: long) == nil, "no more than that is saved up")
        #expect(allowance.spend(.milliseconds(1), now: long) == .milliseconds(4))
        #expect(allowance.spend(.seconds(1_000), now: long) == .seconds(8), "nor is more owed")
    }

    @Test("the bounds are those that are documented")
    func bounds() {
        let limits = HTTPLimits()
        #expect(limits.headerBytes == 8_192 && limits.bodyBytes == 65_536)
        #expect(limits.requestDeadline == .seconds(5) && limits.answerDeadline == .seconds(30))
        #expect(limits.connections == 256 && limits.connectionsPerAddress == 128)
        #expect(limits.waiting == 512 && limits.waitingPerAddress == 448 && limits.probes == 32)
        #expect(limits.eventStreams == 32 && limits.streamQueueBytes == 262_144)
        #expect(limits.probeShare + limits.share <= 0.015 && limits.doorShare <= 0.03)
    }

    @Test("problem details are JSON whatever the text")
    func problem() {
        let response = HTTPResponse.problem(400, "Bad \"Request\"", "a\n\u{1B}[1m\\")
        let text = String(decoding: response.body, as: UTF8.self)
        #expect(
            text == "{\"type\":\"about:blank\",\"title\":\"Bad \\\"Request\\\"\",\"status\":400,"
                + "\"detail\":\"a\\u000a\\u001b[1m\\\\\"}\n")
    }
}
