/// One node's part in the enrichment of pages, as facts in and orders out.
///
/// Shards hand out the pages that wait and keep them until their result is noted, so that nothing
/// is lost with a node. In memory a page is *ready*, its request is *running*, or its result is *to
/// be noted*; there are never more than ``mostHeld`` pages of all three.
///
/// - Not guaranteed: that a page is asked for once. It is asked for again when a node died before
///   the result was noted; the result is noted once.
public struct EnrichmentCore: Sendable {
    /// What is known of a shard that this node works on.
    struct Place {
        let token: FencingToken
        /// When the shard may have pages again.
        var takeAt: MonotonicInstant
        /// The order in which shards were asked: the one that waited longest comes first.
        var takenAs: UInt64 = 0
        var isTaking = false
        /// Its pages in memory.
        var held: Set<RecordID> = []
        var results: [PageResult] = []
        var isNoting = false
        var noteAt: MonotonicInstant
    }

    struct Running {
        let shard: ShardID
        let token: FencingToken
        let page: WaitingPage
        let permit: RequestPermit.ID
        let isProbe: Bool
    }

    struct Take {
        let shard: ShardID
        let token: FencingToken
        let wanted: Int
    }

    struct Note {
        let shard: ShardID
        let token: FencingToken
        let results: [PageResult]
    }

    /// A shard without pages is asked again after this; with very many shards less often, so that
    /// asking stays cheap.
    static let idlePause: Duration = .seconds(1)
    static let idlePausePerShard: Duration = .milliseconds(10)
    /// After Redis did not answer.
    static let redisPause: Duration = .seconds(1)
    /// After the host had no address, the breaker aside.
    static let hostPause: Duration = .seconds(1)
    static let mostTakes = 4
    static let mostOfTake = 16
    static let mostOfNote = 32
    static let mostPermits = 16
    /// Permits that could not be given back end by themselves.
    static let mostReleased = 512

    let settings: EnrichmentSettings
    var random: SplitMix64
    var places: [ShardID: Place] = [:]
    var ready: [(shard: ShardID, page: WaitingPage)] = []
    var running: [RequestID: Running] = [:]
    var takes: [RequestID: Take] = [:]
    var notes: [RequestID: Note] = [:]
    /// Shards with results to note.
    var unnoted: Set<ShardID> = []
    /// How many pages are in memory.
    var held = 0
    /// No shard has to be asked before this.
    var earliestTake: MonotonicInstant

    var permits: [RequestPermit] = []
    var released: [RequestPermit.ID] = []
    var asking: (request: RequestID, wanted: Int, released: [RequestPermit.ID])?
    var askAt: MonotonicInstant
    /// The host asked to be left alone until then.
    var holdUntil: MonotonicInstant
    var breaker = CircuitBreaker()

    var directives: [EnrichmentDirective] = []
    var counts = EnrichmentCounters()
    private var lastRequest: UInt64 = 0
    private var lastTake: UInt64 = 0

    /// A core that works on no shard yet.
    public init(_ settings: EnrichmentSettings, seed: UInt64, now: MonotonicInstant) {
        self.settings = settings
        random = SplitMix64(seed: seed)
        earliestTake = now
        askAt = now
        holdUntil = now
    }

    /// The most pages in memory.
    public var mostHeld: Int { min(256, max(16, 2 * settings.concurrency)) }

    /// What has been done so far.
    public var counters: EnrichmentCounters {
        var counters = counts
        counters.running = running.count
        counters.ready = ready.count
        counters.isHostAsked = breaker.isClosed
        return counters
    }

    /// The permits that the control slot counts as under way, as far as this node knows.
    public var outstandingPermits: [RequestPermit.ID] {
        running.values.map(\.permit) + permits.map(\.id) + released + (asking?.released ?? [])
    }

