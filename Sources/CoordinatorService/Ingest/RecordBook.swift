import CoordinatorCore

/// Every website, section, page and item that this node has seen lately, by number.
///
/// A URL is resolved once; after that an event costs one look-up by its bytes. What the book
/// remembers about documents only saves writing them again: it is dropped for a shard whose
/// watermark went back.
final class RecordBook {
    /// Past either bound the book is emptied between two batches: memory stays flat under a flood
    /// of URLs that never return. 200,000 pages are ten times what a large publisher has active.
    static let maximumURLs = 400_000
    static let maximumBytes = 64 << 20

    /// What the ingest path looks at for each event and batch.
    struct Record {
        let id: RecordID
        let dimension: Dimension
        let shard: Int32
        /// Record numbers of a page's section and website, a section's website; else −1.
        let section: Int32
        let website: Int32
        /// The newest visit in this batch, ms; −1 when the batch has none.
        var visited: Int64 = -1
        /// Newest base window whose visit was sent to the own document, the section's and the
        /// website's list.
        var sentOwn: Int64 = .min
        var sentSection: Int64 = .min
        var sentWebsite: Int64 = .min
        /// The document's text has been sent to its shard.
        var isKnown = false
    }

    /// What a document says, looked at when it is written.
    enum Details {
        case website(name: String)
        case section(name: String, levels: [String], website: Int32)
        case page(PageAddress)
        /// What is played, by the id that its player gives it.
        case item(name: String)
    }

    /// Records of two dimensions may have one id: a site table may name a website like a host.
    private struct Name: Hashable {
        let id: RecordID
        let dimension: Dimension

        func hash(into hasher: inout Hasher) { id.hash(into: &hasher) }
    }

    private(set) var records: [Record] = []
    private(set) var details: [Details] = []
    private var urls = ByteTable(capacity: 1 << 14)
    /// What plays name, by the dimension's place among the played ones.
    private var items = Dimension.played.map { _ in ByteTable() }
    private var numbers: [Name: Int32] = [:]
    /// What parents' lists hold of a record: it never changes, and is sent once a minute.
    private var childTexts: [Int32: [UInt8]] = [:]

    /// The page of a URL's bytes; nil when the URL was not seen before, or is refused each time.
    @inline(__always)
    func lookUp(_ url: UnsafeRawBufferPointer) -> Int32? { urls.find(url) }

    /// Learns what a URL means. Refused ones are not kept: they would fill the book and say
    /// nothing.
    func learn(
        _ url: UnsafeRawBufferPointer, _ resolver: PageResolver, _ layout: ShardLayout
    ) throws(RefusalError) -> Int32 {
        let address = try resolver.resolve(url)
        let website = number(
            address.websiteID, .website, layout, section: -1, website: -1,
            .website(name: address.website))
        let section = number(
            address.sectionID, .section, layout, section: -1, website: website,
            .section(name: address.section, levels: Self.sectionLevels(address), website: website))
        let page = number(
            address.pageID, .page, layout, section: section, website: website, .page(address))
        urls.insert(url, page)
        return page
    }

    /// The item of a played dimension by the bytes of its id; nil when it was not seen before.
    func lookUp(_ item: UnsafeRawBufferPointer, _ dimension: Dimension) -> Int32? {
        items[Self.place(dimension)].find(item)
    }

    /// Learns what is played; `item` is UTF-8 and not empty.
    func learn(
        _ item: UnsafeRawBufferPointer, _ dimension: Dimension, _ rules: EventRules,
        _ layout: ShardLayout
    ) -> Int32 {
        let number = number(
            rules.resolver.hasher.recordID(of: item), dimension, layout, section: -1, website: -1,
            .item(name: String(decoding: item, as: UTF8.self)))
        items[Self.place(dimension)].insert(item, number)
        return number
    }

    private static func place(_ dimension: Dimension) -> Int {
        dimension.row - Dimension.viewed.count
    }

    var isFull: Bool {
        urls.count + items.reduce(0) { $0 + $1.count } > Self.maximumURLs
            || urls.arenaBytes + items.reduce(0) { $0 + $1.arenaBytes } > Self.maximumBytes
    }

    func removeAll() {
        records.removeAll(keepingCapacity: true)
        details.removeAll(keepingCapacity: true)
        urls.removeAll()
        for index in items.indices { items[index].removeAll() }
        numbers.removeAll(keepingCapacity: true)
        childTexts.removeAll(keepingCapacity: true)
    }

    /// A record's entry in its parents' lists, made once.
    func childText(_ number: Int32, _ make: (Int32, RecordBook) -> [UInt8]) -> [UInt8] {
        if let known = childTexts[number] { return known }
        let text = make(number, self)
        childTexts[number] = text
        return text
    }

    /// Forgets what was sent to one shard: its watermark went back, or its reply is not known.
    func forgetSent(to shard: Int32) {
        for index in records.indices {
            if records[index].shard == shard {
                records[index].sentOwn = .min
                records[index].isKnown = false
            }
            let section = records[index].section
            if section >= 0, records[Int(section)].shard == shard {
                records[index].sentSection = .min
            }
            let website = records[index].website
            if website >= 0, records[Int(website)].shard == shard {
                records[index].sentWebsite = .min
            }
        }
    }

    @inline(__always)
    func update<Value>(_ number: Int32, _ body: (inout Record) -> Value) -> Value {
        body(&records[Int(number)])
    }

    private func number(
        _ id: RecordID, _ dimension: Dimension, _ layout: ShardLayout, section: Int32,
        website: Int32, _ detail: Details
    ) -> Int32 {
        let name = Name(id: id, dimension: dimension)
        if let known = numbers[name] { return known }
        let number = Int32(records.count)
        records.append(
            Record(
                id: id, dimension: dimension, shard: Int32(layout.shard(of: id).rawValue),
                section: section, website: website))
        details.append(detail)
        numbers[name] = number
        return number
    }

    /// A section's own levels: those that its name is made of.
    private static func sectionLevels(_ address: PageAddress) -> [String] {
        guard address.section != "(home)" else { return [] }
        let names = address.levels.prefix(2)
        return names.joined(separator: "/") == address.section
            ? Array(names) : Array(names.prefix(1))
    }
}
