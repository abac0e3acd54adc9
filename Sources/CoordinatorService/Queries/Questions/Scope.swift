import CoordinatorCore
import EventLoop
import RedisClient

/// Which records of a dimension a filter admits; what was learnt is kept for the next question.
///
/// - Thread: loop only.
@LoopActor final class Scope {
    /// Documents asked for in one command: a path of each costs a master some microseconds.
    private static let documentsAtOnce = 256

    let dimension: Dimension
    private let figures: Figures
    private let filter: Figures.Filter
    private var known: [RecordID: Bool] = [:]
    /// The section and those below it that had views in the intervals looked at.
    private(set) var sections: Set<RecordID> = []

    init(_ figures: Figures, _ dimension: Dimension, _ filter: Figures.Filter) {
        self.figures = figures
        self.dimension = dimension
        self.filter = filter
        if let section = filter.section { sections.insert(section.id) }
    }

    /// Nothing has to be looked up.
    var admitsAll: Bool { filter.isEmpty }

    /// Learns which sections are below the filter's one. Every view of a page is one of its section
    /// in the same windows, so no page's section is missed.
    func learn(_ view: Figures.View) async throws(ServiceError) {
        guard let wanted = filter.section else { return }
        let ranking = await figures.ranking(.section, view)
        let below = wanted.name + "/"
        let found = try await figures.byShard(ranking.tallies, \.shard) {
            own, shard async throws(ServiceError) in
            let client = ShardClient(self.figures.deployment, shard)
            let documents = try await self.figures.documents(.section, own.map(\.id), client)
            return zip(own, documents).map { tally, document -> RecordID? in
                guard let document, document.websiteID == wanted.website.hex,
                    document.name.utf8.starts(with: below.utf8)
                else { return nil }
                return tally.id
            }
        }
        sections.formUnion(found.compactMap { $0 })
    }

    /// Those of some records that the filter admits, in order.
    func admitted(_ tallies: ArraySlice<Tally>) async throws(ServiceError) -> [Tally] {
        if admitsAll { return Array(tallies) }
        switch dimension {
        case .website: return tallies.filter { $0.id == filter.website }
        case .section where filter.section != nil:
            return tallies.filter { sections.contains($0.id) }
        default: break
        }
        let unknown = tallies.filter { known[$0.id] == nil }
        let answers = try await figures.byShard(unknown, \.shard) {
            own, shard async throws(ServiceError) in
            try await self.belong(own.map(\.id), ShardClient(self.figures.deployment, shard))
        }
        for (tally, answer) in zip(unknown, answers) { known[tally.id] = answer }
        return tallies.filter { known[$0.id] ?? false }
    }

    /// Whether records of one shard belong to the filter's section or website, by their documents.
    private func belong(
        _ ids: [RecordID], _ client: ShardClient
    ) async throws(ServiceError) -> [Bool] {
        let path: RedisArgument = filter.section == nil ? "$.website.id" : "$.section.id"
        let commands = stride(from: 0, to: ids.count, by: Self.documentsAtOnce).map { start in
            RedisCommand(
                ["JSON.MGET"]
                    + ids[start..<min(start + Self.documentsAtOnce, ids.count)].map {
                        RedisArgument(RedisKeys.document(dimension, client.tag, $0))
                    } + [path], isRepeatable: true)
        }
        let replies = try await client.pipeline(commands).flatMap { $0.items ?? [] }
        return replies.map { reply in
            guard let id = Self.parent(reply) else { return false }
            return filter.section == nil ? id == filter.website : sections.contains(id)
        }
    }

    /// The id in `["<40 hex digits>"]`.
    private static func parent(_ reply: RedisValue) -> RecordID? {
        guard let bytes = reply.bytes, bytes.count == RecordID.hexLength + 4 else { return nil }
        return bytes[2..<2 + RecordID.hexLength].withUnsafeBytes { RecordID(hexBytes: $0) }
    }
}
