import CoordinatorCore
import Hashing

/// Takes entries into a batch: what each one means for which shard, by the deployment's rules
/// alone.
///
/// An entry that a shard already holds is left out for that shard only: a batch that is read again
/// after a failover adds exactly what the failover lost.
final class Intake {
    private let rules: EventRules
    private let layout: ShardLayout
    private let baseLength: Int64
    private let ownShard: Int
    /// Replaces device ids; nil where they are stored as they are, or were replaced before.
    private let hasher: DeviceHasher?
    let book = RecordBook()

    /// The last id whose effects each shard holds; zero when it holds none.
    var watermarks: [StreamID]
    /// Shards that this batch is for.
    var wants: [Bool]
    /// Windows before this are sealed, as far as known: only the cost of a batch is judged by it.
    var lateBefore: Int64 = .min

    init(
        rules: EventRules, layout: ShardLayout, baseLength: Int64, ownShard: ShardID,
        hasher: DeviceHasher? = nil
    ) {
        self.hasher = hasher
        self.rules = rules
        self.layout = layout
        self.baseLength = baseLength
        self.ownShard = ownShard.rawValue
        watermarks = [StreamID](repeating: .zero, count: layout.count)
        wants = [Bool](repeating: true, count: layout.count)
    }

    @inline(__always)
    private func isFor(_ shard: Int, _ id: StreamID) -> Bool {
        wants[shard] && watermarks[shard] < id
    }

    /// Takes one entry.
    func take(_ id: StreamID, _ fields: EntryFields, into batch: Batch) {
        let isOwn = isFor(ownShard, id)
        batch.noteRead(id, isOwn: isOwn)
        do throws(RefusalError) {
            try count(id, fields, into: batch)
        } catch {
            guard isOwn else { return }
            batch.refuse(
                Batch.DeadLetter(
                    id: id, reason: error.reason, detail: error.detail, fields: kept(fields)),
                shard: ownShard)
        }
    }

    private func count(
        _ id: StreamID, _ fields: EntryFields, into batch: Batch
    ) throws(RefusalError) {
        if let kind = fields.kind, !kind.isEmpty {
            return try countPlay(kind, id, fields, into: batch)
        }
        guard let url = fields.url else { throw RefusalError(.url, "the url is missing") }
        let page: Int32
        if let known = book.lookUp(url) {
            page = known
        } else {
            page = try book.learn(url, rules.resolver, layout)
        }
        if let refusal = fields.refusal { throw refusal }
        let (time, device) = try moment(id, fields, batch)
        let window = time / baseLength
        let record = book.records[Int(page)]
        let isForPage = add(page, id, window, device, batch)
        let isForSection = add(record.section, id, window, device, batch)
        let isForWebsite = add(record.website, id, window, device, batch)
        guard isForPage || isForSection || isForWebsite else { return }
        // A visit of all three, whichever shard it is for: a page stands in its parents' documents,
        // and a section's shard that lost a suffix needs the page although the page's own has it.
        visit(page, time, batch)
        visit(record.section, time, batch)
        visit(record.website, time, batch)
    }

    /// A play counts for what was played, and for no page, section or website.
    private func countPlay(
        _ kind: UnsafeRawBufferPointer, _ id: StreamID, _ fields: EntryFields, into batch: Batch
    ) throws(RefusalError) {
        let dimension = try EventRules.dimension(kind: kind, id: fields.item)
        // An id over its size is refused before the book learns it.
        if let refusal = fields.refusal { throw refusal }
        guard let name = fields.item else { return }
        let item = book.lookUp(name, dimension) ?? book.learn(name, dimension, rules, layout)
        let (time, device) = try moment(id, fields, batch)
        if add(item, id, time / baseLength, device, batch) { visit(item, time, batch) }
    }

    /// When the event happened, ms, and the number of its device in the batch, or −1.
    @inline(__always)
    private func moment(
        _ id: StreamID, _ fields: EntryFields, _ batch: Batch
    ) throws(RefusalError) -> (time: Int64, device: Int32) {
        let time = try rules.time(of: fields.time, arrival: id)
        // Windows are numbered from 1970: the counters' names know no earlier ones.
        guard time >= 0 else { throw RefusalError(.time, "the event time is before 1970") }
        guard let name = fields.device, EventRules.isDevice(name) else { return (time, -1) }
        return (time, batch.number(ofDevice: name, hasher))
    }

    /// - Returns: whether the entry is for the record's shard.
    @inline(__always)
    private func add(
        _ number: Int32, _ id: StreamID, _ window: Int64, _ device: Int32, _ batch: Batch
    ) -> Bool {
        let shard = book.records[Int(number)].shard
        guard isFor(Int(shard), id) else { return false }
        batch.add(
            record: number, shard: shard, window: window, windowNumber: UInt64(window),
            device: device, isLate: window * baseLength < lateBefore)
        return true
    }

    @inline(__always)
    private func visit(_ number: Int32, _ time: Int64, _ batch: Batch) {
        let isFirst = book.update(number) { record in
            defer { record.visited = max(record.visited, time) }
            return record.visited < 0
        }
        if isFirst { batch.noteVisited(number, book.records[Int(number)], book) }
    }

    /// Forgets what a batch noted in the book; once it is encoded or given up, and before another
    /// one begins: a visit noted twice would be sent once.
    func release(_ batch: Batch) {
        for number in batch.visited { book.update(number) { $0.visited = -1 } }
        batch.forgetVisited()
        if book.isFull { book.removeAll() }
    }

    /// A copy of what is needed to send a refused event again, cut to what a field may have. The id
    /// of what was played is `item` there: a dead letter's `id` is its entry's.
    private func kept(_ fields: EntryFields) -> [(name: String, value: [UInt8])] {
        func copy(_ name: String, _ value: UnsafeRawBufferPointer?) -> (
            name: String, value: [UInt8]
        )? {
            value.map { (name, Array($0.prefix(EventRules.maximumFieldBytes + 1))) }
        }
        let device =
            hasher.flatMap { hasher in fields.device.map { ("uui", hasher.stored($0)) } }
            ?? copy("uui", fields.device)
        return [
            copy("url", fields.url), device, copy("dt", fields.time),
            copy("kind", fields.kind), copy("item", fields.item),
        ].compactMap { $0 }
    }
}
