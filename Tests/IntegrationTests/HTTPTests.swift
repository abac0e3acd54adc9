import CoordinatorCore
import Foundation
import Glibc
import Testing

extension ServerSuites {
    /// A node over HTTP: the commands' own JSON, probes, orders, and nothing for anybody else.
    @Suite("HTTP of a node", .serialized)
    struct HTTPTests {
        private static let readToken = "read-0123456789abcdef"
        private static let adminToken = "admin-0123456789abcdef"

        private struct Scene {
            let stage: Stage
            let node: RunningNode
            let port: Int

            init(_ options: [String] = []) async throws {
                stage = try await Stage.fresh()
                try await stage.initialise([])
                node = try stage.node(
                    ["--node-name", "n1", "--http", "127.0.0.1:0"] + options)
                port = try await node.port()
                let port = port
                try await eventually("it leads and owns all shards") {
                    guard try HTTPWire.ask(port, "GET /leader").status == 200 else { return false }
                    let status = try HTTPWire.ask(port, "GET /status").json as? [String: Any]
                    let map = status?["shardMap"] as? [String: Any]
                    return map?["owned"] as? Int == 64
                }
            }

            func command(_ line: String) async throws -> NSObject? {
                let words = line.split(separator: " ").map(String.init)
                let output = try await stage.must(words + ["-o", "json"]).output
                return try JSONSerialization.jsonObject(with: Data(output.utf8)) as? NSObject
            }
        }

        /// What differs between two readings of the same: times and what is left of a lease.
        private static func still(_ value: Any) -> NSObject {
            let moving = [
                "observedAt", "heartbeatAt", "leaseRemainingMs", "lagMs", "readTo", "sealedTo",
                "runs", "lastId", "lag", "aheadTo",
            ]
            if let object = value as? [String: Any] {
                return object.mapValues { $0 }.filter { !moving.contains($0.key) }
                    .mapValues(still) as NSDictionary
            }
            if let array = value as? [Any] { return array.map(still) as NSArray }
            return value as? NSObject ?? NSNull()
        }

        @Test("every answer is the JSON of the command of that name", .timeLimit(.minutes(4)))
        func answers() async throws {
            let scene = try await Scene()
            let events = try Scratch.file(
                "events.ndjson",
                Array(
                    (0..<60).map { number in
                        "{\"url\":\"http://www.rtl.lu/actu/monde/a/\(number % 7)\","
                            + "\"uui\":\"d\(number)\",\"dt\":\(1_795_000_000_000 + number * 1000)}"
                    }.joined(separator: "\n").utf8))
            try await scene.stage.must(["import", "-q", events])
            try await scene.stage.wait()
            let at = "2026-11-18T10:00:00Z"
            let questions = [
                ("/status", "status"), ("/api/v1/nodes", "nodes"), ("/api/v1/shards", "shards"),
                ("/api/v1/tiers", "tiers"), ("/api/v1/sources", "sources"),
                ("/api/v1/history?number=500", "history -n 500"),
                ("/api/v1/top?last=7d&number=3", "top pages --last 7d -n 3"),
                ("/api/v1/top?what=sections&last=7d", "top sections --last 7d"),
                ("/api/v1/report?website=RTL&last=7d", "report --website RTL --last 7d"),
                (
                    "/api/v1/series?website=RTL&tier=1HOUR&to=\(at)",
                    "series --website RTL --tier 1HOUR --to \(at)"
                ),
                ("/api/v1/search?words=monde", "search monde"),
                (
                    "/api/v1/search?words=monde&what=sections&website=RTL",
                    "search monde --what sections --website RTL"
                ),
                (
                    "/api/v1/search?what=websites&section=actu",
                    "search --what websites --section actu"
                ),
            ]
            for (path, line) in questions {
                // A window may end between the two.
                try await eventually("\(path) is \(line)", within: .seconds(20)) {
                    let answer = try HTTPWire.ask(scene.port, "GET \(path)")
                    #expect(answer.status == 200, "\(path): \(answer.body)")
                    #expect(answer.fields["content-type"] == "application/json")
                    guard let json = answer.json, let other = try await scene.command(line) else {
                        return false
                    }
                    return Self.still(json) == Self.still(other)
                }
            }
            try await scene.node.terminate()
        }

