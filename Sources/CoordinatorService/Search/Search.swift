public import CoordinatorCore
public import EventLoop
import RedisClient

/// One page, section or website that was found.
public struct SearchHit: Sendable, Equatable {
    public let key: String
    public let id: String
    /// A page's URL; the name of a section or website.
    public let name: String
    /// Nil where the article's metadata is not known, and of what is no page.
    public let title: String?
    public let kicker: String?
    /// Of pages and sections.
    public let website: String?
    /// Of pages.
    public let section: String?
    public let articleID: String?
    /// ms since 1970.
    public let lastVisited: Int64?
    /// How well it fits, where that was asked for; hits of one answer can be compared, no more.
    public let score: Double?
}

/// What was found, and by whom it was not answered.
public struct SearchAnswer: Sendable {
    /// The best ones, in order, each once.
    public let hits: [SearchHit]
    /// How many there are; one that is just migrating may count twice.
    public let total: Int64
    /// What was not answered, one sentence each, without repetition.
    public let missing: [String]
}

/// Finds pages, sections and websites by words and by where they stand: asks the index of every
/// master and merges.
///
/// - Thread: loop only.
@LoopActor public struct Search {
    /// How what is found is ordered.
    public enum Order: String, Sendable {
        /// The best fit first.
        case relevance
        /// The one visited last first.
        case lastVisited = "last_visited"
    }

    /// The most hits of one answer: each master sends as many.
    public static let maximumHits = 1_000
    /// Redis gives up here, so that no question holds counting up for longer.
    private static let serverTimeout: Duration = .seconds(1)
    /// More are not sorted to find the newest: those of the last while are.
    private static let mostSorted: Int64 = 2_000
    private let deployment: Deployment
    private var cluster: RedisCluster { deployment.cluster }

    /// Searches in a deployment's documents.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// What is found.
    ///
    /// - Errors: `.question` for what cannot be asked; `.redis` when no master answered.
    public func answer(
        _ question: SearchQuestion, by order: Order, count: Int
    ) async throws(ServiceError) -> SearchAnswer {
        // Without words everything fits alike.
        let order = question.words.isEmpty ? .lastVisited : order
        let masters = cluster.masters
        let limit = max(1, min(count, Self.maximumHits))
        let plan = try Plan(
            queries: await steps(question, order), dimension: question.dimension, order: order,
            limit: limit)
        let cluster = cluster
        let replies = await gather(masters.count) { place -> Result<Part, ServiceError> in
            do throws(ServiceError) {
                return .success(try await Self.ask(cluster, masters[place], place, plan))
            } catch {
                return .failure(error)
            }
        }
        let found = try Self.merged(replies, masters, limit)
        return SearchAnswer(
            hits: try await hits(found.matches, masters, question.dimension, order),
            total: found.total,
            missing: found.missing)
    }

    /// What is asked of a master, one after the other until there is enough.
    private func steps(_ question: SearchQuestion, _ order: Order) async -> [SearchQuestion] {
        guard order == .lastVisited else { return [question] }
        // Without a clock everything is sorted.
        do throws(ServiceError) {
            return question.narrowed(now: try await deployment.serverTime())
        } catch { return [question] }
    }

    // MARK: One master

    /// What every master is asked.
    private struct Plan: Sendable {
        /// Each of a longer while; the last one is the question as it was put.
        let queries: [SearchQuestion.Query]
        let dimension: Dimension
        let order: Order
        let limit: Int

        var whole: SearchQuestion.Query { queries[queries.count - 1] }

        init(
            queries: [SearchQuestion], dimension: Dimension, order: Order, limit: Int
        ) throws(ServiceError) {
            do throws(SearchQuestion.Refusal) {
                var written: [SearchQuestion.Query] = []
                for question in queries { written.append(try question.query()) }
                self.queries = written
            } catch {
                throw .question("\(error)")
            }
            self.dimension = dimension
            self.order = order
            self.limit = limit
        }
    }

    /// What one master found.
    private struct Match: Sendable {
        let key: String
        let master: Int
        /// The greater, the earlier: a score, or the time of the last visit.
        let rank: Double
    }

    /// All that one master found.
    private struct Part: Sendable {
        var matches: [Match] = []
        var total: Int64 = 0
        /// Why it is not everything.
        var gap: String?
    }

