import CoordinatorCore

/// One entry of the source: which shards it touches, and with which of their records.
struct SourceEntry {
    /// Milliseconds and a sequence number, as one number.
    let id: Int64
    /// A device that is never seen again, so that a union tells every event.
    let number: UInt8
    /// Its base window.
    let window: UInt8
    /// The shards, one bit each.
    let shards: UInt8
    let record: UInt8

    func touches(_ shard: Int) -> Bool { shards >> UInt8(shard) & 1 == 1 }

    static func id(milliseconds: Int64, sequence: Int64 = 0) -> Int64 {
        milliseconds << 10 | sequence
    }

    static func milliseconds(of id: Int64) -> Int64 { id >> 10 }
}

/// What a shard counts of one window: pageviews add, devices unite, for each of two records.
struct Cell: Equatable {
    var views = SIMD2<UInt8>.zero
    var devices = SIMD2<UInt64>.zero
    /// How often the window was closed. More than once is what must never be.
    var closes: UInt8 = 0
    var isPresent = false

    mutating func count(_ entry: SourceEntry) {
        views[Int(entry.record)] &+= 1
        devices[Int(entry.record)] |= 1 << UInt64(entry.number)
        isPresent = true
    }
}

/// The ladder of the simulation: base windows, 4 of them, 8 of them.
enum SimulatedLadder {
    static let baseCount = 64
    /// How many base windows one of a tier has.
    static let spans: [Int64] = [1, 4, 8]
    private static let offsets = [0, 64, 80]
    static let cellCount = 88

    /// Where a window lies; nil beyond what any event reaches.
    static func place(_ tier: Int, _ start: Int64) -> Int? {
        guard start >= 0, start < Int64(baseCount) else { return nil }
        return offsets[tier] + Int(start / spans[tier])
    }

    static func floor(_ base: Int64, _ tier: Int) -> Int64 { base - base % spans[tier] }
}

/// A shard's own slot: figures and progress, and what the scripts do with them.
struct ShardSlot {
    /// The answer of a step of rotation.
    enum Rotation {
        case fenced(FencingToken?)
        case idle, open, done
    }

    enum Application {
        case applied
        case elsewhere(Int64)
        case unclaimed
    }

    private(set) var exists = false
    private(set) var token: FencingToken?
    var watermark: Int64 = 0
    /// By tier above the base: the end of the last window, in base windows.
    private(set) var sealed = SIMD2<Int64>.zero
    private(set) var done = SIMD2<Int64>.zero
    /// 0: none.
    private(set) var openTier = 0
    private var openStart: Int64 = 0
    /// Records of the open window that are still to merge.
    private var waiting: UInt8 = 0
    private(set) var cells: [Cell] = []
    /// The checker's: every event that was counted here.
    private(set) var counted: UInt64 = 0
    private(set) var countedTwice = false
    private(set) var closedTwice = false

    // MARK: claim.lua

    /// Returns the greater token that is held, nil when the claim holds.
    mutating func claim(_ shown: FencingToken, checksToken: Bool) -> FencingToken? {
        if checksToken, let token, token > shown { return token }
        token = shown
        if !exists {
            exists = true
            cells = [Cell](repeating: Cell(), count: SimulatedLadder.cellCount)
        }
        return nil
    }

    // MARK: apply.lua

    /// - Parameter half: without the guard, in a slot that moves: every second event meets a key
    ///   that is elsewhere.
    mutating func apply(
        expected: Int64, new: Int64, _ entries: [SourceEntry], checksWatermark: Bool, half: Bool
    ) -> Application {
        guard exists else { return .unclaimed }
        guard !checksWatermark || watermark == expected else { return .elsewhere(watermark) }
        for (index, entry) in entries.enumerated() where !half || index % 2 == 0 { land(entry) }
        watermark = new
        return .applied
    }

    private mutating func land(_ entry: SourceEntry) {
        let bit: UInt64 = 1 << UInt64(entry.number)
        if counted & bit != 0 { countedTwice = true }
        counted |= bit
        let base = Int64(entry.window)
        var tier = 0
        while true {
            let start = SimulatedLadder.floor(base, tier)
            if let place = SimulatedLadder.place(tier, start) { cells[place].count(entry) }
            guard tier < 2 else { break }
            // A late event asks for its record again in a window that is being merged from here.
            if openTier == tier + 1, openStart == SimulatedLadder.floor(base, tier + 1),
                base < sealed[tier]
            {
                waiting |= 1 << entry.record
            }
            guard base < sealed[tier] else { break }
            tier += 1
        }
    }

