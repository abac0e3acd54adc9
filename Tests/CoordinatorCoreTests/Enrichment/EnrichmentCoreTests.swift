import Testing

@testable import CoordinatorCore

/// One node's decisions, and those of many that share an API.
@Suite("Enrichment core")
struct EnrichmentCoreTests {
    private static let second: Int64 = 1_000_000

    /// The most requests that began in any second.
    private func mostPerSecond(_ begun: [Int64]) -> Int {
        let times = begun.sorted()
        var first = 0
        var most = 0
        for (last, at) in times.enumerated() {
            while times[first] <= at - Self.second { first += 1 }
            most = max(most, last - first + 1)
        }
        return most
    }

    @Test("every page is asked for and written once, as fast as the rate allows")
    func plain() throws {
        var world = try EnrichmentWorld(shards: 8, pages: 500, seed: 1)
        let node = world.addNode()
        for shard in 0..<8 { world.give(shard, to: node) }
        world.run(until: world.now + 7 * Self.second)
        #expect(world.left == 0)
        #expect(world.written.count == 500 && world.written.values.allSatisfy { $0 == 1 })
        #expect(world.begun.count == 500)
        #expect(mostPerSecond(world.begun) <= 100)
        #expect(world.mostRunning <= 8)
        let counters = world.nodes[node].core.counters
        #expect(counters.found == 500 && counters.requests == 500 && counters.failed == 0)
    }

    @Test("an idle node asks its shards once a second, and Redis for nothing else")
    func idle() throws {
        var world = try EnrichmentWorld(shards: 4, pages: 0, seed: 2)
        let node = world.addNode()
        for shard in 0..<4 { world.give(shard, to: node) }
        world.run(until: world.now + 2 * Self.second)
        var steps = 0
        let start = world.instant
        var now = start
        var core = world.nodes[node].core
        while now < start + .seconds(10) {
            now = core.nextDeadline(after: now)
            for directive in core.step(.timePassed, now: now) {
                guard case .take(let request, _, _, _) = directive else {
                    Issue.record("\(directive)")
                    continue
                }
                _ = core.step(.pagesTaken(request, []), now: now)
            }
            steps += 1
        }
        #expect((20...60).contains(steps), "\(steps) steps in ten seconds")
    }

    @Test(
        "half of the requests fail: nothing is given up, the breaker stays closed, all is written")
    func halfFails() throws {
        var world = try EnrichmentWorld(shards: 4, pages: 400, seed: 3)
        world.answer = { random, article in
            Bool.random(using: &random)
                ? (.failed(reason: "status 500", retryAfter: nil), 10_000)
                : (.found(.init(title: "T\(article)", kicker: nil, displayDate: nil)), 30_000)
        }
        let node = world.addNode()
        for shard in 0..<4 { world.give(shard, to: node) }
        world.run(until: world.now + 1_200 * Self.second)
        let dead = world.shards.reduce(0) { $0 + $1.dead.count }
        // Twelve failures in a row: once in four thousand pages.
        #expect(world.left == 0 && dead <= 2)
        #expect(world.written.count == 400 - dead && world.written.values.allSatisfy { $0 == 1 })
    }

    @Test("while the API is away it is tried now and then, and no page is blamed for it")
    func away() throws {
        var world = try EnrichmentWorld(shards: 4, pages: 300, seed: 4) { $0.attempts = 3 }
        world.answer = { _, _ in (.failed(reason: "no connection", retryAfter: nil), 5_000) }
        let node = world.addNode()
        for shard in 0..<4 { world.give(shard, to: node) }
        world.run(until: world.now + 3_600 * Self.second)
        #expect(world.begun.count < 120, "\(world.begun.count) requests in an hour")
        #expect(world.shards.allSatisfy { $0.dead.isEmpty } && world.left == 300)
        #expect(!world.nodes[node].core.counters.isHostAsked)
        world.answer = { _, article in
            (.found(.init(title: "T\(article)", kicker: nil, displayDate: nil)), 5_000)
        }
        world.run(until: world.now + 600 * Self.second)
        #expect(world.left == 0 && world.written.count == 300)
        #expect(world.nodes[node].core.counters.isHostAsked)
    }

