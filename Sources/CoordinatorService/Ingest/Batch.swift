import CoordinatorCore
import Hashing

/// What a batch of one source's events means, grouped in memory: counts and device sets for each
/// (record, base window), the newest visit of each record, and what was refused.
///
/// Nothing here depends on a clock or on chance: the same entries over the same watermarks always
/// give the same deltas, on every node.
final class Batch {
    /// One (record, base window).
    struct Accumulator {
        let record: Int32
        let window: Int64
        var views: Int64 = 0
        var firstDevice: Int32 = -1
        var devices: Int32 = 0
    }

    struct DeviceLink {
        let device: Int32
        let next: Int32
    }

    /// A refused entry, with what is needed to send it again.
    struct DeadLetter {
        let id: StreamID
        let reason: RefusalReason
        let detail: String
        let fields: [(name: String, value: [UInt8])]
    }

    /// Where the batch began (exclusive) and, once closed, where the watermarks go.
    private(set) var from: StreamID
    var through: StreamID
    private(set) var entries = 0
    /// The watermarks by which entries were left out.
    private(set) var watermarks: [StreamID] = []

    private(set) var accumulators: [Accumulator] = []
    private(set) var links: [DeviceLink] = []
    private(set) var visited: [Int32] = []
    private(set) var deadLetters: [DeadLetter] = []
    private(set) var refused: [RefusalReason: Int] = [:]
    /// Entries that the source's own shard had not counted as read.
    private(set) var read = 0
    /// The first entry that it holds.
    private(set) var first: StreamID?
    /// Counts for windows that are sealed in some shard.
    private(set) var late = 0
    private(set) var devices = ByteTable()
    /// What is stored in place of each of `devices`, one behind the other; empty without a key.
    private var keyedDevices: [UInt8] = []
    /// Estimated time that Redis is kept busy by each shard's apply, in units of 10 ns.
    private(set) var costs: [Int]
    private(set) var highestCost = 0

    private var numbers = NumberTable()
    private var pairs = NumberTable()

    init(shards: Int) {
        from = .zero
        through = .zero
        costs = [Int](repeating: 0, count: shards)
    }

    var isEmpty: Bool { entries == 0 }

    func begin(from position: StreamID, _ held: [StreamID]) {
        watermarks = held
        from = position
        through = position
        entries = 0
        read = 0
        first = nil
        late = 0
        highestCost = 0
        accumulators.removeAll(keepingCapacity: true)
        links.removeAll(keepingCapacity: true)
        visited.removeAll(keepingCapacity: true)
        deadLetters.removeAll(keepingCapacity: true)
        refused.removeAll(keepingCapacity: true)
        devices.removeAll()
        keyedDevices.removeAll(keepingCapacity: true)
        numbers.removeAll()
        pairs.removeAll()
        for index in costs.indices { costs[index] = 0 }
    }

    /// Counts one entry as seen; `isOwn` when the source's own shard does not hold it yet.
    func noteRead(_ id: StreamID, isOwn: Bool) {
        if entries == 0 { first = id }
        entries += 1
        if isOwn { read += 1 }
    }

    func refuse(_ letter: DeadLetter, shard: Int) {
        refused[letter.reason, default: 0] += 1
        deadLetters.append(letter)
        charge(shard, BatchLimits.deadLetterCost)
    }

    /// The number of a device in this batch.
    ///
    /// - Parameter hasher: gives what is stored in place of the id; nil stores it as it is.
    @inline(__always)
    func number(ofDevice id: UnsafeRawBufferPointer, _ hasher: DeviceHasher?) -> Int32 {
        guard let hasher else { return devices.intern(id) }
        if let known = devices.find(id) { return known }
        let number = Int32(truncatingIfNeeded: devices.count)
        devices.insert(id, number)
        hasher.append(id, to: &keyedDevices)
        return number
    }

    /// Lends what is stored of the `number`th device.
    func withDevice(_ number: Int32, _ body: (UnsafeRawBufferPointer) -> Void) {
        if keyedDevices.isEmpty { return devices.withKey(number, body) }
        let start = Int(number) * DeviceHasher.length
        keyedDevices.withUnsafeBytes {
            body(UnsafeRawBufferPointer(rebasing: $0[start..<start + DeviceHasher.length]))
        }
    }

