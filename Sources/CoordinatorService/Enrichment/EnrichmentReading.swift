public import CoordinatorCore
import EventLoop
import RedisClient

/// Where the enrichment of a deployment is: what waits in all shards, what came of requests, and
/// what the nodes say.
public struct EnrichmentReading: Sendable {
    /// Sums over all shards.
    public struct Pages: Hashable, Sendable {
        /// New pages that wait.
        public var queued: Int64 = 0
        /// Pages that are due to be asked for again now.
        public var due: Int64 = 0
        /// Pages that are asked for again, now or later: after a failure, or to be renewed.
        public var scheduled: Int64 = 0
        /// Those of them that were tried and have no metadata since.
        public var tried: Int64 = 0
        /// Pages that were given up.
        public var dead: Int64 = 0
        /// Since the deployment began: times that metadata were written, that a page was put off
        /// after a failure or because the article was not there, that one was given up, and
        /// entries of the queue without an article.
        public var found: Int64 = 0
        public var failed: Int64 = 0
        public var missing: Int64 = 0
        public var givenUp: Int64 = 0
        public var skipped: Int64 = 0
    }

    /// A page that was given up.
    public struct DeadPage: Hashable, Sendable {
        /// Its entry in its shard's stream.
        public let entry: StreamID
        public let page: RecordID
        /// Nil when the document is gone.
        public let url: String?
        public let article: String
        public let attempts: Int64
        public let reason: String
    }

    /// Server time, ms.
    public let now: Int64
    public let pages: Pages
    /// Since when the oldest page of the queue waits, ms; nil when none does.
    public let oldestQueuedAt: Int64?
    /// Why a page was put off or given up last, and when, ms.
    public let lastReason: String?
    public let lastReasonAt: Int64?
    /// The newest of those given up.
    public let dead: [DeadPage]
    /// Nodes that ask, by name.
    public let nodes: [NodeRecord]
    /// Of all nodes that are there.
    public let nodeCount: Int
    /// What was not answered, one sentence each.
    public let missing: [String]
}

extension Deployment {
    /// Shards that are asked at once.
    private static let shardsAtOnce = 256

    /// Reads where enrichment is.
    ///
    /// - Parameter deadPages: how many of those given up to list, at most.
    public func enrichment(deadPages: Int) async throws(ServiceError) -> EnrichmentReading {
        let control = try await control()
        let clients = layout.shards.map { ShardClient(self, $0) }
        let replies = await gather(clients.count, limit: Self.shardsAtOnce) {
            index -> Result<ShardEnrichment, ServiceError> in
            do throws(ServiceError) {
                return .success(
                    try await clients[index].enrichment(now: control.now, dead: deadPages))
            } catch {
                return .failure(error)
            }
        }
        var sum = ShardEnrichment()
        var missing: [String] = []
        for reply in replies {
            switch reply {
            case .success(let shard): sum.add(shard)
            case .failure(let error):
                if !missing.contains(error.absence) { missing.append(error.absence) }
            }
        }
        sum.dead.sort { $0.entry > $1.entry }
        let live = control.live
        return EnrichmentReading(
            now: control.now, pages: sum.pages, oldestQueuedAt: sum.oldestQueuedAt,
            lastReason: sum.lastReason?.text, lastReasonAt: sum.lastReason?.at,
            dead: Array(sum.dead.prefix(deadPages)),
            nodes: live.filter { $0.enrichment != nil }, nodeCount: live.count, missing: missing)
    }

    /// Asks again for every page that was given up; returns how many there were.
    public func retryEnrichment() async throws(ServiceError) -> Int64 {
        var total: Int64 = 0
        for shard in layout.shards {
            let client = ShardClient(self, shard)
            var looked = Int64(ShardEnrichment.retriesAtOnce)
            while looked == Int64(ShardEnrichment.retriesAtOnce) {
                let answer = try await client.retryDead(count: ShardEnrichment.retriesAtOnce)
                total += answer.pages
                looked = answer.looked
            }
        }
        return total
    }

    /// Asks for one page now, whatever is known of it.
    ///
    /// - Errors: `.question` when it has no document, or no article's number.
    public func retryEnrichment(of page: RecordReference) async throws(ServiceError) {
        let client = ShardClient(self, layout.shard(of: page.id))
        guard try await client.retry(page.id) else {
            throw .question(
                "\(page.name) was not counted, or its URL does not end in an article's number: "
                    + "there is nothing to ask for")
        }
    }
}

