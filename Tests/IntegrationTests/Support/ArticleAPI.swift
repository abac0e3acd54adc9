import CoordinatorCore
import EventLoop
import Foundation
import Glibc
import HTTPClient

/// `Tests/ArticleAPI/api.py`, started for one test; it ends with the test process.
struct ArticleAPI {
    /// What has been asked of it so far.
    struct Stats: Decodable {
        let requests: Int
        let mostPerSecond: Int
        let mostRunning: Int
        let running: Int
        let articles: Int
        let mostPerArticle: Int
        let span: Double
    }

    let child: Child
    let url: String
    let port: UInt16

    static func start() async throws -> ArticleAPI {
        let child = try Child([
            "/usr/bin/env", "python3", Package.root + "/Tests/ArticleAPI/api.py",
        ])
        try await eventually("the API listens") { child.output.contains("\n") }
        let url = child.output.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let port = url.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw Trouble("the API said: \(url) \(child.errors)")
        }
        return ArticleAPI(child: child, url: url, port: port)
    }

    /// The arguments that make a node ask it.
    func arguments(_ more: [String] = []) -> [String] {
        [
            "--enrich-url", url + "/items/urn:newstool:article:{article_id}", "--enrich-allow",
            "127.0.0.1", "--enrich-allow-private",
        ] + more
    }

    func control(_ settings: String) async throws { _ = try await get("/control?" + settings) }

    func stats(resets: Bool = false) async throws -> Stats {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(
            Stats.self, from: Data(try await get(resets ? "/stats?reset=1" : "/stats")))
    }

    func stop() async throws {
        child.send(SIGTERM)
        _ = try await child.finish()
    }

    @LoopActor private func get(_ path: String) async throws -> [UInt8] {
        let client = HTTPClient(
            hosts: ["127.0.0.1"], rules: AddressRules(allowsPrivate: true),
            limits: .init(total: .seconds(20)), agent: "tests/1")
        defer { client.close() }
        return try await client.get(
            HTTPRequest(host: "127.0.0.1", port: port, url: url + path)
        ).body
    }
}
