@testable import CoordinatorCore

/// Shards, the control slot and an article API as simple values, and nodes with the real core: all
/// in one thread, on a clock that is moved by hand.
struct EnrichmentWorld {
    /// What waits in one shard, and what was written; the twin of `enrich.lua`.
    struct Shard {
        var token: FencingToken?
        var queue: [(entry: StreamID, id: RecordID)] = []
        var schedule: [RecordID: Int64] = [:]
        var tries: [RecordID: (attempts: Int, misses: Int)] = [:]
        var written: [RecordID: Int] = [:]
        var dead: [RecordID] = []
    }

    /// An event on its way to a node.
    struct Delivery {
        let at: Int64
        let node: Int
        let event: EnrichmentEvent
    }

    struct Node {
        var core: EnrichmentCore
        var isAlive = true
        var tokens: [ShardID: FencingToken] = [:]
        var deadline: Int64 = 0
    }

    var settings: EnrichmentSettings
    var random: SplitMix64
    /// µs.
    var now: Int64 = 1_000_000_000
    var shards: [Shard]
    var nodes: [Node] = []
    var deliveries: [Delivery] = []
    var next: Int64 = 0
    var permits: [String: Int64] = [:]
    private var names = 0
    private var tokens: UInt64 = 0

    /// What the API saw: when each request began, and how many are under way.
    var begun: [Int64] = []
    var running = 0
    var mostRunning = 0
    var articles: [UInt64: RecordID] = [:]
    /// What the API does with a request: an outcome, and how long that takes, µs.
    var answer: (inout SplitMix64, UInt64) -> (ArticleOutcome, Int64) = { _, article in
        (.found(.init(title: "T\(article)", kicker: nil, displayDate: nil)), 20_000)
    }
    /// Whether calls of Redis fail, each with this chance; half of them after they had an effect.
    var lossChance = 0.0

    init(
        shards: Int, pages: Int, seed: UInt64,
        _ change: (inout EnrichmentSettings.Given) -> Void = { _ in }
    ) throws {
        var given = EnrichmentSettings.Given()
        given.url = "https://api.example.org/{article_id}"
        given.allowedHosts = ["api.example.org"]
        given.refresh = .zero
        given.rate = "100"
        change(&given)
        guard let settings = try EnrichmentSettings(given) else { throw Missing() }
        self.settings = settings
        random = SplitMix64(seed: seed)
        self.shards = [Shard](repeating: Shard(), count: shards)
        for number in 0..<pages {
            let id = Self.page(number)
            articles[UInt64(number)] = id
            self.shards[number % shards].queue.append(
                (StreamID(milliseconds: 1, sequence: UInt64(number)), id))
        }
    }

    struct Missing: Error {}

    static func page(_ number: Int) -> RecordID { RecordID((0, 0, UInt32(number))) }
    var instant: MonotonicInstant { MonotonicInstant(nanoseconds: UInt64(now) * 1_000) }
    var written: [RecordID: Int] { shards.reduce(into: [:]) { $0.merge($1.written) { $0 + $1 } } }
    var left: Int { shards.reduce(0) { $0 + $1.queue.count + $1.schedule.count } }

    mutating func addNode() -> Int {
        nodes.append(
            Node(core: EnrichmentCore(settings, seed: random.next(), now: instant)))
        return nodes.count - 1
    }

    /// Gives a shard to a node, as a claim does: the former owner's token is worth nothing.
    mutating func give(_ shard: Int, to node: Int, tellsFormer: Bool = true) {
        tokens += 1
        let text =
            String(repeating: "0", count: 20) + "-" + String(repeating: "0", count: 12)
            + Decimal.padded(tokens, width: 8) + "-" + String(repeating: "a", count: 16)
        guard let token = FencingToken(text) else { preconditionFailure("\(text) is no token") }
        let id = ShardID(rawValue: shard)
        for former in nodes.indices where nodes[former].tokens[id] != nil {
            nodes[former].tokens[id] = nil
            if tellsFormer { tell(former, .shardEnded(id)) }
        }
        shards[shard].token = token
        nodes[node].tokens[id] = token
        tell(node, .shardBegun(id, token))
    }

    mutating func kill(_ node: Int) {
        nodes[node].isAlive = false
        nodes[node].tokens = [:]
    }

    /// Runs until a time, µs.
    mutating func run(until end: Int64) {
        while true {
            let delivery = deliveries.indices.min { deliveries[$0].at < deliveries[$1].at }
            let timer = nodes.indices.filter { nodes[$0].isAlive }.min {
                nodes[$0].deadline < nodes[$1].deadline
            }
            let times = [delivery.map { deliveries[$0].at }, timer.map { nodes[$0].deadline }]
            guard let at = times.compactMap(\.self).min(), at <= end else { break }
            now = max(now, at)
            if let delivery, deliveries[delivery].at == at {
                let one = deliveries.remove(at: delivery)
                if case .requestEnded = one.event { running -= 1 }
                tell(one.node, one.event)
            } else if let timer {
                tell(timer, .timePassed)
            }
        }
        now = end
    }

