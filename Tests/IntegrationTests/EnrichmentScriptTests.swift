import CoordinatorCore
import EventLoop
import Testing

@testable import CoordinatorService
@testable import RedisClient

extension ServerSuites {
    /// The scripts of enrichment on a real server: who may write, what is written once, and the one
    /// sequence of requests that all nodes share.
    @Suite("Scripts of enrichment", .serialized)
    struct EnrichmentScriptTests {
        /// A shard of a fresh deployment, claimed, with pages that wait.
        @LoopActor private final class Bench {
            let cluster: RedisCluster
            let deployment: Deployment
            let client: ShardClient
            let token: FencingToken
            let hour: Duration = .seconds(3_600)

            init() async throws {
                let stage = try await Stage.fresh()
                cluster = RedisCluster(try stage.cluster.configuration())
                try await cluster.start()
                _ = try await Deployment.initialise(cluster, DeploymentSettings(), sources: [])
                deployment = try await Deployment(cluster)
                client = ShardClient(deployment, ShardID(rawValue: 3))
                token = try #require(Self.token(1))
                _ = try await client.claim(token, owner: "a/1")
            }

            static func token(_ number: Int) -> FencingToken? {
                FencingToken(
                    String(repeating: "0", count: 20) + "-" + String(repeating: "0", count: 19)
                        + "\(number)-" + String(repeating: "a", count: 16))
            }

            static func page(_ number: UInt32) -> RecordID { RecordID((7, 7, number)) }

            @discardableResult
            func ask(_ words: String...) async throws -> RedisValue {
                try await cluster.ask(words.map { RedisArgument($0) }, slot: client.slot)
            }

            func add(_ number: UInt32, article: String = "42") async throws {
                let page = Self.page(number)
                try await ask(
                    "JSON.SET", RedisKeys.document(.page, client.tag, page), "$",
                    "{\"article_id\":\(article),\"last_visited\":1,\"metadata\":{\"title\":null}}")
                try await ask(
                    "XADD", RedisKeys.enrichment(client.tag), "*", "id", page.hex, "article_id",
                    article)
            }

            func take(_ token: FencingToken? = nil) async throws -> [WaitingPage] {
                guard
                    case .done(let pages) = try await client.takePages(
                        token ?? self.token, count: 100, refresh: hour)
                else { throw Trouble("fenced") }
                return pages
            }

            func note(_ results: [PageResult]) async throws -> Int64 {
                guard case .done(let noted) = try await client.note(token, results) else {
                    throw Trouble("fenced")
                }
                return noted.count
            }

            func found(_ page: WaitingPage, _ title: String) -> PageResult {
                PageResult(
                    page: page,
                    change: .found(.init(title: title, kicker: nil, displayDate: 5), again: hour))
            }

            func title(_ number: UInt32) async throws -> String {
                try await value(number, "$.metadata.title")
            }

            func words(_ number: UInt32) async throws -> String {
                try await value(number, "$.metadata.words")
            }

            private func value(_ number: UInt32, _ path: String) async throws -> String {
                let key = RedisKeys.document(.page, client.tag, Self.page(number))
                return try await ask("JSON.GET", key, path).text ?? ""
            }
        }

        @Test("a page is handed out until its result is noted, and that is noted once")
        @LoopActor func once() async throws {
            let bench = try await Bench()
            try await bench.add(1, article: "18446744073709551615")
            try await bench.add(2)
            let pages = try await bench.take()
            #expect(pages.map(\.article) == [18_446_744_073_709_551_615, 42])
            #expect(try await bench.take() == pages, "nothing changes by handing out")
            #expect(try await bench.note([bench.found(pages[0], "First Été")]) == 1)
            #expect(try await bench.note([bench.found(pages[0], "second")]) == 0)
            #expect(try await bench.title(1) == #"["First Été"]"#)
            #expect(try await bench.words(1) == #"["first ete"]"#, "as it is searched for")
            #expect(try await bench.take() == [pages[1]])
            let counts = RedisKeys.enrichmentCounts(bench.client.tag)
            #expect(try await bench.ask("HGET", counts, "found").text == "1")
            await bench.cluster.close()
        }