    private static func ask(
        _ cluster: RedisCluster, _ master: RedisMaster, _ number: Int, _ plan: Plan
    ) async throws(ServiceError) -> Part {
        do throws(RedisError) {
            let limit = cluster.configuration.commandTimeout
            let names = try await IndexSurvey.names(cluster, master, timeout: limit)
            let facts = IndexPlanner.Master(
                slots: master.slots, indexes: names.map { .init($0, isComplete: true) })
            guard let name = facts.index(plan.dimension)?.name else {
                return Part(gap: gap(master))
            }
            var commands = [RedisCommand("FT.INFO", .init(name.text), isRepeatable: true)]
            commands.append(command(name, plan, plan.queries[0], count: plan.limit))
            if plan.queries.count > 1 { commands.append(command(name, plan, plan.whole, count: 0)) }
            var replies = try await cluster.pipeline(commands, on: master.endpoint, lane: .reading)
            let index = IndexSurvey.Index(name, info: replies.removeFirst())
            guard var part = try part(replies[0], number, master) else {
                return Part(gap: gap(master))
            }
            if replies.count > 1 {
                guard let all = try self.part(replies[1], number, master)?.total else {
                    return Part(gap: gap(master))
                }
                var next = all > mostSorted ? 1 : plan.queries.count - 1
                while part.matches.count < plan.limit, next < plan.queries.count {
                    let more = command(name, plan, plan.queries[next], count: plan.limit)
                    let reply = try await cluster.pipeline(
                        [more], on: master.endpoint, lane: .reading)[0]
                    guard let found = try self.part(reply, number, master) else {
                        return Part(gap: gap(master))
                    }
                    part = found
                    next += 1
                }
                part.total = max(all, Int64(part.matches.count))
            }
            if let filled = index.filled, filled < 1 {
                part.gap =
                    "the search index of \(master.endpoint) is being filled "
                    + "(\(Int(filled * 100)) %)"
            }
            return part
        } catch .server(_, let message, _) where message.contains("Syntax error") {
            throw .question("Redis cannot read these words: leave unusual characters out")
        } catch {
            throw .redis(error)
        }
    }

    /// What a reply of FT.SEARCH holds; nil when the index was dropped, or its slot went away,
    /// since it was listed.
    private static func part(
        _ reply: RedisValue, _ number: Int, _ master: RedisMaster
    ) throws(RedisError) -> Part? {
        if let error = reply.serverError {
            let text = error.description.lowercased()
            guard error.code != "MOVED", !text.contains("no such index") else { return nil }
            throw .server(
                code: error.code, message: error.message, endpoint: "\(master.endpoint)")
        }
        let items = reply.items ?? []
        var part = Part(total: items.first?.int ?? 0)
        for place in stride(from: 1, to: items.count - 1, by: 2) {
            guard let key = items[place].text else { continue }
            // A sort key of a number is written `#1795549038708`.
            let text = items[place + 1].text.map { $0.hasPrefix("#") ? $0.dropFirst() : $0[...] }
            let rank = text.flatMap { Double($0) } ?? 0
            part.matches.append(Match(key: key, master: number, rank: rank))
        }
        return part
    }

    private static func gap(_ master: RedisMaster) -> String {
        "\(master.endpoint) has no search index yet: the leader makes it, "
            + "see `coordinator status`"
    }

    private static func command(
        _ name: SearchIndexName, _ plan: Plan, _ query: SearchQuestion.Query, count: Int
    ) -> RedisCommand {
        var words: [RedisArgument] = ["FT.SEARCH", .init(name.text), .init(query.text)]
        // Without the documents: in a cluster Redis 7.4 finds only those that lie in the slot of
        // the index's own name, because it takes the command's slot for that of every key it opens.
        words.append("NOCONTENT")
        switch plan.order {
        case .relevance: words += ["WITHSCORES", "SCORER", "BM25"]
        // How many there are needs no order.
        case .lastVisited where count == 0: break
        case .lastVisited: words += ["WITHSORTKEYS", "SORTBY", "last_visited", "DESC"]
        }
        words += ["LIMIT", "0", .init(count), "TIMEOUT", .init(serverTimeout.wholeMilliseconds)]
        if !query.parameters.isEmpty {
            words += ["PARAMS", .init(query.parameters.count * 2)]
            for parameter in query.parameters {
                words += [.init(parameter.name), .init(parameter.value)]
            }
        }
        // Dialect 4 finds the newest without sorting all, but with a filter on the same field Redis
        // Stack 7.4 gives wrong ones, and a word beside it ends the server.
        return RedisCommand(words + ["DIALECT", "2"], isRepeatable: true)
    }

