import CoordinatorCore
import Hashing

@testable import CoordinatorService
@testable import RedisClient

/// One entry of a source.
struct TwinEntry: Sendable {
    let id: StreamID
    let fields: [(name: String, value: [UInt8])]

    /// As the ingest path gets it, lent for a call.
    func lend(_ body: (EntryFields) -> Void) {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for field in fields {
            bytes += Array(field.name.utf8)
            ends.append(bytes.count)
            bytes += field.value
            ends.append(bytes.count)
        }
        bytes.withUnsafeBytes { all in
            var entry = EntryFields()
            var start = 0
            for index in stride(from: 0, to: ends.count, by: 2) {
                entry.add(
                    name: UnsafeRawBufferPointer(rebasing: all[start..<ends[index]]),
                    value: UnsafeRawBufferPointer(rebasing: all[ends[index]..<ends[index + 1]]))
                start = ends[index + 1]
            }
            body(entry)
        }
    }
}

/// What `apply` leaves in one shard, as plain values.
struct TwinShard: Equatable, Sendable {
    struct Figure: Hashable, Sendable {
        let window: Int64
        let dimension: String
        let id: String
    }

    struct Child: Hashable, Sendable {
        let parent: String
        let dimension: String
        let id: String
    }

    var watermark = StreamID.zero
    var views: [Figure: Int64] = [:]
    var devices: [Figure: Set<[UInt8]>] = [:]
    var counted: Int64 = 0
    var read: Int64 = 0
    var refused: [String: Int64] = [:]
    var letters: [String: String] = [:]
    /// Records that have a document, as dimension and id, and their newest visit's minute.
    var documents: Set<String> = []
    var visits: [String: Int64] = [:]
    var children: [Child: Int64] = [:]

    /// Applies packed arguments, if the watermark is where they expect it.
    ///
    /// - Returns: whether it was.
    mutating func apply(
        expected: StreamID, through: StreamID, _ packed: [[UInt8]], base: Int64
    ) throws -> Bool {
        guard watermark == expected else { return false }
        let parts = try packed.map { try MessagePackReader.read($0).items }
        let ledger = parts[0]
        counted += ledger[0].number
        read += ledger[1].number
        for index in stride(from: 2, to: ledger.count, by: 2) {
            refused[ledger[index].text, default: 0] += ledger[index + 1].number
        }
        for index in stride(from: 0, to: parts[1].count, by: 3) {
            add(parts[1][index].number, parts[1][index + 1].text, parts[1][index + 2].items)
        }
        for index in stride(from: 0, to: parts[2].count, by: 5) {
            let id = parts[2][index].text + parts[2][index + 1].text
            if case .bytes = parts[2][index + 3] { documents.insert(id) }
            visits[id] = max(visits[id] ?? .min, parts[2][index + 2].number / base)
        }
        for index in stride(from: 0, to: parts[3].count, by: 3) {
            take(parts[3][index].text, parts[3][index + 1].text, parts[3][index + 2].items, base)
        }
        for index in stride(from: 0, to: parts[4].count, by: 4) {
            letters[parts[4][index].text] = parts[4][index + 1].text
        }
        watermark = through
        return true
    }

    private mutating func add(_ window: Int64, _ dimension: String, _ entries: [MessagePack]) {
        for index in stride(from: 0, to: entries.count, by: 3) {
            let figure = Figure(window: window, dimension: dimension, id: entries[index].text)
            views[figure, default: 0] += entries[index + 1].number
            for device in entries[index + 2].items {
                guard case .bytes(let bytes) = device else { continue }
                devices[figure, default: []].insert(bytes)
            }
        }
    }

    private mutating func take(
        _ parent: String, _ dimension: String, _ members: [MessagePack], _ base: Int64
    ) {
        for index in stride(from: 0, to: members.count, by: 2) {
            // {"…","id":"<40 hex>",… without its last brace.
            let text = members[index + 1].text
            guard let mark = text.range(of: "\"id\":\"") else { continue }
            let child = Child(
                parent: parent, dimension: dimension,
                id: String(text[mark.upperBound...].prefix(40)))
            children[child] = max(children[child] ?? .min, members[index].number / base)
        }
    }
}