    // MARK: rotate.lua

    /// - Parameter horizon: until when the clock has gone and the source was read, in base windows.
    mutating func rotate(
        _ shown: FencingToken, horizon: Int64, effort: Int, checksToken: Bool, half: Bool
    ) -> Rotation {
        guard !checksToken || token == shown else { return .fenced(token) }
        guard exists else { return .fenced(nil) }
        if openTier == 0, !sealNext(horizon) { return .idle }
        var left = effort
        for record in 0..<2 where waiting >> UInt8(record) & 1 == 1 {
            guard left > 0 else { return .open }
            left -= 1
            waiting &= ~(1 << UInt8(record))
            if !half { merge(record) }
        }
        guard left > 0 else { return .open }
        close()
        return .done
    }

    /// Seals the first window that is due; passes over stretches without an event.
    private mutating func sealNext(_ horizon: Int64) -> Bool {
        for tier in 1...2 {
            let span = SimulatedLadder.spans[tier]
            let reach = tier == 1 ? horizon : min(horizon, done[tier - 2])
            let limit = reach < 0 ? 0 : SimulatedLadder.floor(reach, tier)
            guard limit > sealed[tier - 1] else { continue }
            let child = firstPresent(below: tier, from: sealed[tier - 1])
            let window = child.map { SimulatedLadder.floor($0, tier) } ?? limit
            let pass = min(window, limit)
            if pass > sealed[tier - 1] {
                sealed[tier - 1] = pass
                done[tier - 1] = pass
            }
            guard window < limit else { continue }
            openTier = tier
            openStart = window
            sealed[tier - 1] = window + span
            collect()
            if let place = SimulatedLadder.place(tier, window) { cells[place].isPresent = true }
            return true
        }
        return false
    }

    private func firstPresent(below tier: Int, from start: Int64) -> Int64? {
        let span = SimulatedLadder.spans[tier - 1]
        var window = start
        while let place = SimulatedLadder.place(tier - 1, window) {
            if cells[place].isPresent { return window }
            window += span
        }
        return nil
    }

    private func children() -> some Sequence<Int> {
        let tier = openTier - 1
        return stride(
            from: openStart, to: openStart + SimulatedLadder.spans[openTier],
            by: Int64.Stride(SimulatedLadder.spans[tier])
        ).lazy.compactMap { SimulatedLadder.place(tier, $0) }
    }

    private mutating func collect() {
        waiting = 0
        for child in children() {
            for record in 0..<2 where cells[child].views[record] > 0 {
                waiting |= 1 << UInt8(record)
            }
        }
    }

    /// Sets the pageviews to the children's sum, and adds the children's devices.
    private mutating func merge(_ record: Int) {
        guard let place = SimulatedLadder.place(openTier, openStart) else { return }
        var views: UInt8 = 0
        var devices: UInt64 = 0
        for child in children() {
            views &+= cells[child].views[record]
            devices |= cells[child].devices[record]
        }
        cells[place].views[record] = views
        cells[place].devices[record] |= devices
    }

    private mutating func close() {
        if let place = SimulatedLadder.place(openTier, openStart) {
            cells[place].closes += 1
            if cells[place].closes > 1 { closedTwice = true }
        }
        done[openTier - 1] = openStart + SimulatedLadder.spans[openTier]
        openTier = 0
        waiting = 0
    }
}

/// The source's slot: a stream.
struct SourceSlot {
    private(set) var entries: [SourceEntry] = []
    private(set) var last: Int64 = 0

    /// XADD with an id of the server's making.
    mutating func append(
        number: UInt8, window: UInt8, shards: UInt8, record: UInt8, _ time: ServerTime
    ) {
        let id = max(SourceEntry.id(milliseconds: time.milliseconds), last + 1)
        last = id
        entries.append(
            SourceEntry(id: id, number: number, window: window, shards: shards, record: record))
    }

    /// read.lua: everything behind a position, and how far "nothing more" reaches.
    mutating func read(
        after position: Int64, movesLast: Bool, _ time: ServerTime
    ) -> (entries: [SourceEntry], position: Int64) {
        let found = entries.filter { $0.id > position }
        let before = SourceEntry.id(milliseconds: time.milliseconds - 1)
        if movesLast { last = max(last, before) }
        return (found, max(position, last, movesLast ? 0 : before))
    }
}