        @Test("a former owner takes nothing and writes nothing")
        @LoopActor func fenced() async throws {
            let bench = try await Bench()
            try await bench.add(1)
            let pages = try await bench.take()
            let next = try #require(Bench.token(2))
            _ = try await bench.client.claim(next, owner: "b/2")
            guard
                case .fenced(by: next) = try await bench.client.note(
                    bench.token, [bench.found(pages[0], "stale")]),
                case .fenced(by: next) = try await bench.client.takePages(
                    bench.token, count: 9, refresh: nil)
            else {
                Issue.record("a former owner was served")
                return
            }
            #expect(try await bench.title(1) == "[null]")
            #expect(try await bench.take(next) == pages)
            await bench.cluster.close()
        }

        @Test("a page that failed waits, then is due; given up, it is asked for again on demand")
        @LoopActor func later() async throws {
            let bench = try await Bench()
            try await bench.add(1)
            let page = try await bench.take()[0]
            _ = try await bench.note([
                PageResult(
                    page: page, change: .later(.zero, attempts: 1, misses: 0, reason: "status 500"))
            ])
            let again = try await bench.take()
            #expect(again.count == 1 && again[0].attempts == 1 && !again[0].isKnown)
            guard case .schedule = again[0].place else {
                Issue.record("\(again)")
                return
            }
            // The first result again, as after a lost reply: it is in another place by now.
            #expect(try await bench.note([bench.found(page, "stale")]) == 0)
            _ = try await bench.note([
                PageResult(
                    page: again[0],
                    change: .later(.seconds(60), attempts: 2, misses: 0, reason: "status 500"))
            ])
            #expect(try await bench.take().isEmpty)
            // By hand it is due now; what was handed out before is worth nothing.
            #expect(try await bench.client.retry(Bench.page(1)))
            let asked = try await bench.take()
            #expect(asked.count == 1 && asked[0].attempts == 0)
            _ = try await bench.note([
                PageResult(page: asked[0], change: .dead(attempts: 12, reason: "status 500"))
            ])
            #expect(try await bench.take().isEmpty)
            #expect(try await bench.client.retryDead(count: 10).pages == 1)
            #expect(try await bench.client.retryDead(count: 10).looked == 0)
            let last = try await bench.take()
            #expect(last.count == 1 && last[0].attempts == 0 && last[0].article == 42)
            #expect(try await !bench.client.retry(Bench.page(99)))
            await bench.cluster.close()
        }

        @Test("metadata are renewed after their age, of pages that were visited since")
        @LoopActor func refresh() async throws {
            let bench = try await Bench()
            try await bench.add(1)
            try await bench.add(2)
            try await bench.add(3)
            for page in try await bench.take() {
                _ = try await bench.note([bench.found(page, "T")])
            }
            #expect(try await bench.take().isEmpty)
            let schedule = RedisKeys.enrichmentSchedule(bench.client.tag)
            let due = try await bench.deployment.serverTime() - 1
            for number in UInt32(1)...3 {
                try await bench.ask("ZADD", schedule, "\(due)", Bench.page(number).hex)
            }
            let key = RedisKeys.document(.page, bench.client.tag, Bench.page(2))
            try await bench.ask("JSON.SET", key, "$.last_visited", "\(due)")
            try await bench.ask(
                "DEL", RedisKeys.document(.page, bench.client.tag, Bench.page(3)))
            let pages = try await bench.take()
            #expect(pages.map(\.id) == [Bench.page(2)] && pages[0].isKnown)
            #expect(pages[0].article == 42)
            #expect(try await bench.ask("ZCARD", schedule).int == 2)
            await bench.cluster.close()
        }

