import CoordinatorCore
public import EventLoop
import RedisClient

/// The dead letters of all shards: looked through in bounded parts, oldest or newest first.
///
/// - Thread: loop only.
@LoopActor public struct DeadLetters {
    /// Letters read at once: 6 KiB each at most.
    private static let page = 200
    /// Letters deleted or moved by one call: a millisecond or two of their master.
    static let batch = 50
    /// Shards asked at once.
    private static let concurrency = 8

    /// Which letters.
    public struct Selection: Sendable {
        public var source: String?
        public var reasons: Set<String> = []
        /// Half-open, by when they were refused, ms.
        public var from: Int64 = 0
        public var to: Int64 = .max
        /// These alone, whatever else is asked for; all when empty.
        public var names: Set<DeadLetter.Name> = []
        /// Letters that were replayed before, and refused again.
        public var includesReplayed = true

        /// All letters.
        public init() {}

        func admits(_ letter: DeadLetter) -> Bool {
            if !names.isEmpty { return names.contains(letter.name) }
            if let source, letter.source != source { return false }
            if !reasons.isEmpty, !reasons.contains(letter.reason) { return false }
            if !includesReplayed, RedisKeys.isReplaySource(letter.source) { return false }
            return (from..<to).contains(letter.refusedAt)
        }
    }

    /// How many letters one source has for one reason.
    public struct Tally: Sendable, Hashable {
        public let source: String
        public let reason: String
    }

    let deployment: Deployment

    /// The dead letters of a deployment.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// The newest letters.
    ///
    /// - Returns: at most `count`, the newest first, and what was not answered.
    public func newest(
        _ selection: Selection, count: Int
    ) async throws(ServiceError) -> (letters: [DeadLetter], missing: [String]) {
        var letters: [DeadLetter] = []
        let missing = try await each(selection, newestFirst: true, most: count) { _, page in
            letters += page
        }
        letters.sort { ($0.refusedAt, $0.name.shard) > ($1.refusedAt, $1.name.shard) }
        return (Array(letters.prefix(count)), missing)
    }

    /// How many there are, by source and reason.
    public func count(
        _ selection: Selection
    ) async throws(ServiceError) -> (tallies: [Tally: Int64], missing: [String]) {
        var tallies: [Tally: Int64] = [:]
        let missing = try await each(selection) { _, page in
            for letter in page {
                tallies[Tally(source: letter.source, reason: letter.reason), default: 0] += 1
            }
        }
        return (tallies, missing)
    }

    /// Deletes letters for good. Their events stay counted as refused.
    ///
    /// - Returns: how many there were, and what was not answered.
    public func purge(
        _ selection: Selection
    ) async throws(ServiceError) -> (purged: Int64, missing: [String]) {
        var purged: Int64 = 0
        let missing = try await each(selection) { (client, page) async throws(ServiceError) in
            let key = RedisArgument(RedisKeys.deadLetters(client.tag))
            for batch in page.chunks(of: Self.batch) {
                let ids = batch.map { RedisArgument($0.name.id.description) }
                let replies = try await client.pipeline([
                    RedisCommand(["XDEL", key] + ids, isRepeatable: true)
                ])
                purged += replies[0].int ?? 0
            }
        }
        return (purged, missing)
    }

    /// Hands the letters of every shard to `body`, page by page; those that come meanwhile are left
    /// for another time, so that it ends.
    ///
    /// - Returns: what was not answered.
    func each(
        _ selection: Selection, newestFirst: Bool = false, most: Int = .max,
        _ body: @escaping @LoopActor (ShardClient, [DeadLetter]) async throws(ServiceError) -> Void
    ) async throws(ServiceError) -> [String] {
        let shards =
            selection.names.isEmpty
            ? deployment.layout.shards : Set(selection.names.map(\.shard)).sorted()
        let deployment = deployment
        let failures = await gather(shards.count, limit: Self.concurrency) {
            place -> String? in
            let client = ShardClient(deployment, shards[place])
            do throws(ServiceError) {
                try await Self.walk(client, selection, newestFirst, most, body)
                return nil
            } catch {
                return error.absence
            }
        }
        var missing: [String] = []
        for case .some(let failure) in failures where !missing.contains(failure) {
            missing.append(failure)
        }
        return missing
    }

    private static func walk(
        _ client: ShardClient, _ selection: Selection, _ newestFirst: Bool, _ most: Int,
        _ body: @LoopActor (ShardClient, [DeadLetter]) async throws(ServiceError) -> Void
    ) async throws(ServiceError) {
        let key = RedisArgument(RedisKeys.deadLetters(client.tag))
        let ids = selection.names.filter { $0.shard == client.shard }.map(\.id)
        let (from, to) = bounds(selection, ids)
        guard let (from, to) = from <= to ? (from, to) : nil else { return }
        let newest = try await client.pipeline([
            RedisCommand(
                "XREVRANGE", key, .init(to.description), .init(from.description), "COUNT", "1",
                isRepeatable: true)
        ])
        guard let last = newest[0].items?.first?.items?.first?.text else { return }
        var low = from.description
        var high = last
        var found = 0
        while found < most {
            let command: [RedisArgument] =
                newestFirst
                ? ["XREVRANGE", key, .init(high), .init(low)]
                : ["XRANGE", key, .init(low), .init(high)]
            let reply = try await client.pipeline([
                RedisCommand(command + ["COUNT", .init(page)], isRepeatable: true)
            ])
            let entries = reply[0].items ?? []
            let letters = entries.compactMap { DeadLetter($0, shard: client.shard) }
                .filter(selection.admits)
            if !letters.isEmpty { try await body(client, letters) }
            found += letters.count
            guard entries.count == page, let reached = entries.last?.items?.first?.text else {
                return
            }
            if newestFirst { high = "(" + reached } else { low = "(" + reached }
        }
    }

    /// The first and last id that can be meant.
    private static func bounds(
        _ selection: Selection, _ ids: [StreamID]
    ) -> (from: StreamID, to: StreamID) {
        if let first = ids.min(), let last = ids.max() { return (first, last) }
        let to = selection.to == .max ? Int64.max : selection.to - 1
        return (
            StreamID(milliseconds: UInt64(max(0, selection.from)), sequence: 0),
            StreamID(milliseconds: UInt64(max(0, to)), sequence: .max)
        )
    }
}

extension Array {
    /// The elements in runs of `size`, the last one shorter.
    func chunks(of size: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
    }
}