extension String {
    /// The first place of a text; Foundation is not needed for one search.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) {
                return start..<index(start, offsetBy: text.count)
            }
            start = index(after: start)
        }
        return nil
    }
}

/// What entries mean, found out one by one in the plainest way.
struct DumbTwin {
    let rules: EventRules
    let layout: ShardLayout
    let base: Int64
    let ownShard: Int

    /// Adds one entry to the shards it belongs to, except those that hold it already.
    func add(_ entry: TwinEntry, to shards: inout [TwinShard]) {
        func holds(_ shard: Int) -> Bool { shards[shard].watermark >= entry.id }
        func field(_ name: String) -> [UInt8]? { entry.fields.last { $0.name == name }?.value }
        if !holds(ownShard) { shards[ownShard].read += 1 }
        do throws(RefusalError) {
            let (records, page, time) = try judge(entry, field)
            let device = field("uui").flatMap { $0.isEmpty || $0 == Array("null".utf8) ? nil : $0 }
            for (dimension, id) in records {
                let shard = layout.shard(of: id).rawValue
                guard !holds(shard) else { continue }
                let figure = TwinShard.Figure(
                    window: time / base * base, dimension: dimension, id: id.hex)
                shards[shard].views[figure, default: 0] += 1
                if let device { shards[shard].devices[figure, default: []].insert(device) }
                if dimension != "S" && dimension != "P" { shards[shard].counted += 1 }
                shards[shard].documents.insert(dimension + id.hex)
                shards[shard].visits[dimension + id.hex] = max(
                    shards[shard].visits[dimension + id.hex] ?? .min, time / base)
            }
            guard let page else { return }
            let lists = [
                (page.websiteID, "S", page.sectionID), (page.websiteID, "P", page.pageID),
                (page.sectionID, "P", page.pageID),
            ]
            for (parent, dimension, child) in lists {
                let shard = layout.shard(of: parent).rawValue
                guard !holds(shard) else { continue }
                let key = TwinShard.Child(parent: parent.hex, dimension: dimension, id: child.hex)
                shards[shard].children[key] = max(
                    shards[shard].children[key] ?? .min, time / base)
            }
        } catch {
            guard !holds(ownShard) else { return }
            shards[ownShard].refused[error.reason.rawValue, default: 0] += 1
            shards[ownShard].letters[entry.id.description] = error.reason.rawValue
        }
    }

    private func judge(
        _ entry: TwinEntry, _ field: (String) -> [UInt8]?
    ) throws(RefusalError) -> (records: [(String, RecordID)], page: PageAddress?, time: Int64) {
        var address: PageAddress?
        var records: [(String, RecordID)] = []
        if let kind = field("kind"), !kind.isEmpty {
            let letters = ["audio": "A", "video": "V", "podcast": "PC"]
            guard let letter = letters[String(decoding: kind, as: UTF8.self)] else {
                throw RefusalError(.kind, "unknown")
            }
            guard let item = field("id"), !item.isEmpty else { throw RefusalError(.id, "none") }
            records = [(letter, SHA1Hasher().recordID(of: item))]
        } else {
            let page: Result<PageAddress, RefusalError> = lent(field("url")) { bytes in
                Result { () throws(RefusalError) in try rules.page(of: bytes) }
            }
            let found = try page.get()
            address = found
            records = [("W", found.websiteID), ("S", found.sectionID), ("P", found.pageID)]
        }
        for (name, value) in entry.fields where name != "url" {
            let check: Result<Void, RefusalError> = lent(value) { bytes in
                Result { () throws(RefusalError) in
                    try EventRules.checkField(bytes ?? .init(start: nil, count: 0))
                }
            }
            try check.get()
        }
        let time: Result<Int64, RefusalError> = lent(field("dt")) { bytes in
            Result { () throws(RefusalError) in try rules.time(of: bytes, arrival: entry.id) }
        }
        let moment = try time.get()
        guard moment >= 0 else { throw RefusalError(.time, "before 1970") }
        return (records, address, moment)
    }

    private func lent<Value>(
        _ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> Value
    ) -> Value {
        guard let bytes else { return body(nil) }
        return bytes.withUnsafeBytes { body($0) }
    }
}
