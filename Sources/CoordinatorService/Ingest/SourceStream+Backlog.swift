import CoordinatorCore
import RedisClient

/// How much a stream holds that was not read.
extension SourceStream {
    /// The id of the newest entry there is; nil when there is none.
    func lastEntry() async throws(ServiceError) -> StreamID? {
        let reply = try await cluster.ask(
            ["XREVRANGE", .init(key), "+", "-", "COUNT", "1"], slot: slot)
        return reply.items?.first?.items?.first?.text.flatMap { StreamID($0) }
    }

    /// Counting stops here, where nobody noted a number: more is "at least".
    private static let mostCounted: Int64 = 100_000

    /// How many entries a stream has after a position.
    ///
    /// Readers note how many were ever added up to where they are; only what lies between there and
    /// the position is read, without its fields.
    func count(after position: StreamID) async throws(ServiceError) -> Int64 {
        guard let noted = await noted() else {
            return try await count(after: position, through: nil) ?? Self.mostCounted
        }
        let isBehind = position < noted.position
        let between = try await count(
            after: min(position, noted.position), through: max(position, noted.position))
        return between.map { max(0, noted.left + (isBehind ? $0 : -$0)) } ?? noted.left
    }

    /// Up to where the entries were numbered, and how many came after; nil when nobody knows, or
    /// the stream is another one since.
    private func noted() async -> (position: StreamID, left: Int64)? {
        let commands = [
            RedisCommand("HMGET", .init(stateKey), "at", "added", isRepeatable: true),
            RedisCommand("XINFO", "STREAM", .init(key), isRepeatable: true),
        ]
        let replies: [RedisValue]
        // A last entry too large to be taken in is no reason to say nothing: it is counted then.
        do throws(RedisError) {
            replies = try await cluster.pipeline(commands, slot: slot)
        } catch { return nil }
        guard let fields = replies[0].items, fields.count == 2,
            let position = fields[0].text.flatMap({ StreamID($0) }), let before = fields[1].int,
            let all = replies[1]["entries-added"]?.int, all >= before,
            let last = replies[1]["last-generated-id"]?.text.flatMap({ StreamID($0) }),
            last >= position
        else { return nil }
        return (position, all - before)
    }

    /// Entries between two positions; nil when they are more than are counted.
    private func count(
        after position: StreamID, through: StreamID?
    ) async throws(ServiceError) -> Int64? {
        var total: Int64 = 0
        var from = position
        while total < Self.mostCounted {
            let chunk = try await chunk(after: from, through: through, count: 5_000) { _, _ in }
            total += Int64(chunk.count)
            guard !chunk.isEnd, let last = chunk.last else { return total }
            from = last
        }
        return nil
    }
}
