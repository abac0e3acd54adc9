import CoordinatorCore
public import EventLoop
import RedisClient

/// Takes over what the original system left in a Redis: its pages with their metadata, the websites
/// and sections that follow from them, and its series.
///
/// Everything is written by adding: a newer visit, a title or a sample that is here already stays.
/// So a migration that was killed is run again, and a second run changes nothing.
///
/// - Not guaranteed: sums. Samples are what the original's jobs gave: of windows that begin at any
///   minute, put into the window of ours that holds their time.
/// - Thread: loop only.
@LoopActor public final class Migration {
    /// Documents of one call of the script: some milliseconds under a search index.
    private static let documentsPerCall = 24
    /// Source documents asked for at once, and so the most that a call adds to lists.
    private static let pagesAtOnce = 200

    let deployment: Deployment
    let original: OriginalRedis
    let isDryRun: Bool
    var summary = MigrationSummary()
    /// The original's websites and sections → ours; several of ours make them unusable.
    var websites: [String: Set<RecordID>] = [:]
    var sections: [String: Set<RecordID>] = [:]
    /// Pages that the original had under several URLs → its ids.
    var aliases: [RecordID: Set<String>] = [:]
    /// Some 60 bytes a record while it runs.
    private var outcomes: [Name: Outcome] = [:]
    private let book = RecordBook()
    private let documents = DocumentText()
    private var done: Int64 = 0
    private let progress: @LoopActor (Int64) -> Void

    /// A migration that has not begun.
    ///
    /// - Parameters:
    ///   - deployment: what is added to.
    ///   - original: what is read.
    ///   - isDryRun: only says what would be taken.
    ///   - progress: told how many keys have been looked at.
    public init(
        _ deployment: Deployment, from original: OriginalRedis, isDryRun: Bool,
        progress: @escaping @LoopActor (Int64) -> Void
    ) {
        self.deployment = deployment
        self.original = original
        self.isDryRun = isDryRun
        self.progress = progress
    }

    /// Does it all.
    ///
    /// - Errors: of either Redis; what was taken until then stays, and another run goes on.
    public func run() async throws(ServiceError) -> MigrationSummary {
        try await original.scan("*") { keys throws(ServiceError) in
            let pages = keys.filter { self.sort($0) }
            for start in stride(from: 0, to: pages.count, by: Self.pagesAtOnce) {
                let end = min(start + Self.pagesAtOnce, pages.count)
                try await self.takePages(Array(pages[start..<end]))
            }
            self.done += Int64(keys.count)
            self.progress(self.done)
        }
        try await takeSeries()
        return summary
    }

    // MARK: Keys

    /// Counts what is left out; true for a page's document.
    private func sort(_ key: String) -> Bool {
        let parts = key.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6 else {
            summary.skip(["W", "S", "P"].contains(key) ? .derived : .foreign)
            return false
        }
        // Ours, where the original shares a Redis with the deployment.
        guard !parts[3].hasPrefix("{") else { return false }
        switch (parts[0], parts[2]) {
        case ("J", "P"): return true
        case ("J", "W"), ("J", "S"): summary.skip(.derived)
        case ("TS", _): break
        case ("CMS", _): summary.skip(.sketch)
        case ("HLL", _): summary.skip(.deviceSet)
        case ("ST", _): summary.skip(parts[1] == "TRACKER" ? .trackerStream : .jobStream)
        default: summary.skip(.foreign)
        }
        return false
    }

    // MARK: Documents

    /// One document on its way to its shard.
    private struct Parcel {
        let number: Int32
        var visited: Int64 = 0
        /// What the original knows; nil for websites and sections.
        var page: OriginalPage?
        /// Pages and sections for its lists, with their visits. They travel with the document, so
        /// that it is written anew when they are news.
        var children: [(child: Int32, visited: Int64)] = []
    }

    private func takePages(_ keys: [String]) async throws(ServiceError) {
        if book.isFull { book.removeAll() }
        let replies = try await original.ask(keys) { ["JSON.GET", .init($0)] + OriginalPage.paths }
        var pages: [Parcel] = []
        var parents: [Int32: Parcel] = [:]
        for (key, reply) in zip(keys, replies) {
            guard let page = OriginalPage(reply) else {
                summary.skip(.unreadable)
                continue
            }
            guard let number = learn(page) else {
                summary.skip(.url)
                continue
            }
            let record = book.records[Int(number)]
            note(page, record, key)
            let visited = page.lastVisited
            pages.append(Parcel(number: number, visited: visited, page: page))
            let lists = [
                (record.section, number), (record.website, number),
                (record.website, record.section),
            ]
            for (parent, child) in lists {
                var parcel = parents[parent] ?? Parcel(number: parent)
                parcel.visited = max(parcel.visited, visited)
                parcel.children.append((child, visited))
                parents[parent] = parcel
            }
        }
        for parcels in [pages, Array(parents.values)] {
            let shards = Dictionary(grouping: parcels) { book.records[Int($0.number)].shard }
            for (shard, parcels) in shards.sorted(by: { $0.key < $1.key }) {
                for start in stride(from: 0, to: parcels.count, by: Self.documentsPerCall) {
                    let end = min(start + Self.documentsPerCall, parcels.count)
                    try await send(parcels[start..<end], to: ShardID(rawValue: Int(shard)))
                }
            }
        }
    }

