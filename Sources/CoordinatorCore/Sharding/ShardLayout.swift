/// Which hash slots are one shard, and the tag that places all keys of a shard in one of its slots.
///
/// - Shape: shard k of S owns slots `[k·16384/S, (k+1)·16384/S)`; S is a power of two.
/// - Invariant: tags are a function of S alone: they are in keys, so another enumeration would lose
///   all data. `ShardLayoutTests` pins some of them.
/// - Source: design.md §3.
public struct ShardLayout: Hashable, Sendable {
    /// How many shards there are.
    public let count: Int

    private let tags: [String]

    /// Lays out `count` shards and finds all their tags.
    ///
    /// - Errors: `.shardCount` unless `count` is a power of two from 1 to 16384.
    public init(count: Int) throws(SettingsError) {
        guard (1...HashSlot.count).contains(count), count & (count - 1) == 0 else {
            throw .shardCount(count)
        }
        self.count = count
        tags = TagSearch.firstTags(count: count)
    }

    /// All shards, in order.
    public var shards: [ShardID] { (0..<count).map(ShardID.init(rawValue:)) }

    /// The shard that owns a slot.
    public func shard(of slot: HashSlot) -> ShardID {
        ShardID(rawValue: Int(slot.rawValue) / slotsPerShard)
    }

    /// The shard that holds a record.
    public func shard(of record: RecordID) -> ShardID {
        shard(of: HashSlot(record: record))
    }

    /// The slots that a shard owns.
    public func slots(of shard: ShardID) -> ClosedRange<Int> {
        let first = check(shard) * slotsPerShard
        return first...(first + slotsPerShard - 1)
    }

    /// The hash tag of all keys of a shard, without braces.
    public func tag(of shard: ShardID) -> String {
        tags[check(shard)]
    }

    /// A tag that hashes to exactly this slot: for keys that must live beside a key of somebody
    /// else's making, such as the state of a source beside its stream.
    public static func tag(inSlot slot: HashSlot) -> String {
        tagsOfAllSlots[Int(slot.rawValue)]
    }

    /// Two layouts are the same when they have as many shards: everything follows from that.
    public static func == (left: ShardLayout, right: ShardLayout) -> Bool {
        left.count == right.count
    }

    /// Feeds what `==` compares.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
    }

    private static let tagsOfAllSlots = TagSearch.firstTags(count: HashSlot.count)

    private var slotsPerShard: Int { HashSlot.count / count }

    private func check(_ shard: ShardID) -> Int {
        precondition(shard.rawValue < count, "shard \(shard) of a layout of \(count)")
        return shard.rawValue
    }
}

/// Finds, for each shard, the first text of a fixed enumeration whose slot lies in the shard.
///
/// - Shape: by length, then by the alphabet `0…9a…z`: "0", "1", … "z", "00", "01", …
private enum TagSearch {
    static let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)

    /// Four characters reach every one of the 16384 slots; a test shows it.
    static let maximumLength = 4

    static func firstTags(count: Int) -> [String] {
        var found = [String?](repeating: nil, count: count)
        var missing = count
        for length in 1...maximumLength {
            search(length: length, in: &found, missing: &missing)
        }
        precondition(missing == 0, "\(missing) of \(count) shards have no tag")
        return found.compactMap(\.self)
    }

    private static func search(length: Int, in found: inout [String?], missing: inout Int) {
        let slotsPerShard = HashSlot.count / found.count
        var digits = [Int](repeating: 0, count: length)
        repeat {
            guard missing > 0 else { return }
            let slot = HashSlot(checksum: CRC16.checksum(digits.lazy.map { alphabet[$0] }))
            let shard = Int(slot.rawValue) / slotsPerShard
            guard found[shard] == nil else { continue }
            found[shard] = String(decoding: digits.map { alphabet[$0] }, as: UTF8.self)
            missing -= 1
        } while advance(&digits)
    }

    /// Steps to the next text of this length; false after the last one.
    private static func advance(_ digits: inout [Int]) -> Bool {
        for place in digits.indices.reversed() {
            digits[place] += 1
            guard digits[place] == alphabet.count else { return true }
            digits[place] = 0
        }
        return false
    }
}
