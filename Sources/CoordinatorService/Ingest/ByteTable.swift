import Glibc

/// Maps byte strings to small numbers: open addressing over one arena, 20 ns a hit, no `String`.
///
/// A `Dictionary` of `String` takes ten times as long here, once an event for the URL and once for
/// the device, and judges equality on characters where Redis judges bytes.
struct ByteTable {
    private struct Entry {
        var hash: UInt64
        var offset: Int
        var length: Int
        var value: Int32
    }

    private var entries: [Entry] = []
    private var slots: [Int32]
    private var arena: [UInt8] = []

    init(capacity: Int = 1_024) {
        slots = [Int32](repeating: -1, count: capacity)
    }

    /// How many different byte strings there are.
    var count: Int { entries.count }

    /// Bytes that the keys take; bounds are judged on it.
    var arenaBytes: Int { arena.count }

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        arena.removeAll(keepingCapacity: true)
        slots.withUnsafeMutableBufferPointer { $0.update(repeating: -1) }
    }

    /// The value stored for `key`, or nil.
    func find(_ key: UnsafeRawBufferPointer) -> Int32? {
        let hash = Self.hash(key)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while true {
            let index = slots[slot]
            if index < 0 { return nil }
            if matches(Int(index), hash, key) { return entries[Int(index)].value }
            slot = (slot + 1) & (slots.count - 1)
        }
    }

    /// Adds a key that `find` did not find.
    mutating func insert(_ key: UnsafeRawBufferPointer, _ value: Int32) {
        if entries.count * 2 >= slots.count { grow() }
        let hash = Self.hash(key)
        entries.append(Entry(hash: hash, offset: arena.count, length: key.count, value: value))
        arena.append(contentsOf: key)
        place(Int32(entries.count - 1), hash)
    }

    /// The number of `key` in order of first sight, added when it is new.
    mutating func intern(_ key: UnsafeRawBufferPointer) -> Int32 {
        if let known = find(key) { return known }
        let number = Int32(entries.count)
        insert(key, number)
        return number
    }

    /// Lends the bytes of the `number`th key.
    func withKey<Value>(_ number: Int32, _ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        let entry = entries[Int(number)]
        return arena.withUnsafeBytes {
            body(UnsafeRawBufferPointer(rebasing: $0[entry.offset..<entry.offset + entry.length]))
        }
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for index in entries.indices { place(Int32(index), entries[index].hash) }
    }

    private mutating func place(_ index: Int32, _ hash: UInt64) {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = index
    }

    private func matches(_ index: Int, _ hash: UInt64, _ key: UnsafeRawBufferPointer) -> Bool {
        let entry = entries[index]
        guard entry.hash == hash, entry.length == key.count else { return false }
        guard entry.length > 0 else { return true }
        return arena.withUnsafeBytes { arena in
            guard let stored = arena.baseAddress, let given = key.baseAddress else { return false }
            return memcmp(stored + entry.offset, given, entry.length) == 0
        }
    }

    /// Eight bytes at a time, seeded per process, so that nobody can choose keys that collide.
    static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed ^ UInt64(key.count)
        var offset = 0
        while offset + 8 <= key.count {
            hash = mix(hash ^ key.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < key.count {
            rest = rest << 8 | UInt64(key[offset])
            offset += 1
        }
        return mix(hash ^ rest)
    }

    private static let seed = UInt64.random(in: .min ... .max)

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let wide = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return wide.high ^ wide.low
    }
}

/// Maps 64-bit keys to small numbers; emptied for each batch without touching its memory.
struct NumberTable {
    private var keys: [UInt64]
    private var values: [Int32]
    private var stamps: [UInt32]
    private var stamp: UInt32 = 1
    private var count = 0

    init(capacity: Int = 4_096) {
        keys = [UInt64](repeating: 0, count: capacity)
        values = [Int32](repeating: 0, count: capacity)
        stamps = [UInt32](repeating: 0, count: capacity)
    }

    mutating func removeAll() {
        count = 0
        if stamp == .max {
            for index in stamps.indices { stamps[index] = 0 }
            stamp = 0
        }
        stamp += 1
    }

    /// The value at `key`; when there is none, stores `fallback` and says so.
    mutating func find(_ key: UInt64, orInsert fallback: Int32) -> (value: Int32, isNew: Bool) {
        if count * 2 >= keys.count { grow() }
        var slot = Self.slot(key, keys.count)
        while stamps[slot] == stamp {
            if keys[slot] == key { return (values[slot], false) }
            slot = (slot + 1) & (keys.count - 1)
        }
        keys[slot] = key
        values[slot] = fallback
        stamps[slot] = stamp
        count += 1
        return (fallback, true)
    }

    private mutating func grow() {
        var larger = NumberTable(capacity: keys.count * 2)
        for slot in keys.indices where stamps[slot] == stamp {
            _ = larger.find(keys[slot], orInsert: values[slot])
        }
        self = larger
    }

    @inline(__always)
    private static func slot(_ key: UInt64, _ capacity: Int) -> Int {
        let wide = key.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return Int(truncatingIfNeeded: wide.high ^ wide.low) & (capacity - 1)
    }
}