    private func learn(_ page: OriginalPage) -> Int32? {
        let url = Array(("http://" + page.url).utf8)
        return url.withUnsafeBytes { bytes in
            if let known = book.lookUp(bytes) { return known }
            do throws(RefusalError) {
                return try book.learn(bytes, deployment.rules.resolver, deployment.layout)
            } catch {
                return nil
            }
        }
    }

    /// Remembers which of ours the original's ids stand for.
    private func note(_ page: OriginalPage, _ record: RecordBook.Record, _ key: String) {
        func add(_ map: inout [String: Set<RecordID>], _ id: String, _ number: Int32) {
            // Two are as useless as more.
            if !id.isEmpty, map[id, default: []].count < 2 {
                map[id, default: []].insert(book.records[Int(number)].id)
            }
        }
        add(&websites, page.websiteID, record.website)
        add(&sections, page.sectionID, record.section)
        let id = Self.recordPart(of: key)
        if id != record.id.hex { aliases[record.id, default: [record.id.hex]].insert(id) }
    }

    static func recordPart(of key: String) -> String {
        let parts = key.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 6 ? String(parts[3]) : ""
    }

    private func send(
        _ parcels: ArraySlice<Parcel>, to shard: ShardID
    ) async throws(ServiceError) {
        var written = MessagePackWriter()
        written.array(parcels.count * 6)
        for parcel in parcels { write(parcel, &written) }
        var lists = MessagePackWriter()
        lists.array(parcels.reduce(0) { $0 + $1.children.count } * 3)
        for parcel in parcels {
            for (child, visited) in parcel.children {
                lists.record(book.records[Int(parcel.number)].id)
                lists.text(book.records[Int(child)].dimension.rawValue)
                lists.array(2)
                lists.integer(visited)
                lists.string(book.childText(child) { documents.child($0, of: $1) })
            }
        }
        let reply = try await run(
            ScriptLibrary.migrate, shard, [.init(written.bytes), .init(lists.bytes)])
        for (parcel, letter) in zip(parcels, reply.bytes ?? []) {
            let record = book.records[Int(parcel.number)]
            note(Outcome(letter: letter), of: Name(dimension: record.dimension, id: record.id))
        }
    }

    /// A record is met again and again (a website with every page): it counts once, by the most
    /// that happened to it.
    private func note(_ outcome: Outcome, of name: Name) {
        let before = outcomes[name]
        guard before.map({ $0 < outcome }) ?? true else { return }
        outcomes[name] = outcome
        func count(_ outcome: Outcome, by number: Int64) {
            switch outcome {
            case .unchanged: summary.documents.unchanged += number
            case .changed: summary.documents.changed += number
            case .made: summary.documents.made += number
            }
        }
        if let before { count(before, by: -1) }
        count(outcome, by: 1)
    }

    /// Records of two dimensions may have one id: a site table may name a website like a host.
    private struct Name: Hashable {
        let dimension: Dimension
        let id: RecordID
    }

    private enum Outcome: Int, Comparable {
        case unchanged, changed, made

        init(letter: UInt8) {
            switch letter {
            case UInt8(ascii: "m"): self = .made
            case UInt8(ascii: "c"): self = .changed
            default: self = .unchanged
            }
        }

        static func < (left: Outcome, right: Outcome) -> Bool { left.rawValue < right.rawValue }
    }

    private func write(_ parcel: Parcel, _ writer: inout MessagePackWriter) {
        let record = book.records[Int(parcel.number)]
        writer.text(record.dimension.rawValue)
        writer.record(record.id)
        writer.integer(parcel.visited)
        writer.string(documents.document(parcel.number, of: book, visited: parcel.visited))
        if let page = parcel.page, page.hasMetadata {
            writer.string(
                documents.metadata(
                    title: page.title, kicker: page.kicker, displayDate: page.displayDate))
        } else {
            writer.false()
        }
        if case .page(let address) = book.details[Int(parcel.number)], let id = address.articleID {
            writer.text(String(id))
        } else {
            writer.false()
        }
    }

    /// One call of a script of ours, with what all of them take first; adds its faults.
    ///
    /// - Returns: the first part of the reply.
    func run(
        _ script: RedisScript, _ shard: ShardID, _ arguments: [RedisArgument]
    ) async throws(ServiceError) -> RedisValue {
        let client = ShardClient(deployment, shard)
        let reply: RedisValue
        do throws(RedisError) {
            reply = try await deployment.cluster.run(
                script,
                keys: [RedisKeys.shardState(client.tag), RedisKeys.guardKey(client.tag)],
                arguments: [.init(client.tag), isDryRun ? "0" : "1"] + arguments,
                slot: client.slot, lane: .bulk, isRepeatable: true)
        } catch {
            throw .redis(error)
        }
        guard let items = reply.items, items.count == 3 else {
            throw .redis(.protocolViolation(endpoint: script.name, reason: "unexpected reply"))
        }
        summary.faults += items[1].int ?? 0
        if let fault = items[2].text, !fault.isEmpty { summary.fault = fault }
        return items[0]
    }
}