    /// Takes in a fact; returns what is to be done, in this order.
    public mutating func step(
        _ event: EnrichmentEvent, now: MonotonicInstant
    ) -> [EnrichmentDirective] {
        directives = []
        take(event, now)
        beginRequests(now)
        takePages(now)
        noteResults(now)
        requestPermits(now)
        return directives
    }

    /// When to call again with `timePassed`, if nothing else happens before.
    public func nextDeadline(after now: MonotonicInstant) -> MonotonicInstant {
        var deadline = now + .seconds(60)
        func consider(_ instant: MonotonicInstant) { deadline = min(deadline, instant) }
        if room > 0, takes.count < Self.mostTakes, !places.isEmpty { consider(earliestTake) }
        if let permit = permits.first { consider(permit.from) }
        if asking == nil, ready.count > permits.count,
            breaker.isClosed || (permits.isEmpty && !breaker.isProbing)
        {
            consider(max(askAt, max(holdUntil, breaker.opensUntil ?? now)))
        }
        for shard in unnoted {
            if let place = places[shard], !place.isNoting { consider(place.noteAt) }
        }
        // A deadline that has passed and brought no order is looked at again in a moment: the loop
        // must not spin on it.
        return max(deadline, now + .milliseconds(1))
    }

    private mutating func take(_ event: EnrichmentEvent, _ now: MonotonicInstant) {
        switch event {
        case .timePassed: break
        case .shardBegun(let shard, let token): begin(shard, token, now)
        case .shardEnded(let shard): end(shard)
        case .pagesTaken(let request, let pages): takeIn(request, pages, now)
        case .takeFailed(let request): failTake(request, now)
        case .resultsNoted(let request): finishNote(request)
        case .noteFailed(let request): failNote(request, now)
        case .shardFenced(let request): fence(request)
        case .permitsAnswered(let request, let grant): takePermits(request, grant, now)
        case .permitsFailed(let request): failPermits(request, now)
        case .hostFailed(let request, let reason): failHost(request, reason, now)
        case .requestEnded(let request, let outcome): finish(request, outcome, now)
        }
    }

    mutating func makeRequest() -> RequestID {
        lastRequest += 1
        return RequestID(rawValue: lastRequest)
    }

    // MARK: Shards

    private mutating func begin(
        _ shard: ShardID, _ token: FencingToken, _ now: MonotonicInstant
    ) {
        guard places[shard]?.token != token else { return }
        end(shard)
        places[shard] = Place(token: token, takeAt: now, noteAt: now)
        earliestTake = min(earliestTake, now)
    }

    /// Lets go of a shard: its pages wait in its slot, whoever works on it next.
    private mutating func end(_ shard: ShardID) {
        guard let place = places.removeValue(forKey: shard) else { return }
        held -= place.held.count
        ready.removeAll { $0.shard == shard }
        unnoted.remove(shard)
    }

    private mutating func fence(_ request: RequestID) {
        let take = takes.removeValue(forKey: request)
        let note = notes.removeValue(forKey: request)
        guard let shard = take?.shard ?? note?.shard, let token = take?.token ?? note?.token,
            places[shard]?.token == token
        else { return }
        end(shard)
    }

    // MARK: Pages

    private mutating func takePages(_ now: MonotonicInstant) {
        while takes.count < Self.mostTakes, now >= earliestTake {
            let room = room
            guard room > 0, let shard = longestWaiting(now), var place = places[shard] else {
                return
            }
            let request = makeRequest()
            let wanted = min(room, Self.mostOfTake)
            lastTake += 1
            place.takenAs = lastTake
            place.isTaking = true
            places[shard] = place
            takes[request] = Take(shard: shard, token: place.token, wanted: wanted)
            directives.append(
                .take(request, shard, place.token, count: place.held.count + wanted))
        }
    }

    private var room: Int { mostHeld - held - takes.values.reduce(0) { $0 + $1.wanted } }