    // MARK: All masters

    private static func merged(
        _ replies: [Result<Part, ServiceError>], _ masters: [RedisMaster], _ limit: Int
    ) throws(ServiceError) -> (matches: [Match], total: Int64, missing: [String]) {
        var missing: [String] = []
        var matches: [Match] = []
        var total: Int64 = 0
        var failure: ServiceError?
        var answered = 0
        func miss(_ sentence: String) {
            if !missing.contains(sentence) { missing.append(sentence) }
        }
        for reply in replies {
            switch reply {
            case .success(let part):
                answered += 1
                matches += part.matches
                total += part.total
                if let gap = part.gap { miss(gap) }
            case .failure(.question(let text)): throw .question(text)
            case .failure(let error):
                failure = failure ?? error
                miss(error.absence)
            }
        }
        if answered == 0, let failure { throw failure }
        let served = masters.reduce(0) { $0 + $1.slotCount }
        if served < HashSlot.count {
            miss("no master is known for \(HashSlot.count - served) hash slots")
        }
        // One order for one answer, whichever master answered first.
        matches.sort { $0.rank != $1.rank ? $0.rank > $1.rank : $0.key < $1.key }
        var known: Set<String> = []
        let unique = matches.filter { known.insert($0.key).inserted }
        return (Array(unique.prefix(limit)), max(total, Int64(unique.count)), missing)
    }

    /// The documents of what was found, in its order; what is gone meanwhile is left out.
    private func hits(
        _ matches: [Match], _ masters: [RedisMaster], _ dimension: Dimension, _ order: Order
    ) async throws(ServiceError) -> [SearchHit] {
        let groups = Dictionary(grouping: matches.indices) { matches[$0].master }.sorted {
            $0.key < $1.key
        }
        let cluster = cluster
        let replies = await gather(groups.count) { place -> Result<[RedisValue], ServiceError> in
            let (master, places) = groups[place]
            do throws(RedisError) {
                let commands = places.map {
                    RedisCommand(
                        ["JSON.GET", .init(matches[$0].key)] + SearchHit.paths(dimension),
                        isRepeatable: true)
                }
                var values = try await cluster.pipeline(
                    commands, on: masters[master].endpoint, lane: .reading)
                for (index, value) in values.enumerated() where value.serverError != nil {
                    // Its slot is moving: wherever it is now.
                    let slot = HashSlot(key: matches[places[index]].key)
                    values[index] = try await cluster.call(
                        commands[index], slot: slot, lane: .reading)
                }
                return .success(values)
            } catch {
                return .failure(.redis(error))
            }
        }
        var documents = [RedisValue](repeating: .null, count: matches.count)
        for ((_, places), reply) in zip(groups, replies) {
            for (place, value) in zip(places, try reply.get()) { documents[place] = value }
        }
        return zip(matches, documents).compactMap { match, document in
            SearchHit(
                key: match.key, dimension, score: order == .relevance ? match.rank : nil,
                document: document)
        }
    }
}

extension SearchHit {
    /// What an answer shows of a document, and no more: its lists are long.
    fileprivate static func paths(_ dimension: Dimension) -> [RedisArgument] {
        let shared: [RedisArgument] = ["$.id", "$.last_visited"]
        return switch dimension {
        case .website: shared + ["$.name"]
        case .section: shared + ["$.name", "$.website.name"]
        default:
            shared + [
                "$.url", "$.metadata.title", "$.metadata.kicker", "$.website.name",
                "$.section.name", "$.article_id",
            ]
        }
    }

    fileprivate init?(key: String, _ dimension: Dimension, score: Double?, document: RedisValue) {
        guard let values = JSONScalar.values(document) else { return nil }
        func text(_ path: String) -> String? { values[path]?.text }
        self.init(
            key: key, id: text("$.id") ?? "",
            name: text(dimension == .page ? "$.url" : "$.name") ?? "",
            title: text("$.metadata.title"), kicker: text("$.metadata.kicker"),
            website: text("$.website.name"), section: text("$.section.name"),
            articleID: values["$.article_id"]?.number.map { "\($0)" },
            lastVisited: values["$.last_visited"]?.number, score: score)
    }
}