        @Test("what is wrong is said as problem details, with a status of its own")
        func problems() async throws {
            let scene = try await Scene()
            let long = String(repeating: "x", count: 9_000)
            let requests: [(String, [String], Int, String)] = [
                ("GET /api/v1/top?last=never", [], 400, "never"),
                ("GET /api/v1/top?lsat=1h", [], 400, "lsat"),
                ("GET /api/v1/top?last=1h&last=2h", [], 400, "more than once"),
                ("GET /api/v1/top?redis-url=redis://evil", [], 400, "redis-url"),
                ("GET /api/v1/top?config=/etc/passwd", [], 400, "config"),
                ("GET /api/v1/top?what=--help", [], 400, "--help"),
                ("GET /api/v1/sources?action=add", [], 400, "action"),
                ("GET /api/v1/report", [], 400, "website"),
                ("GET /status?x=1", [], 400, "x"), ("GET /api/v1/live?x=1", [], 400, "x"),
                ("GET /nothing", [], 404, "nothing here"),
                ("GET /api/v1/drain", [], 404, "nothing here"),
                ("POST /status", [], 405, "GET"), ("DELETE /api/v1/nodes", [], 405, "GET"),
                ("GET /%zz", [], 400, "malformed"), ("GET /status%00", [], 400, "malformed"),
                ("GET /status", ["X-Long: \(long)"], 431, "8192"),
                ("GET /status", ["Content-Length: 5"], 400, "no body"),
                (
                    "POST /status", ["Content-Length: 5", "Transfer-Encoding: chunked"], 400,
                    "chunks"
                ),
                ("POST /status", ["Content-Length: 70000"], 413, "65536"),
                ("GET /status", ["Host: 127.0.0.1"], 400, "twice"),
            ]
            for (line, fields, status, word) in requests {
                let answer = try HTTPWire.ask(scene.port, line, fields)
                #expect(answer.status == status, "\(line) \(fields.map { $0.prefix(40) })")
                #expect(
                    answer.fields["content-type"] == "application/problem+json", "\(line)")
                let json = answer.json as? [String: Any]
                #expect(json?["status"] as? Int == status, "\(line): \(answer.body)")
                #expect(
                    (json?["detail"] as? String)?.contains(word) ?? false,
                    "\(line): \(answer.body)")
            }
            try await scene.node.terminate()
        }

        @Test("no page of another origin can read it, and no name can be bound to it")
        func browsers() async throws {
            let scene = try await Scene(["--http-host", "stats.example"])
            for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80"] {
                let answer = try HTTPWire.ask(scene.port, "GET /status", host: host)
                #expect(answer.status == 421, "\(host)")
                #expect(!answer.body.contains("leader"))
            }
            for host in [
                "127.0.0.1:1", "[::1]:8080", "localhost", "STATS.example:8080", "10.0.0.7",
            ] {
                #expect(try HTTPWire.ask(scene.port, "GET /livez", host: host).status == 200)
            }
            for path in ["/status", "/livez", "/", "/nothing"] {
                let answer = try HTTPWire.ask(
                    scene.port, "GET \(path)", ["Origin: http://evil.example"])
                let policy = answer.fields["content-security-policy"] ?? ""
                #expect(policy.hasPrefix("default-src 'self'") && !policy.contains("unsafe"))
                #expect(answer.fields["x-content-type-options"] == "nosniff")
                #expect(answer.fields["x-frame-options"] == "DENY")
                #expect(answer.fields["referrer-policy"] == "no-referrer")
                #expect(answer.fields["cross-origin-opener-policy"] == "same-origin")
                #expect(answer.fields["cross-origin-resource-policy"] == "same-origin")
                #expect(!answer.fields.keys.contains { $0.hasPrefix("access-control") })
            }
            let preflight = try HTTPWire.ask(
                scene.port, "OPTIONS /status", ["Origin: http://evil.example"])
            #expect(preflight.status == 405)
            #expect(!preflight.fields.keys.contains { $0.hasPrefix("access-control") })
            try await scene.node.terminate()
        }

        @Test("the dashboard asks for nothing that this node does not have")
        func dashboard() async throws {
            let scene = try await Scene()
            let page = try HTTPWire.ask(scene.port, "GET /")
            #expect(page.fields["content-type"]?.hasPrefix("text/html") == true)
            // The policy forbids what is inline: a page that has it would be broken by it.
            for inline in [#"<script(?![^>]*\ssrc=)"#, "<style", #"\s(style|on[a-z]+)\s*="#] {
                let found = page.body.range(of: inline, options: .regularExpression)
                #expect(found == nil, "the page has \(found.map { page.body[$0] } ?? "")")
            }
            var waiting = Self.paths(in: page.body)
            var seen: Set<String> = []
            var scriptBytes = 0
            while let path = waiting.popLast() {
                guard seen.insert(path).inserted else { continue }
                let answer = try HTTPWire.ask(scene.port, "GET \(path)")
                // A parameter may be missing here; the path itself has to be known.
                #expect([200, 400].contains(answer.status), "\(path): \(answer.status)")
                guard path.hasSuffix(".js") else { continue }
                scriptBytes += answer.body.utf8.count
                waiting += Self.paths(in: answer.body)
            }
            #expect(seen.count > 12 && scriptBytes < 100_000, "\(seen)")
            for word in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("] {
                for path in seen where path.hasSuffix(".js") {
                    let script = try HTTPWire.ask(scene.port, "GET \(path)").body
                    #expect(!script.contains(word), "\(path) has \(word)")
                }
            }
            try await scene.node.terminate()
        }

        /// What a page or a script refers to, all of this origin; events would not end.
        private static func paths(in text: String) -> [String] {
            let quoted = text.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            let texts = quoted.filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
            #expect(!texts.contains { $0.hasPrefix("//") || $0.hasPrefix("https:") })
            return texts.compactMap { text in
                if text.hasPrefix("./") { return "/dashboard/" + text.dropFirst(2) }
                return text.hasPrefix("/") && text.count > 1 && text != "/api/v1/live" ? text : nil
            }
        }

        @Test("an answer that the peer has is not sent again")
        func tags() async throws {
            let scene = try await Scene()
            let first = try HTTPWire.ask(scene.port, "GET /api/v1/history")
            let tag = try #require(first.fields["etag"])
            let again = try HTTPWire.ask(
                scene.port, "GET /api/v1/history", ["If-None-Match: \"x\", W/\(tag)"])
            #expect(again.status == 304 && again.body.isEmpty && again.fields["etag"] == tag)
            let other = try HTTPWire.ask(
                scene.port, "GET /api/v1/history", ["If-None-Match: \"x\""])
            #expect(other.status == 200)
            let head = try HTTPWire.ask(scene.port, "HEAD /api/v1/history")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.fields["content-length"] != "0")
            try await scene.node.terminate()
        }

        @Test("probes: live whatever Redis does, ready with Redis and not while stopping")
        func probes() async throws {
            let scene = try await Scene()
            let port = scene.port
            #expect(try HTTPWire.ask(port, "GET /livez").status == 200)
            #expect(try HTTPWire.ask(port, "GET /readyz").body == "ready\n")
            func health(_ flag: String) async throws -> Int32 {
                try await scene.stage.run(["health", flag, "--http", "127.0.0.1:\(port)"]).code
            }
            for flag in ["--live", "--ready", "--leader"] {
                #expect(try await health(flag) == 0, "\(flag)")
            }
            let masters = scene.stage.cluster.masters
            for master in masters { kill(master.pid, SIGSTOP) }
            defer { for master in masters { kill(master.pid, SIGCONT) } }
            try await eventually("it is not ready without Redis", within: .seconds(20)) {
                try HTTPWire.ask(port, "GET /readyz").status == 503
            }
            #expect(try HTTPWire.ask(port, "GET /livez").status == 200)
            #expect(try HTTPWire.ask(port, "GET /leader").status == 503)
            #expect(try await health("--ready") == 5)
            #expect(try await health("--live") == 0)
            for master in masters { kill(master.pid, SIGCONT) }
            try await eventually("it is ready again", within: .seconds(30)) {
                try HTTPWire.ask(port, "GET /readyz").status == 200
            }
            // A second node, so that the first one has shards to hand over when it stops.
            let follower = try scene.stage.node(["--node-name", "n2", "--http", "127.0.0.1:0"])
            let other = try await follower.port()
            try await eventually("a follower is as ready as a leader", within: .seconds(20)) {
                try HTTPWire.ask(other, "GET /readyz").status == 200
            }
            try await scene.stage.must(["drain", "n2", "--yes"])
            try await eventually("a drained node is not ready", within: .seconds(20)) {
                try HTTPWire.ask(other, "GET /readyz").status == 503
            }
            try await follower.terminate()
            try await scene.node.terminate()
            #expect(try await health("--live") == 2)
        }

        @Test("with a read token only probes are for everybody")
        func readToken() async throws {
            let file = try Scratch.file("token", Array("\(Self.readToken)\n".utf8))
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let node = try stage.node(["--http", "127.0.0.1:0", "--read-token-file", file])
            let port = try await node.port()
            for path in ["/livez", "/readyz", "/leader"] {
                #expect(try HTTPWire.ask(port, "GET \(path)").status != 401, "\(path)")
            }
            for path in ["/", "/status", "/metrics", "/api/v1/top", "/api/v1/live", "/nothing"] {
                let answer = try HTTPWire.ask(port, "GET \(path)")
                #expect(answer.status == 401, "\(path)")
                #expect(answer.fields["www-authenticate"]?.contains("Bearer") ?? false)
                let wrong = ["Authorization: Bearer \(Self.adminToken)"]
                #expect(try HTTPWire.ask(port, "GET \(path)", wrong).status == 401)
                let query = try HTTPWire.ask(port, "GET \(path)?token=\(Self.readToken)")
                #expect(query.status == 401, "a token in a URL is no token")
            }
            let right = ["Authorization: Bearer \(Self.readToken)"]
            #expect(try HTTPWire.ask(port, "GET /status", right).status == 200)
            let password = Data("me:\(Self.readToken)".utf8).base64EncodedString()
            let basic = ["Authorization: Basic \(password)"]
            #expect(try HTTPWire.ask(port, "GET /status", basic).status == 200)
            try await node.terminate()
            #expect(!node.child.errors.contains(Self.readToken))
        }

        @Test("orders: at an address of their own, with a token, each with a line in the log")
        func orders() async throws {
            let file = try Scratch.file("token", Array(Self.adminToken.utf8))
            let scene = try await Scene(["--admin", "127.0.0.1:0", "--admin-token-file", file])
            let admin = try await scene.node.port("admin")
            let token = ["Authorization: Bearer \(Self.adminToken)"]
            let json = token + ["Content-Type: application/json"]
            for order in ["drain", "step-down", "rebalance", "pause", "resume"] {
                let path = "POST /api/v1/\(order)"
                #expect(try HTTPWire.ask(admin, path, body: "{}").status == 401)
                #expect(try HTTPWire.ask(admin, path, token, body: "{}").status == 400)
                #expect(try HTTPWire.ask(scene.port, path, json, body: "{}").status == 405)
                let inURL = "\(path)?token=\(Self.adminToken)"
                #expect(try HTTPWire.ask(admin, inURL, body: "{}").status == 401)
                #expect(try HTTPWire.ask(admin, "GET /api/v1/\(order)", json).status == 405)
            }
            #expect(try HTTPWire.ask(admin, "GET /status", token).status == 404)
            #expect(try HTTPWire.ask(admin, "POST /api/v1/import", json, body: "{}").status == 404)
            func give(_ order: String, _ body: String) throws -> [String: Any]? {
                let answer = try HTTPWire.ask(admin, "POST /api/v1/\(order)", json, body: body)
                #expect(answer.status == 200, "\(order) \(body): \(answer.body)")
                return answer.json as? [String: Any]
            }
            let rehearsal = try give("pause", "{\"tier\":\"1HOUR\",\"dryRun\":true}")
            #expect(rehearsal?["changed"] as? Bool == false)
            #expect(try give("pause", "{\"tier\":\"1HOUR\"}")?["changed"] as? Bool == true)
            #expect(try give("pause", "{\"tier\":\"1HOUR\"}")?["changed"] as? Bool == false)
            #expect(try give("resume", "{\"tier\":\"1HOUR\"}")?["changed"] as? Bool == true)
            #expect(try give("drain", "{\"node\":\"n1\"}")?["changed"] as? Bool == true)
            #expect(
                try give("drain", "{\"node\":\"n1\",\"undo\":true}")?["changed"] as? Bool == true)
            _ = try give("rebalance", "{}")
            #expect(try give("step-down", "{}")?["changed"] as? Bool == true)
            for body in [
                "", "[]", "{", "{\"node\":1}", "{\"node\":\"nobody\"}", "{\"tier\":\"1HOUR\"}",
                "{\"node\":\"n1\",\"yes\":true}", "{\"node\":\"--undo\"}",
            ] {
                let answer = try HTTPWire.ask(admin, "POST /api/v1/drain", json, body: body)
                #expect(answer.status == 400, "\(body): \(answer.body)")
            }
            let chunked = try HTTPWire(admin)
            chunked.send(
                "POST /api/v1/rebalance HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    + json.joined(separator: "\r\n")
                    + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
            let chunkedAnswer = try HTTPWire.parse(try #require(chunked.readToEnd()))
            #expect(chunkedAnswer.status == 200)
            let log = scene.node.child.errors
            let lines = log.split(separator: "\n")
            for (event, rest) in [
                ("event=order ", "from=127.0.0.1 order=\"drain n1\" status=200"),
                ("event=order-refused ", "from=127.0.0.1 path=/api/v1/drain"),
            ] {
                #expect(lines.contains { $0.contains(event) && $0.contains(rest) }, "\(log)")
            }
            #expect(!log.contains(Self.adminToken))
            try await scene.node.terminate()
        }

        @Test("a flood of questions rests; status and orders pass it", .timeLimit(.minutes(4)))
        func flood() async throws {
            let file = try Scratch.file("token", Array(Self.adminToken.utf8))
            let scene = try await Scene(["--admin", "127.0.0.1:0", "--admin-token-file", file])
            let admin = try await scene.node.port("admin")
            var number = 0
            func question(patience: Int = 20) throws -> HTTPWire {
                number += 1
                let wire = try HTTPWire(scene.port, patience: patience)
                wire.send(
                    "GET /api/v1/top?last=7d&compare=previous&number=\(number) HTTP/1.1\r\n"
                        + "Host: localhost\r\nConnection: close\r\n\r\n")
                return wire
            }
            try await eventually("they take more than their part", within: .seconds(120)) {
                for wire in try (0..<40).map({ _ in try question() }) {
                    let answer = try HTTPWire.parse(try #require(wire.readToEnd()))
                    #expect(answer.status == 200, "\(answer.body)")
                }
                let metrics = try HTTPWire.ask(scene.port, "GET /metrics").body
                return !metrics.contains("coordinator_http_rests_total{part=\"questions\"} 0\n")
            }
            var waiting = try (0..<100).map { _ in try question() }
            try await eventually("no more of them wait than may", within: .seconds(60)) {
                // One that is let in, because another's turn has come, waits for its own.
                let wire = try question(patience: 3)
                waiting.append(wire)
                guard let text = wire.readToEnd() else { return false }
                let answer = try HTTPWire.parse(text)
                return answer.status == 503 && answer.fields["retry-after"] != nil
            }
            #expect(try HTTPWire.ask(scene.port, "GET /status").status == 200)
            let order = try HTTPWire.ask(
                admin, "POST /api/v1/rebalance",
                ["Authorization: Bearer \(Self.adminToken)", "Content-Type: application/json"],
                body: "{}")
            #expect(order.status == 200, "\(order.body)")
            withExtendedLifetime(waiting) {}
            try await scene.node.terminate()
        }

        @Test("what cannot be served is refused at the start, with the way out")
        func starts() async throws {
            let stage = try await Stage.fresh()
            try await stage.initialise([])
            let node = try stage.node(["--http", "127.0.0.1:0"])
            let taken = try await node.port()
            let short = try Scratch.file("short", Array("short".utf8))
            let rows: [([String], String)] = [
                (["--http", "127.0.0.1:\(taken)"], "port of its own"),
                (["--http", "nonsense"], "ADDRESS:PORT"),
                (["--http", "host.example:80"], "numeric"),
                (["--admin", "127.0.0.1:0"], "needs a token"),
                (["--http", "off", "--admin", "127.0.0.1:0", "--admin-token-file", short], "16"),
                (["--http", "127.0.0.1:0", "--read-token-file", "/nonexistent"], "/nonexistent"),
            ]
            for (words, sentence) in rows {
                let finished = try await stage.run(["run", "--node-name", "x"] + words)
                #expect(finished.code == 78, "\(words)")
                #expect(finished.errors.contains(sentence), "\(words): \(finished.errors)")
            }
            let argument = try await stage.run(["run", "--admin-token", Self.adminToken])
            #expect(argument.code == 64, "a token is never an argument")
            let long = try HTTPWire.ask(taken, "GET /livez")
            #expect(long.status == 200)
            try await node.terminate()
        }

        @Test("events tell the status each second to all who listen, up to a number")
        func events() async throws {
            let scene = try await Scene()
            let wires = try (0..<32).map { _ in
                let wire = try HTTPWire(scene.port)
                wire.send("GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return wire
            }
            let first = wires[0]
            var text = ""
            while text.components(separatedBy: "event: status\ndata: {").count < 4 {
                let bytes = try #require(first.read(), "\(text.suffix(500))")
                try #require(!bytes.isEmpty)
                text += String(decoding: bytes, as: UTF8.self)
            }
            #expect(text.contains("Content-Type: text/event-stream"))
            for wire in wires.dropFirst() { #expect(wire.read() != nil) }
            let more = try HTTPWire.ask(scene.port, "GET /api/v1/live")
            #expect(more.status == 503 && more.fields["retry-after"] != nil)
            try await scene.node.terminate()
            #expect(first.readToEnd() != nil, "a node that stops ends its streams")
        }
    }
}