    @Test("an article that is not there is asked for after 10 minutes, and later and later")
    func missing() throws {
        var world = try EnrichmentWorld(shards: 1, pages: 1, seed: 5)
        world.answer = { _, _ in (.missing, 5_000) }
        let node = world.addNode()
        world.give(0, to: node)
        world.run(until: world.now + 160 * 60 * Self.second)
        let minutes = zip(world.begun, world.begun.dropFirst()).map {
            (Double($1 - $0) / 60_000_000).rounded()
        }
        #expect(minutes == [10, 20, 40, 80])
        #expect(world.shards[0].dead.isEmpty)
    }

    @Test("a page that cannot be had is given up after its attempts, a refused one at once")
    func givenUp() throws {
        var world = try EnrichmentWorld(shards: 1, pages: 20, seed: 6) { $0.attempts = 4 }
        var asked: [UInt64: Int] = [:]
        world.answer = { _, article in
            switch article % 4 {
            case 0: (.unreadable(reason: "no title", isHostAtFault: false), 5_000)
            case 1: (.refused(reason: "status 400", isHostAtFault: false), 5_000)
            default: (.found(.init(title: "T", kicker: nil, displayDate: nil)), 5_000)
            }
        }
        let node = world.addNode()
        world.give(0, to: node)
        world.run(until: world.now + 600 * Self.second)
        #expect(world.left == 0 && world.written.count == 10)
        #expect(Set(world.shards[0].dead.map { Int($0.words.2) % 4 }) == [0, 1])
        asked[0] = world.begun.count
        #expect(asked[0] == 10 + 5 + 5 * 4)
        #expect(world.nodes[node].core.counters.dead == 10)
    }

    @Test("who asks to be left alone is, for as long as is said")
    func held() throws {
        var world = try EnrichmentWorld(shards: 1, pages: 50, seed: 7)
        world.answer = { _, _ in (.failed(reason: "status 429", retryAfter: .seconds(60)), 5_000) }
        let node = world.addNode()
        world.give(0, to: node)
        world.run(until: world.now + 2 * Self.second)
        let before = world.begun.count
        #expect(before <= 3, "\(before) requests began before the first answer came")
        world.run(until: world.now + 55 * Self.second)
        #expect(world.begun.count == before)
        world.run(until: world.now + 10 * Self.second)
        #expect(world.begun.count > before)
    }

    @Test(
        "nodes and shards come and go, replies are lost: limits hold, nothing lost, nothing twice",
        arguments: [UInt64](1...6))
    func many(seed: UInt64) throws {
        var world = try EnrichmentWorld(shards: 16, pages: 1_200, seed: seed) {
            $0.rate = "50"
            $0.concurrency = 6
        }
        world.lossChance = 0.05
        world.answer = { random, article in
            let took = Int64.random(in: 1_000...300_000, using: &random)
            return Int.random(in: 0..<10, using: &random) < 3
                ? (.failed(reason: "status 503", retryAfter: nil), took)
                : (.found(.init(title: "T\(article)", kicker: nil, displayDate: nil)), took)
        }
        for _ in 0..<3 { _ = world.addNode() }
        for shard in 0..<16 { world.give(shard, to: shard % 3) }
        var random = SplitMix64(seed: seed &* 31)
        for _ in 0..<20 {
            world.run(until: world.now + Int64.random(in: 1...4, using: &random) * Self.second)
            let alive = world.nodes.indices.filter { world.nodes[$0].isAlive }
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where alive.count > 1:
                let lost = alive.randomElement(using: &random) ?? 0
                let shards = world.nodes[lost].tokens.keys.map(\.rawValue).sorted()
                world.kill(lost)
                let heirs = alive.filter { $0 != lost }
                for shard in shards { world.give(shard, to: heirs[shard % heirs.count]) }
            case 1:
                let node = world.addNode()
                for _ in 0..<6 {
                    world.give(Int.random(in: 0..<16, using: &random), to: node)
                }
            default:
                // The former owner learns it only when it is fenced.
                world.give(
                    Int.random(in: 0..<16, using: &random),
                    to: alive.randomElement(using: &random) ?? 0, tellsFormer: false)
            }
        }
        world.lossChance = 0
        world.run(until: world.now + 900 * Self.second)
        #expect(world.left == 0, "\(world.left) pages are left")
        let dead = world.shards.reduce(0) { $0 + $1.dead.count }
        #expect(world.written.count + dead == 1_200 && dead <= 2)
        #expect(world.written.values.allSatisfy { $0 == 1 })
        #expect(mostPerSecond(world.begun) <= 50, "\(mostPerSecond(world.begun)) in a second")
        #expect(world.mostRunning <= 6, "\(world.mostRunning) at once")
    }
}