/// One shard's part of it.
struct ShardEnrichment: Sendable {
    /// A script moves this many in a few ms.
    static let retriesAtOnce = 256

    var pages = EnrichmentReading.Pages()
    var oldestQueuedAt: Int64?
    var lastReason: (text: String, at: Int64)?
    var dead: [EnrichmentReading.DeadPage] = []

    mutating func add(_ other: ShardEnrichment) {
        pages.queued += other.pages.queued
        pages.due += other.pages.due
        pages.scheduled += other.pages.scheduled
        pages.tried += other.pages.tried
        pages.dead += other.pages.dead
        pages.found += other.pages.found
        pages.failed += other.pages.failed
        pages.missing += other.pages.missing
        pages.givenUp += other.pages.givenUp
        pages.skipped += other.pages.skipped
        oldestQueuedAt = [oldestQueuedAt, other.oldestQueuedAt].compactMap { $0 }.min()
        if let reason = other.lastReason, reason.at >= lastReason?.at ?? 0 { lastReason = reason }
        dead += other.dead
    }
}

extension ShardClient {
    /// What the shard says of its pages' enrichment.
    func enrichment(now: Int64, dead: Int) async throws(ServiceError) -> ShardEnrichment {
        func read(_ words: String...) -> RedisCommand {
            RedisCommand(words.map { RedisArgument($0) }, isRepeatable: true)
        }
        let schedule = RedisKeys.enrichmentSchedule(tag)
        let letters = RedisKeys.enrichmentDead(tag)
        let replies = try await pipeline([
            read("XLEN", RedisKeys.enrichment(tag)),
            read("XRANGE", RedisKeys.enrichment(tag), "-", "+", "COUNT", "1"),
            read("ZCARD", schedule), read("ZCOUNT", schedule, "-inf", "\(now)"),
            read("HLEN", RedisKeys.enrichmentTries(tag)), read("XLEN", letters),
            read("HGETALL", RedisKeys.enrichmentCounts(tag)),
            read("XREVRANGE", letters, "+", "-", "COUNT", "\(dead)"),
        ])
        var shard = ShardEnrichment()
        shard.pages.queued = replies[0].int ?? 0
        shard.oldestQueuedAt = replies[1].items?.first?.items?.first?.text
            .flatMap { StreamID($0) }.map { Int64(clamping: $0.milliseconds) }
        shard.pages.scheduled = replies[2].int ?? 0
        shard.pages.due = replies[3].int ?? 0
        shard.pages.tried = replies[4].int ?? 0
        shard.pages.dead = replies[5].int ?? 0
        let counts = replies[6]
        shard.pages.found = counts["found"]?.int ?? 0
        shard.pages.failed = counts["failed"]?.int ?? 0
        shard.pages.missing = counts["missing"]?.int ?? 0
        shard.pages.givenUp = counts["dead"]?.int ?? 0
        shard.pages.skipped = counts["skipped"]?.int ?? 0
        if let text = counts["reason"]?.text {
            shard.lastReason = (text, counts["reason_at"]?.int ?? 0)
        }
        shard.dead = try await deadPages(replies[7])
        return shard
    }

    private func deadPages(
        _ reply: RedisValue
    ) async throws(ServiceError) -> [EnrichmentReading.DeadPage] {
        let letters = (reply.items ?? []).compactMap { entry -> (StreamID, RecordID, RedisValue)? in
            guard let items = entry.items, items.count == 2,
                let id = items[0].text.flatMap({ StreamID($0) }),
                let page = items[1]["id"]?.text.flatMap({ RecordID(hex: $0) })
            else { return nil }
            return (id, page, items[1])
        }
        let names = try await pipeline(
            letters.map { _, page, _ in
                RedisCommand(
                    "JSON.GET", .init(RedisKeys.document(.page, tag, page)), "$.url",
                    isRepeatable: true)
            })
        var pages: [EnrichmentReading.DeadPage] = []
        for (letter, name) in zip(letters, names) {
            let url = RecordDocument.name(name)
            let fields = letter.2
            pages.append(
                EnrichmentReading.DeadPage(
                    entry: letter.0, page: letter.1, url: url.isEmpty ? nil : url,
                    article: fields["article_id"]?.text ?? "",
                    attempts: fields["attempts"]?.int ?? 0, reason: fields["reason"]?.text ?? ""))
        }
        return pages
    }
}
