import CoordinatorCore
import RedisClient

/// Turns a batch into the arguments of `apply` for each shard.
///
/// What was sent to documents is noted in the book as it is written; `RecordBook.forgetSent` undoes
/// that when a shard did not take it.
struct BatchEncoder {
    private let documents = DocumentText()
    private var deltas = MessagePackWriter()
    private var documentPart = MessagePackWriter()
    private var children = MessagePackWriter()
    private var ledger = MessagePackWriter()
    private var letters = MessagePackWriter()

    private var order: [[Int32]]
    private var documentRecords: [[Int32]]
    private var childRecords: [[(parent: Int32, child: Int32)]]
    private(set) var touched: [Bool]

    /// Documents are sent with every visit: which records have one the shards decide each time.
    private let isBounded: Bool

    init(shards: Int, isBounded: Bool = false) {
        self.isBounded = isBounded
        order = [[Int32]](repeating: [], count: shards)
        documentRecords = [[Int32]](repeating: [], count: shards)
        childRecords = [[(parent: Int32, child: Int32)]](repeating: [], count: shards)
        touched = [Bool](repeating: false, count: shards)
    }

    /// Sorts a batch by shard. `wants` says which shards are to be sent to; others are left out.
    mutating func begin(
        _ batch: Batch, _ book: RecordBook, baseLength: Int64, ownShard: Int,
        wants: [Bool]
    ) {
        for shard in order.indices {
            order[shard].removeAll(keepingCapacity: true)
            documentRecords[shard].removeAll(keepingCapacity: true)
            childRecords[shard].removeAll(keepingCapacity: true)
            touched[shard] = false
        }
        for (index, accumulator) in batch.accumulators.enumerated() {
            let shard = Int(book.records[Int(accumulator.record)].shard)
            guard wants[shard] else { continue }
            order[shard].append(Int32(truncatingIfNeeded: index))
            touched[shard] = true
        }
        if batch.read > 0 || !batch.deadLetters.isEmpty, wants[ownShard] {
            touched[ownShard] = true
        }
        for number in batch.visited {
            note(number, book, baseLength, wants)
        }
    }

    private mutating func note(
        _ number: Int32, _ book: RecordBook, _ baseLength: Int64, _ wants: [Bool]
    ) {
        let record = book.records[Int(number)]
        let window = record.visited / baseLength
        func shard(of other: Int32) -> Int { Int(book.records[Int(other)].shard) }
        if wants[Int(record.shard)], window > record.sentOwn {
            documentRecords[Int(record.shard)].append(number)
            book.update(number) { $0.sentOwn = window }
        }
        if record.section >= 0, window > record.sentSection, wants[shard(of: record.section)] {
            childRecords[shard(of: record.section)].append((record.section, number))
            book.update(number) { $0.sentSection = window }
        }
        if record.website >= 0, window > record.sentWebsite, wants[shard(of: record.website)] {
            childRecords[shard(of: record.website)].append((record.website, number))
            book.update(number) { $0.sentWebsite = window }
        }
    }

    /// The five packed arguments of one shard: ledger, deltas, documents, children, dead letters.
    mutating func arguments(
        of shard: Int, _ batch: Batch, _ book: RecordBook, isOwn: Bool,
        baseLength: Int64, _ body: ([RedisArgument]) -> Void
    ) {
        let counted = writeDeltas(of: shard, batch, book, baseLength)
        writeLedger(counted: counted, batch, isOwn: isOwn)
        writeDocuments(of: shard, book)
        writeChildren(of: shard, book)
        writeLetters(batch, isOwn: isOwn)
        let parts = [ledger, deltas, documentPart, children, letters]
        body(parts.map { .init($0.bytes) })
    }

    private mutating func writeDeltas(
        of shard: Int, _ batch: Batch, _ book: RecordBook, _ baseLength: Int64
    ) -> Int64 {
        let accumulators = batch.accumulators
        order[shard].sort { left, right in
            let left = accumulators[Int(left)]
            let right = accumulators[Int(right)]
            if left.window != right.window { return left.window < right.window }
            return book.records[Int(left.record)].dimension.row
                < book.records[Int(right.record)].dimension.row
        }
        let groups = grouped(order[shard], accumulators, book)
        deltas.removeAll()
        deltas.array(groups.count * 3)
        var counted: Int64 = 0
        for group in groups {
            let first = accumulators[Int(order[shard][group.lowerBound])]
            let dimension = book.records[Int(first.record)].dimension
            deltas.integer(first.window * baseLength)
            deltas.text(dimension.rawValue)
            deltas.array(group.count * 3)
            for index in group {
                let accumulator = accumulators[Int(order[shard][index])]
                if dimension.isTallied { counted += accumulator.views }
                write(accumulator, batch, book)
            }
        }
        return counted
    }

