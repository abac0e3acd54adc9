import CoordinatorCore
import RedisClient

/// The calls of `enrich.lua` on one shard.
extension ShardClient {
    /// What a shard answers to who shows a token.
    enum Answer<Value: Sendable>: Sendable {
        case done(Value)
        case fenced(by: FencingToken?)
    }

    /// What came of results that were to be noted.
    struct Noted: Sendable {
        let count: Int64
        let faults: Int64
        let fault: String
    }

    /// Pages that wait, `count` from each of their two places at most; nothing changes by it.
    ///
    /// - Parameter refresh: how old metadata become before they are renewed; nil: never.
    func takePages(
        _ token: FencingToken, count: Int, refresh: Duration?
    ) async throws(ServiceError) -> Answer<[WaitingPage]> {
        let reply = try await run(
            ScriptLibrary.enrich,
            [
                .init(tag), .init(token.text), "take", .init(count),
                .init(refresh?.wholeMilliseconds ?? 0),
            ])
        if let token = Self.fence(reply) { return .fenced(by: FencingToken(token)) }
        guard let items = reply.items, items.count == 2, let values = items[1].items,
            values.count.isMultiple(of: 6)
        else { throw unexpected(reply) }
        // A page that cannot be read stays where it is, and is seen in the queue's length.
        return .done(
            stride(from: 0, to: values.count, by: 6).compactMap { Self.page(values[$0..<$0 + 6]) })
    }

    /// Has results noted of pages that are still where they were handed out.
    ///
    /// - Errors: after `outcomeUnknown` the same again is fine.
    func note(
        _ token: FencingToken, _ results: [PageResult]
    ) async throws(ServiceError) -> Answer<Noted> {
        let reply = try await run(
            ScriptLibrary.enrich,
            [.init(tag), .init(token.text), "note", .init(Self.packed(results))])
        if let token = Self.fence(reply) { return .fenced(by: FencingToken(token)) }
        guard let items = reply.items, items.count == 4, let count = items[1].int else {
            throw unexpected(reply)
        }
        return .done(
            Noted(count: count, faults: items[2].int ?? 0, fault: items[3].text ?? ""))
    }

    /// Asks again for pages that were given up, looking at `count` of them at most.
    func retryDead(count: Int) async throws(ServiceError) -> (pages: Int64, looked: Int64) {
        try await retry(count, "")
    }

    /// Asks again for one page, whatever is known of it; false when it has no article.
    func retry(_ page: RecordID) async throws(ServiceError) -> Bool {
        try await retry(1, page.hex).pages > 0
    }

    private func retry(
        _ count: Int, _ page: String
    ) async throws(ServiceError) -> (pages: Int64, looked: Int64) {
        let reply = try await run(
            ScriptLibrary.enrich, [.init(tag), "", "retry", .init(count), .init(page)])
        guard let items = reply.items, items.count == 3, let pages = items[1].int,
            let looked = items[2].int
        else { throw unexpected(reply) }
        return (pages, looked)
    }

    // MARK: Reading and writing

    private static func fence(_ reply: RedisValue) -> String? {
        guard let items = reply.items, items.first?.text == "FENCED" else { return nil }
        return items.dropFirst().first?.text ?? ""
    }

    private static func page(_ values: ArraySlice<RedisValue>) -> WaitingPage? {
        let texts = values.map { $0.text ?? "" }
        guard let id = RecordID(hex: texts[0]), let article = UInt64(texts[2]) else { return nil }
        let place: WaitingPage.Place
        if let due = Int64(texts[1]) {
            place = .schedule(due)
        } else if let entry = StreamID(texts[1]) {
            place = .queue(entry)
        } else {
            return nil
        }
        return WaitingPage(
            id: id, place: place, article: article, attempts: Int(texts[3]) ?? 0,
            misses: Int(texts[4]) ?? 0, isKnown: texts[5] == "1")
    }

    private static func packed(_ results: [PageResult]) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.array(results.count * 5)
        for result in results {
            let page = result.page
            switch page.place {
            case .queue(let entry): writer.text(entry.description)
            case .schedule(let due): writer.text(String(due))
            }
            writer.record(page.id)
            switch result.change {
            case .found(let values, let again):
                writer.text("found")
                writer.string(metadata(values))
                writer.text(
                    (again.map { String($0.wholeMilliseconds) } ?? "") + " "
                        + tried(page, page.attempts, page.misses))
            case .later(let wait, let attempts, let misses, let reason):
                writer.text("later")
                writer.text(
                    "\(max(0, wait.wholeMilliseconds)) " + tried(page, attempts, misses))
                writer.text(shortened(reason))
            case .dead(let attempts, let reason):
                writer.text("dead")
                writer.text("\(page.article) \(attempts)")
                writer.text(shortened(reason))
            }
        }
        return writer.bytes
    }

    private static func tried(_ page: WaitingPage, _ attempts: Int, _ misses: Int) -> String {
        "\(page.article) \(attempts) \(misses) \(page.isKnown ? 1 : 0)"
    }

    /// A reason is for people, and some of it may be a server's words.
    private static func shortened(_ reason: String) -> String {
        String(String.UnicodeScalarView(reason.unicodeScalars.prefix(200)))
    }

    /// The JSON without its last brace: the script adds the time.
    private static func metadata(_ values: ArticleFields.Values) -> [UInt8] {
        DocumentText().metadata(
            title: values.title, kicker: values.kicker, displayDate: values.displayDate
        ).dropLast()
    }
}