    private mutating func tell(_ node: Int, _ event: EnrichmentEvent) {
        guard nodes[node].isAlive else { return }
        for directive in nodes[node].core.step(event, now: instant) { carryOut(directive, node) }
        precondition(nodes[node].core.held <= nodes[node].core.mostHeld, "more pages than promised")
        let deadline = nodes[node].core.nextDeadline(after: instant)
        nodes[node].deadline = max(now + 1, Int64(deadline.nanoseconds / 1_000))
    }

    private mutating func carryOut(_ directive: EnrichmentDirective, _ node: Int) {
        switch directive {
        case .take(let request, let shard, let token, let count):
            call(node, fails: .takeFailed(request)) { world in
                world.take(request, shard.rawValue, token, count)
            }
        case .note(let request, let shard, let token, let results):
            call(node, fails: .noteFailed(request)) { world in
                world.note(request, shard.rawValue, token, results)
            }
        case .requestPermits(let request, let wanted, let released):
            call(node, fails: .permitsFailed(request)) { world in
                world.grant(request, wanted, released)
            }
        case .ask(let request, let article):
            begun.append(now)
            running += 1
            mostRunning = max(mostRunning, running)
            let (outcome, took) = answer(&random, article)
            deliveries.append(
                Delivery(at: now + took, node: node, event: .requestEnded(request, outcome)))
        case .hostChanged: break
        }
    }

    private mutating func call(
        _ node: Int, fails: EnrichmentEvent, _ body: (inout EnrichmentWorld) -> EnrichmentEvent
    ) {
        let way = Int64.random(in: 200...4_000, using: &random)
        var event = fails
        let luck = Double.random(in: 0..<1, using: &random)
        if luck >= lossChance {
            event = body(&self)
        } else if luck < lossChance / 2 {
            _ = body(&self)
        }
        deliveries.append(Delivery(at: now + way, node: node, event: event))
    }

    // MARK: Redis

    private mutating func take(
        _ request: RequestID, _ shard: Int, _ token: FencingToken, _ count: Int
    ) -> EnrichmentEvent {
        guard shards[shard].token == token else { return .shardFenced(request) }
        var pages: [WaitingPage] = []
        for (entry, id) in shards[shard].queue.prefix(count) {
            pages.append(WaitingPage(id: id, place: .queue(entry), article: number(id)))
        }
        let due = shards[shard].schedule.filter { $0.value <= now / 1_000 }
            .sorted { ($0.value, $0.key) < ($1.value, $1.key) }.prefix(count)
        for (id, at) in due {
            let tried = shards[shard].tries[id]
            pages.append(
                WaitingPage(
                    id: id, place: .schedule(at), article: number(id),
                    attempts: tried?.attempts ?? 0, misses: tried?.misses ?? 0,
                    isKnown: tried == nil))
        }
        return .pagesTaken(request, pages)
    }

    private func number(_ id: RecordID) -> UInt64 { UInt64(id.words.2) }

    private mutating func note(
        _ request: RequestID, _ number: Int, _ token: FencingToken, _ results: [PageResult]
    ) -> EnrichmentEvent {
        guard shards[number].token == token else { return .shardFenced(request) }
        var shard = shards[number]
        for result in results {
            let id = result.page.id
            switch result.page.place {
            case .queue(let entry):
                guard let index = shard.queue.firstIndex(where: { $0.entry == entry }) else {
                    continue
                }
                shard.queue.remove(at: index)
            case .schedule(let due):
                guard shard.schedule[id] == due else { continue }
                shard.schedule[id] = nil
            }
            switch result.change {
            case .found(_, let again):
                shard.written[id, default: 0] += 1
                shard.tries[id] = nil
                if let again { shard.schedule[id] = now / 1_000 + again.wholeMilliseconds }
            case .later(let wait, let attempts, let misses, _):
                shard.tries[id] = (attempts, misses)
                shard.schedule[id] = now / 1_000 + wait.wholeMilliseconds
            case .dead:
                shard.tries[id] = nil
                shard.dead.append(id)
            }
        }
        shards[number] = shard
        return .resultsNoted(request)
    }

    /// The twin of `permit.lua`.
    private mutating func grant(
        _ request: RequestID, _ wanted: Int, _ released: [RequestPermit.ID]
    ) -> EnrichmentEvent {
        let ahead: Int64 = 1_000_000
        let rate = settings.rate
        for permit in released { permits[permit.text] = nil }
        permits = permits.filter { $0.value > now }
        let first = max(next, now + 5_000)
        var ids: [RequestPermit.ID] = []
        while ids.count < min(wanted, settings.concurrency - permits.count),
            first + Int64(ids.count) * rate.periodMicroseconds <= now + ahead
        {
            names += 1
            let start = first + Int64(ids.count) * rate.periodMicroseconds
            permits["p\(names)"] =
                start + rate.slotMicroseconds + settings.timeout.wholeMilliseconds * 1_000
                + 2_000_000
            ids.append(RequestPermit.ID("p\(names)"))
        }
        if !ids.isEmpty { next = first + Int64(ids.count) * rate.periodMicroseconds }
        return .permitsAnswered(
            request,
            PermitGrant(
                sentAt: instant, receivedAt: instant + .milliseconds(4), firstAfter: first - now,
                permits: ids, askAgainAfter: .milliseconds(20)))
    }
}
