import CoordinatorCore
import EventLoop
import Testing

@testable import RedisClient

@Suite("commands, addresses and topologies as text")
struct FormatTests {
    private func wire(_ command: RedisCommand) -> String {
        String(decoding: command.buffer[command.start...], as: UTF8.self)
    }

    @Test("a command is an array of bulk strings")
    func commands() {
        #expect(wire(RedisCommand("GET", "ä")) == "*2\r\n$3\r\nGET\r\n$2\r\nä\r\n")
        #expect(
            wire(RedisCommand("SET", "", RedisArgument([0, 13]), -12))
                == "*4\r\n$3\r\nSET\r\n$0\r\n\r\n$2\r\n\0\r\r\n$3\r\n-12\r\n")
        var many = RedisCommandWriter()
        for _ in 0..<12_345 { many.append("x") }
        #expect(wire(many.finish()).hasPrefix("*12345\r\n$1\r\nx\r\n$1\r\n"))
        #expect(
            wire(.wait(replicas: 1, timeout: .zero)) == "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n1\r\n"
        )
    }

    @Test(
        "lengths and numbers are written in full",
        arguments: [0, 1, 9, 10, 99, 100, 12_345, 1_000_000])
    func lengths(count: Int) {
        var writer = RedisCommandWriter()
        writer.append(count: count) { bytes in for index in bytes.indices { bytes[index] = 65 } }
        writer.append(count)
        let expected = "*2\r\n$\(count)\r\n" + String(repeating: "A", count: count)
        #expect(wire(writer.finish()) == expected + "\r\n$\("\(count)".count)\r\n\(count)\r\n")
    }

    @Test("the extremes of the integers are written", arguments: [Int64.min, -1, 0, Int64.max])
    func integers(number: Int64) {
        var writer = RedisCommandWriter()
        writer.append(number)
        writer.append(UInt64.max)
        let text = String(number)
        #expect(
            wire(writer.finish())
                == "*2\r\n$\(text.count)\r\n\(text)\r\n$20\r\n18446744073709551615\r\n")
    }

    @Test(
        "an endpoint is read as people and as Redis write it",
        arguments: [
            ("localhost:7000", "localhost:7000"), ("redis", "redis:6379"),
            ("[::1]:7000", "[::1]:7000"),
            ("::1:7000", "[::1]:7000"), ("[::1]", "[::1]:6379"), (":7000", ":7000"), ("a:0", nil),
            ("a:", nil), ("a:70000", nil), ("a:b", nil), ("", nil), ("[::1", nil), ("[]:1", nil),
            ("[::1]x", nil), ("a:-1", nil),
        ])
    func endpoints(text: String, expected: String?) {
        #expect(RedisEndpoint(text)?.description == expected)
    }

    @Test(
        "addresses give seeds, user and password",
        arguments: [
            (["redis://a:1,b:2", "c"], "a:1,b:2,c:6379 user=default password=none", nil),
            (["redis://:p%40ss@a"], "a:6379 user=default password=set", "p@ss"),
            (["redis://ann:s@a:1/0", " b:2 "], "a:1,b:2 user=ann password=set", "s"),
        ] as [([String], String, String?)])
    func urls(urls: [String], expected: String, password: String?) throws {
        let configuration = try RedisConfiguration(urls: urls)
        #expect(configuration.description == expected)
        #expect(configuration.password == password)
    }

    @Test(
        "a wrong address is refused without showing its password",
        arguments: [
            "", ",", "http://a", "rediss://a,redis://b", "redis://a/1", "redis://u:secret@a:b",
            "redis://u:%zz@a",
            "redis://", "redis://u:secret@", "redis://u:%+1@a",
        ])
    func wrongURLs(url: String) {
        do throws(RedisError) {
            _ = try RedisConfiguration(urls: [url])
            Issue.record("accepted")
        } catch {
            guard case .configuration(let text) = error else {
                Issue.record(error)
                return
            }
            #expect(!text.contains("secret"))
        }
    }

    private func decoded(_ wire: String) throws -> RedisValue {
        let reader = ReplyReader(limit: 1 << 20)
        try Array(wire.utf8).withUnsafeBytes { try reader.feed($0) }
        return try #require(try reader.next()).decoded()
    }

    @Test("CLUSTER SHARDS: the healthy master of each shard with slots, hosts filled in")
    func shardsReply() throws {
        func node(_ role: String, _ health: String, _ port: Int, endpoint: String) -> String {
            "*12\r\n" + bulk("id") + bulk("n\(port)") + bulk("port") + ":\(port)\r\n" + bulk("ip")
                + bulk("10.0.0.1") + bulk("endpoint") + endpoint + bulk("role") + bulk(role)
                + bulk("health") + bulk(health)
        }
        let wire =
            "*3\r\n*4\r\n" + bulk("slots") + "*4\r\n:0\r\n:5\r\n:7\r\n:7\r\n" + bulk("nodes")
            + "*4\r\n"
            + node("master", "fail", 1, endpoint: bulk("h"))
            + node("master", "online", 2, endpoint: bulk(""))
            + node("replica", "online", 3, endpoint: bulk("h"))
            + node("replica", "fail", 4, endpoint: bulk("h"))
            + "*4\r\n" + bulk("slots") + "*0\r\n" + bulk("nodes") + "*1\r\n"
            + node("master", "online", 5, endpoint: bulk("h"))
            + "*4\r\n" + bulk("slots") + "*2\r\n:8\r\n:16383\r\n" + bulk("nodes") + "*1\r\n"
            + node("master", "online", 6, endpoint: bulk("?"))
        let server = RedisEndpoint(host: "asked", port: 9)
        let topology = try #require(RedisTopology(shards: try decoded(wire), from: server))
        #expect(
            topology.masters == [
                RedisMaster(
                    endpoint: RedisEndpoint(host: "asked", port: 2), slots: [0...5, 7...7],
                    replicaCount: 1, redisNodeID: "n2"),
                RedisMaster(
                    endpoint: RedisEndpoint(host: "10.0.0.1", port: 6), slots: [8...16_383],
                    replicaCount: 0, redisNodeID: "n6"),
            ])
    }

    @Test(
        "a topology that makes no sense is none",
        arguments: [
            "*0\r\n", ":1\r\n", "*1\r\n:1\r\n",
            "*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:5\r\n:4\r\n$5\r\nnodes\r\n*0\r\n",
            "*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16384\r\n$5\r\nnodes\r\n*0\r\n",
            "*1\r\n*4\r\n$5\r\nslots\r\n*1\r\n:0\r\n$5\r\nnodes\r\n*0\r\n",
        ])
    func wrongTopology(wire: String) throws {
        let server = RedisEndpoint(host: "asked", port: 9)
        #expect(RedisTopology(shards: try decoded(wire), from: server) == nil)
        #expect(RedisTopology(slots: try decoded(wire), from: server) == nil)
    }

    @Test("the queue keeps its order through growth, wrap and removal")
    func queue() {
        var queue = FirstInFirstOut<Int>()
        var model: [Int] = []
        var generator = SplitMix64(seed: 7)
        for number in 0..<20_000 {
            switch UInt64.random(in: 0..<100, using: &generator) {
            case 0..<55:
                queue.append(number)
                model.append(number)
            case 55..<99: #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            default:
                queue.removeAll { $0.isMultiple(of: 3) }
                model.removeAll { $0.isMultiple(of: 3) }
            }
            #expect(queue.count == model.count && queue.first == model.first)
        }
        #expect(queue.takeAll() == model)
    }

    @Test("pauses double, are jittered by half and end at the longest")
    func pauses() {
        var generator = SplitMix64(seed: 1)
        for attempt in [0, 1, 2, 5, 20, 1_000, .max] {
            let pause = backoff(attempt, .milliseconds(50), .seconds(2), using: &generator)
            let full =
                attempt >= 6
                ? 2_000_000_000 : min(2_000_000_000, UInt64(50_000_000) << UInt64(attempt))
            #expect(pause >= full / 2 && pause <= full)
        }
    }
}