    private mutating func write(
        _ accumulator: Batch.Accumulator, _ batch: Batch, _ book: RecordBook
    ) {
        deltas.record(book.records[Int(accumulator.record)].id)
        deltas.integer(accumulator.views)
        guard accumulator.devices > 0 else { return deltas.false() }
        deltas.array(Int(accumulator.devices))
        var link = accumulator.firstDevice
        while link >= 0 {
            let current = batch.links[Int(link)]
            batch.withDevice(current.device) { deltas.string($0) }
            link = current.next
        }
    }

    /// Runs of one (window, dimension) in the sorted order.
    private func grouped(
        _ order: [Int32], _ accumulators: [Batch.Accumulator], _ book: RecordBook
    ) -> [Range<Int>] {
        var groups: [Range<Int>] = []
        var start = 0
        while start < order.count {
            let first = accumulators[Int(order[start])]
            let dimension = book.records[Int(first.record)].dimension
            var end = start + 1
            while end < order.count {
                let next = accumulators[Int(order[end])]
                guard next.window == first.window,
                    book.records[Int(next.record)].dimension == dimension
                else { break }
                end += 1
            }
            groups.append(start..<end)
            start = end
        }
        return groups
    }

    private mutating func writeLedger(counted: Int64, _ batch: Batch, isOwn: Bool) {
        ledger.removeAll()
        let refused = isOwn ? batch.refused : [:]
        ledger.array(2 + refused.count * 2)
        ledger.integer(counted)
        ledger.integer(isOwn ? Int64(batch.read) : 0)
        for (reason, count) in refused {
            ledger.text(reason.rawValue)
            ledger.integer(Int64(count))
        }
    }

    private mutating func writeDocuments(of shard: Int, _ book: RecordBook) {
        documentPart.removeAll()
        documentPart.array(documentRecords[shard].count * 5)
        for number in documentRecords[shard] {
            let record = book.records[Int(number)]
            documentPart.text(record.dimension.rawValue)
            documentPart.record(record.id)
            documentPart.integer(record.visited)
            if record.isKnown, !isBounded {
                documentPart.false()
                documentPart.false()
                continue
            }
            documentPart.string(documents.document(number, of: book, visited: record.visited))
            if case .page(let page) = book.details[Int(number)], let article = page.articleID {
                documentPart.text(String(article))
            } else {
                documentPart.false()
            }
            book.update(number) { $0.isKnown = true }
        }
    }

    private mutating func writeChildren(of shard: Int, _ book: RecordBook) {
        var lists: [ChildList: [Int32]] = [:]
        for (parent, child) in childRecords[shard] {
            let list = ChildList(parent: parent, dimension: book.records[Int(child)].dimension)
            lists[list, default: []].append(child)
        }
        children.removeAll()
        children.array(lists.count * 3)
        for (list, members) in lists {
            let newest = members.sorted {
                book.records[Int($0)].visited > book.records[Int($1)].visited
            }.prefix(BatchLimits.maximumChildren)
            children.record(book.records[Int(list.parent)].id)
            children.text(list.dimension.rawValue)
            children.array(newest.count * 2)
            for child in newest {
                children.integer(book.records[Int(child)].visited)
                children.string(book.childText(child) { documents.child($0, of: $1) })
            }
        }
    }

    private struct ChildList: Hashable {
        let parent: Int32
        let dimension: Dimension
    }

    private mutating func writeLetters(_ batch: Batch, isOwn: Bool) {
        letters.removeAll()
        let written = isOwn ? batch.deadLetters : []
        letters.array(written.count * 4)
        for letter in written {
            letters.text(letter.id.description)
            letters.text(letter.reason.rawValue)
            letters.text(letter.detail)
            letters.array(letter.fields.count * 2)
            for field in letter.fields {
                letters.text(field.name)
                letters.string(field.value)
            }
        }
    }
}