    /// Adds a view of one record.
    ///
    /// - Parameter device: number of the device in `devices`, or −1.
    @inline(__always)
    func add(
        record: Int32, shard: Int32, window: Int64, windowNumber: UInt64, device: Int32,
        isLate: Bool
    ) {
        let (number, isNew) = numbers.find(
            UInt64(record) << 36 | windowNumber,
            orInsert: Int32(truncatingIfNeeded: accumulators.count))
        if isNew {
            accumulators.append(Accumulator(record: record, window: window))
            charge(Int(shard), isLate ? BatchLimits.lateRecordCost : BatchLimits.recordCost)
        }
        let index = Int(number)
        accumulators[index].views += 1
        if isLate { late += 1 }
        guard device >= 0 else { return }
        let pair = UInt64(UInt32(bitPattern: number)) << 32 | UInt64(UInt32(bitPattern: device))
        guard pairs.find(pair, orInsert: 0).isNew else { return }
        links.append(DeviceLink(device: device, next: accumulators[index].firstDevice))
        accumulators[index].firstDevice = Int32(truncatingIfNeeded: links.count - 1)
        accumulators[index].devices += 1
        charge(Int(shard), BatchLimits.deviceCost)
    }

    func forgetVisited() {
        visited.removeAll(keepingCapacity: true)
    }

    /// Notes the first visit of a record in this batch, and what its document will cost.
    @inline(__always)
    func noteVisited(_ number: Int32, _ record: RecordBook.Record, _ book: RecordBook) {
        visited.append(number)
        charge(
            Int(record.shard), record.isKnown ? BatchLimits.visitCost : BatchLimits.documentCost)
        if record.section >= 0 {
            charge(Int(book.records[Int(record.section)].shard), BatchLimits.childCost)
        }
        if record.website >= 0 {
            charge(Int(book.records[Int(record.website)].shard), BatchLimits.childCost)
        }
    }

    /// How many entries more can be read before a shard would be kept busy for too long, judged by
    /// those so far.
    func room(costPerEntry known: Int) -> Int {
        let each = max(1, entries > 0 ? highestCost / entries : known)
        return (BatchLimits.busiestShardCost - highestCost) / each
    }

    /// Time to send: a shard would be kept busy for too long, or memory would grow.
    var isFull: Bool {
        highestCost >= BatchLimits.busiestShardCost || entries >= BatchLimits.maximumEntries
            || devices.arenaBytes >= BatchLimits.maximumDeviceBytes
    }

    @inline(__always)
    private func charge(_ shard: Int, _ cost: Int) {
        costs[shard] += cost
        if costs[shard] > highestCost { highestCost = costs[shard] }
    }
}

/// Bounds of a batch, in units of 10 ns of Redis' time where they are costs.
enum BatchLimits {
    /// One apply keeps a Redis master busy for about this long: 3 ms by these costs, which is 10 ms
    /// at most where each is dearer than it was measured.
    static let busiestShardCost = 300_000
    /// ZINCRBY, the key names and a PFADD of a sparse HyperLogLog: measured 6–9 µs.
    static let recordCost = 800
    /// The same in five windows, with series of four: measured 60–90 µs.
    static let lateRecordCost = 8_000
    /// One more element of a PFADD, unpacked and hashed.
    static let deviceCost = 40
    /// A ZADD of a visit that waits for its document.
    static let visitCost = 200
    /// A ZADD into a parent's list of its newest.
    static let childCost = 200
    /// JSON.SET of a new document under its search index: measured 60–170 µs.
    static let documentCost = 10_000
    /// What an entry is taken to cost before one was seen: a new page in a deployment of one shard.
    static let costliestEntry = 15_000
    /// An XADD with some fields.
    static let deadLetterCost = 1_500
    /// The read-ahead of one batch stays some megabytes.
    static let maximumEntries = 65_536
    static let maximumDeviceBytes = 16 << 20
    /// Lists of a website or section: only the newest this many can matter to it.
    static let maximumChildren = 200
}