        @Test("entries without an article are done with; documents that are gone are not made anew")
        @LoopActor func strange() async throws {
            let bench = try await Bench()
            let queue = RedisKeys.enrichment(bench.client.tag)
            try await bench.ask("XADD", queue, "*", "id", Bench.page(1).hex)
            try await bench.ask("XADD", queue, "*", "id", Bench.page(1).hex, "article_id", "x")
            try await bench.ask("XADD", queue, "*", "something", "else")
            try await bench.ask("XADD", queue, "*", "id", "zz", "article_id", "1")
            try await bench.ask(
                "XADD", queue, "*", "id", Bench.page(1).hex, "article_id", "18446744073709551616")
            let waiting = RedisKeys.enrichmentSchedule(bench.client.tag)
            try await bench.ask("ZADD", waiting, "1", "nothing", "2", Bench.page(9).hex)
            try await bench.ask(
                "HSET", RedisKeys.enrichmentTries(bench.client.tag), Bench.page(9).hex, "x")
            let dead = RedisKeys.enrichmentDead(bench.client.tag)
            try await bench.ask("XADD", dead, "*", "something", "else")
            let retried = try await bench.client.retryDead(count: 10)
            #expect(retried.pages == 0 && retried.looked == 1)
            #expect(try await bench.take().isEmpty)
            #expect(try await bench.ask("XLEN", queue).int == 0)
            #expect(try await bench.ask("ZCARD", waiting).int == 0)
            try await bench.add(2)
            let page = try await bench.take()[0]
            let key = RedisKeys.document(.page, bench.client.tag, Bench.page(2))
            try await bench.ask("DEL", key)
            #expect(try await bench.note([bench.found(page, "T")]) == 1)
            #expect(try await bench.ask("EXISTS", key).int == 0)
            #expect(try await bench.take().isEmpty)
            // One that is something else is put off, not asked for again and again.
            try await bench.add(3)
            let other = RedisKeys.document(.page, bench.client.tag, Bench.page(3))
            try await bench.ask("DEL", other)
            try await bench.ask("SET", other, "text")
            let strange = try await bench.take()[0]
            #expect(try await bench.note([bench.found(strange, "T")]) == 1)
            #expect(try await bench.take().isEmpty)
            let schedule = RedisKeys.enrichmentSchedule(bench.client.tag)
            #expect(try await bench.ask("ZCARD", schedule).int == 1)
            await bench.cluster.close()
        }

        @Test("nodes that ask at once are given places a period apart, and never too many")
        @LoopActor func permits() async throws {
            let bench = try await Bench()
            var given = EnrichmentSettings.Given()
            given.url = "https://api.example.org/{article_id}"
            given.allowedHosts = ["api.example.org"]
            given.rate = "200"
            given.concurrency = 12
            let settings = try #require(try EnrichmentSettings(given))
            let log = Slots()
            let deadline = loopNow() + .seconds(6)
            let count = 5
            for number in 0..<count {
                spawn { await Self.work(bench, settings, "node\(number)", until: deadline, log) }
            }
            while log.ended < count, loopNow() < deadline + .seconds(20) {
                try await loopSleep(.milliseconds(20))
            }
            #expect(log.ended == count)
            let starts = log.starts.sorted()
            let closest = zip(starts, starts.dropFirst()).map { $1 - $0 }.min() ?? 0
            print("permits: \(starts.count) in 6 s, at least \(closest) µs apart")
            #expect(starts.count > 300, "\(starts.count) permits")
            // The moment of the answer is known to the way's length only.
            #expect(log.mostRunning <= 12)
            #expect(Set(log.names).count == log.names.count)
            let second = Int64(1_000_000)
            var first = 0
            for (last, at) in starts.enumerated() {
                while starts[first] <= at - second { first += 1 }
                #expect(last - first + 1 <= 200)
            }
            await bench.cluster.close()
        }

        @LoopActor private static func work(
            _ bench: Bench, _ settings: EnrichmentSettings, _ nonce: String,
            until deadline: MonotonicInstant, _ log: Slots
        ) async {
            let client = PermitClient(bench.cluster, settings, nonce: nonce)
            var released: [RequestPermit.ID] = []
            while loopNow() < deadline {
                do {
                    let grant = try await client.ask(4, released: released)
                    released = grant.permits
                    log.note(grant, settings.rate)
                    try await loopSleep(
                        grant.permits.isEmpty ? .milliseconds(10) : .milliseconds(3))
                    log.running -= released.count
                } catch {
                    Issue.record("\(error)")
                    break
                }
            }
            log.ended += 1
        }

        @LoopActor private final class Slots {
            var starts: [Int64] = []
            var names: [String] = []
            var running = 0
            var mostRunning = 0
            var ended = 0

            func note(_ grant: PermitGrant, _ rate: RequestRate) {
                for permit in grant.slots(at: rate) {
                    // Where a node begins that is as early as it may be.
                    starts.append(Int64(permit.from.nanoseconds / 1_000))
                    names.append(permit.id.text)
                }
                running += grant.permits.count
                mostRunning = max(mostRunning, running)
            }
        }
    }
}