    /// The shard that is due and was asked longest ago; notes when one will be due.
    private mutating func longestWaiting(_ now: MonotonicInstant) -> ShardID? {
        var best: (shard: ShardID, takenAs: UInt64)?
        var next = now + .seconds(3_600)
        for (shard, place) in places where !place.isTaking {
            guard place.takeAt <= now else {
                next = min(next, place.takeAt)
                continue
            }
            let isBetter =
                best.map {
                    (place.takenAs, shard.rawValue) < ($0.takenAs, $0.shard.rawValue)
                } ?? true
            if isBetter { best = (shard, place.takenAs) }
        }
        if best == nil { earliestTake = next }
        return best?.shard
    }

    private mutating func takeIn(
        _ request: RequestID, _ pages: [WaitingPage], _ now: MonotonicInstant
    ) {
        guard let take = takes.removeValue(forKey: request), var place = places[take.shard],
            place.token == take.token
        else { return }
        var fresh: [WaitingPage] = []
        for page in Self.interleaved(pages)
        where fresh.count < take.wanted && place.held.insert(page.id).inserted {
            fresh.append(page)
        }
        held += fresh.count
        ready += fresh.map { (take.shard, $0) }
        place.isTaking = false
        place.takeAt = fresh.isEmpty ? now + idle : now
        places[take.shard] = place
        earliestTake = min(earliestTake, place.takeAt)
    }

    /// New pages and those that wait for another try in turn: neither starves the other.
    private static func interleaved(_ pages: [WaitingPage]) -> [WaitingPage] {
        var queued: [WaitingPage] = []
        var scheduled: [WaitingPage] = []
        for page in pages {
            if case .queue = page.place { queued.append(page) } else { scheduled.append(page) }
        }
        var mixed: [WaitingPage] = []
        for index in 0..<max(queued.count, scheduled.count) {
            if index < queued.count { mixed.append(queued[index]) }
            if index < scheduled.count { mixed.append(scheduled[index]) }
        }
        return mixed
    }

    private var idle: Duration {
        max(Self.idlePause, Self.idlePausePerShard * places.count)
    }

    private mutating func failTake(_ request: RequestID, _ now: MonotonicInstant) {
        guard let take = takes.removeValue(forKey: request),
            places[take.shard]?.token == take.token
        else { return }
        places[take.shard]?.isTaking = false
        places[take.shard]?.takeAt = now + Self.redisPause
        earliestTake = min(earliestTake, now + Self.redisPause)
    }

    // MARK: Results

    mutating func keep(_ result: PageResult, _ shard: ShardID) {
        places[shard]?.results.append(result)
        unnoted.insert(shard)
    }

    private mutating func noteResults(_ now: MonotonicInstant) {
        for shard in unnoted.sorted(by: { $0.rawValue < $1.rawValue }) {
            guard var place = places[shard], !place.isNoting, now >= place.noteAt else { continue }
            let results = Array(place.results.prefix(Self.mostOfNote))
            place.results.removeFirst(results.count)
            place.isNoting = true
            if place.results.isEmpty { unnoted.remove(shard) }
            places[shard] = place
            let request = makeRequest()
            notes[request] = Note(shard: shard, token: place.token, results: results)
            directives.append(.note(request, shard, place.token, results))
        }
    }

    private mutating func finishNote(_ request: RequestID) {
        guard let note = notes.removeValue(forKey: request), var place = places[note.shard],
            place.token == note.token
        else { return }
        place.isNoting = false
        for result in note.results where place.held.remove(result.page.id) != nil { held -= 1 }
        places[note.shard] = place
    }

    /// The same again: a shard that noted them has let the pages go, and leaves them.
    private mutating func failNote(_ request: RequestID, _ now: MonotonicInstant) {
        guard let note = notes.removeValue(forKey: request), var place = places[note.shard],
            place.token == note.token
        else { return }
        place.isNoting = false
        place.results = note.results + place.results
        place.noteAt = now + Self.redisPause
        places[note.shard] = place
        unnoted.insert(note.shard)
    }
}
