import CoordinatorCore
import EventLoop
import Testing

@testable import CoordinatorService
@testable import RedisClient

extension ServerSuites {
    /// The scripts of one shard against a real server: whatever the order of reading, late events,
    /// rotation in small steps and changes of the owner, the figures are those of a plain count.
    @Suite("Scripts of one shard", .serialized)
    struct ScriptTests {
        /// Half a minute's work in a debug build; more by hand. Each takes a shard of its own.
        private static let interleavings = min(
            1_024, Package.number("COORDINATOR_TEST_INTERLEAVINGS") ?? 120)

        @Test(
            "rotating and folding in any order give the same counts and registers",
            arguments: [UInt64.random(in: 1...1_000_000)])
        @LoopActor func interleaved(seed: UInt64) async throws {
            print("scripts: interleavings from seed \(seed) on")
            let stage = try await Stage.fresh()
            let cluster = RedisCluster(try stage.cluster.configuration())
            try await cluster.start()
            let settings = DeploymentSettings(
                shards: 1_024, tiers: "1s,2s/1h,6s/2h,12s/6h", graceMilliseconds: 1_000,
                start: .oldest)
            _ = try await Deployment.initialise(cluster, settings, sources: [])
            let deployment = try await Deployment(cluster)
            var steps = 0
            for number in 0..<Self.interleavings {
                let client = ShardClient(deployment, ShardID(rawValue: number))
                var run = try await ScriptRun(client, seed: seed + UInt64(number))
                try await run.steps()
                try await run.finish()
                steps += run.count
                let difference = try await run.twin.difference(client)
                try #require(
                    difference == nil, "seed \(seed + UInt64(number)): \(difference ?? "")")
                let state = try await client.state()
                #expect(state.open == nil && state.faults == 0, "seed \(seed + UInt64(number))")
                #expect(state.counted.values.reduce(0, +) == run.counted)
            }
            print("scripts: \(Self.interleavings) interleavings, \(steps) calls")
            await cluster.close()
        }

        @Test("a long stream is trimmed whole, in steps; where it was cut is never ahead of that")
        @LoopActor func trimmed() async throws {
            let stage = try await Stage.fresh()
            let key = RedisKeys.defaultSource
            let wire = try stage.cluster.wire(of: key)
            let fill = "for i = 1, 35000 do redis.call('XADD', KEYS[1], i .. '-0', 'a', 'b') end"
            try wire.call("EVAL", fill, "1", key)
            let cluster = RedisCluster(try stage.cluster.configuration())
            try await cluster.start()
            func cut() throws -> Int64 {
                let note = try wire.call("HGET", SourceStream.stateKey(of: key), "trimmed").text
                return note.flatMap { StreamID($0) }.map { Int64($0.milliseconds) } ?? 0
            }
            // One call alone, as a node that dies after it leaves it.
            let first =
                try await cluster.run(
                    ScriptLibrary.trim, keys: [key, SourceStream.stateKey(of: key)],
                    arguments: ["30001-0", "0"], slot: HashSlot(key: key)
                ).int ?? 0
            #expect((1...10_000).contains(first), "Redis is kept busy for a short while only")
            #expect(try cut() == first + 1)
            let stream = SourceStream(cluster, SourceRecord(heldImport: key, until: 0))
            let bound = StreamID(milliseconds: 30_001, sequence: 0)
            _ = try await stream.trim(before: bound, exactly: false)
            let left = try wire.call("XLEN", key).int ?? 0
            #expect((5_000..<5_100).contains(left), "a part of one node at most may stay: \(left)")
            #expect(try cut() <= 30_001)
            _ = try await stream.trim(before: bound, exactly: true)
            #expect(try wire.call("XLEN", key).int == 5_000)
            #expect(try cut() == 30_001)
            await cluster.close()
        }

        @Test("how much is left to read is known without reading it")
        @LoopActor func backlog() async throws {
            let stage = try await Stage.fresh()
            let key = RedisKeys.defaultSource
            let wire = try stage.cluster.wire(of: key)
            let fill = """
                for i = ARGV[1], ARGV[2] do redis.call('XADD', KEYS[1], i .. '-0', 'a', 'b') end
                """
            func add(_ first: Int, _ last: Int) throws {
                try wire.call("EVAL", fill, "1", key, "\(first)", "\(last)")
            }
            func id(_ number: Int) -> StreamID {
                StreamID(milliseconds: UInt64(number), sequence: 0)
            }
            let cluster = RedisCluster(try stage.cluster.configuration())
            try await cluster.start()
            let stream = SourceStream(cluster, SourceRecord(heldImport: key, until: 0))
            func read(_ first: Int, _ last: Int, more: Int = 0) async throws {
                _ = try await stream.confirm(
                    after: id(last), count: more, step: (id(first), last - first)
                ) { _, _ in }
            }
            func left(after number: Int) async throws -> Int64 {
                try await stream.count(after: id(number))
            }
            try add(1, 150_000)
            #expect(try await left(after: 149_999) == 1)
            try await read(0, 1_000)
            #expect(try await left(after: 1_000) == 100_000, "so many at least: nobody knows")
            // Nothing more is there: from here on it is known.
            try await read(149_000, 150_000, more: 10)
            #expect(try await left(after: 150_000) == 0)
            #expect(try await left(after: 149_000) == 1_000, "a shard is behind")
            try add(150_001, 350_000)
            try await read(150_000, 160_000)
            let reads = try wire.calls(of: "xrange")
            #expect(try await left(after: 160_000) == 190_000)
            #expect(try await left(after: 159_000) == 191_000)
            #expect(try await left(after: 161_000) == 189_000)
            #expect(try wire.calls(of: "xrange") - reads <= 4, "the backlog itself is not read")
            // A node that takes over begins a little before, or behind.
            try await read(159_500, 160_500)
            #expect(try await left(after: 160_500) == 189_500)
            try await read(161_000, 162_000)
            #expect(try await left(after: 162_000) == 188_000)
            // Further away nobody reads through what lies between.
            try await read(190_000, 191_000)
            #expect(try await left(after: 191_000) == 100_000)
            try await read(349_500, 350_000, more: 10)
            #expect(try await left(after: 300_000) == 50_000)
            // Another stream under the same name has numbers of its own.
            try wire.call("DEL", key)
            try add(1, 10)
            #expect(try await left(after: 0) == 10)
            await cluster.close()
        }

        @Test("a source that is opened again is not taken for finished by who read it before")
        @LoopActor func openedAgain() async throws {
            let stage = try await Stage.fresh()
            let cluster = RedisCluster(try stage.cluster.configuration())
            try await cluster.start()
            let registry = SourceRegistry(cluster)
            var finished = SourceRecord(heldImport: "ST:REPLAY::{x}::", until: 1_000)
            finished.isFinished = true
            finished.lastID = "5-0"
            var settled = finished
            settled.confirmedAt = 2_000
            settled.isSettled = true
            try await registry.put(finished)
            // A second replay begins, after the node read the list and before it writes.
            let again = SourceRecord(heldImport: finished.key, until: 1_500)
            try await registry.put(again)
            #expect(try await !registry.settle(finished, as: settled))
            #expect(try await registry.all() == [again])
            var done = again
            done.isFinished = true
            done.lastID = "9-0"
            try await registry.put(done)
            #expect(try await !registry.settle(finished, as: settled))
            settled.markedAt = done.markedAt
            settled.lastID = done.lastID
            #expect(try await registry.settle(done, as: settled))
            #expect(try await registry.all() == [settled])
            // One that was taken off the list does not come back.
            _ = try await registry.forget(done.key)
            #expect(try await !registry.settle(settled, as: settled))
            #expect(try await registry.all().isEmpty)
            await cluster.close()
        }
    }
}

/// One random way of a shard through reading, rotation and changes of the owner.
@LoopActor struct ScriptRun {
    private static let start: Int64 = 1_721_856_300_000
    private static let length: Int64 = 36_000
    private static let source = "ST:TRACKER::::"

    let client: ShardClient
    private(set) var twin: ShardTwin
    private(set) var counted: Int64 = 0
    private(set) var count = 0
    private var random: SplitMix64
    private var watermark: StreamID?
    private var position = start
    private var tokens: [FencingToken] = []
    private let floor: Int64
    private let seed: UInt64
    /// How many records there are of a page, section and website, and of an item.
    private let many: [Dimension: Int]
    /// The most views of one batch.
    private let viewsAtOnce: Int
    /// What else may happen to the shard, between two calls.
    private let accident: (@LoopActor (ShardClient) async throws -> Void)?

    init(
        _ client: ShardClient, seed: UInt64,
        many: [Dimension: Int] = [.website: 2, .section: 4, .page: 12, .audio: 3],
        viewsAtOnce: Int = 25,
        accident: (@LoopActor (ShardClient) async throws -> Void)? = nil
    ) async throws {
        self.client = client
        self.seed = seed
        self.many = many
        self.viewsAtOnce = viewsAtOnce
        self.accident = accident
        twin = ShardTwin(ladder: client.deployment.ladder)
        random = SplitMix64(seed: seed)
        floor = try await client.deployment.serverTime()
        try await claim()
        // Some shards are far ahead before the first event: then everything folds.
        if one(in: 4) {
            try await apply([], to: Self.start + 10 * Self.length)
            try await rotateToEnd()
        }
    }

    private mutating func one(in chances: Int) -> Bool {
        Int.random(in: 0..<chances, using: &random) == 0
    }

    mutating func steps() async throws {
        for _ in 0..<Int.random(in: 5...30, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let views = (0..<Int.random(in: 0...viewsAtOnce, using: &random)).flatMap { _ in
                    view()
                }
                try await apply(views, to: position + Int64.random(in: 0...4_000, using: &random))
            case 5: try await applyElsewhere()
            case 6: try await claim()
            case 7 where accident != nil: try await accident?(client)
            default:
                for _ in 0..<Int.random(in: 1...6, using: &random) { try await rotate() }
            }
        }
    }

    mutating func finish() async throws {
        try await apply([], to: max(position, Self.start + 2 * Self.length))
        try await rotateToEnd()
    }

    /// A view counts for a page, its section and its website: here for any three. Some are plays.
    private mutating func view() -> [TwinView] {
        let late = one(in: 3)
        let newest = min(position, Self.start + Self.length - 1)
        let time =
            late
            ? Int64.random(in: Self.start...newest, using: &random)
            : min(
                newest + Int64.random(in: 0...2_000, using: &random), Self.start + Self.length - 1)
        let device = one(in: 5) ? nil : Int.random(in: 0..<40, using: &random)
        let played = Dimension.played.randomElement(using: &random) ?? .audio
        return (one(in: 4) ? [played] : Dimension.viewed).map { dimension in
            // Some are visited far more than the rest.
            let most = many[dimension.isPlayed ? .audio : dimension] ?? 1
            let reach = one(in: 2) ? most : max(1, most / 8)
            let number = Int.random(in: 0..<reach, using: &random)
            // The same ids in all dimensions.
            let id = RecordID((UInt64(number), 0, 0))
            return TwinView(dimension: dimension, id: id, time: time, device: device)
        }
    }

    private mutating func apply(_ views: [TwinView], to time: Int64) async throws {
        count += 1
        let next = StreamID(
            milliseconds: UInt64(time), sequence: (watermark?.sequence ?? 0) + 1)
        let reply = try await client.apply(
            Self.source, expected: watermark, through: next, floor: floor, packed: packed(views))
        guard case .applied(let faults, _) = reply, faults == 0 || accident != nil else {
            throw Trouble("seed \(seed): apply gave \(reply)")
        }
        for view in views { twin.add(view) }
        counted += Int64(views.count { $0.dimension.isTallied })
        watermark = next
        position = time
    }

    /// A batch that another reader was faster with changes nothing.
    private mutating func applyElsewhere() async throws {
        count += 1
        let wrong = StreamID(milliseconds: 7, sequence: 7)
        let reply = try await client.apply(
            Self.source, expected: wrong, through: StreamID(milliseconds: 8, sequence: 0),
            floor: floor, packed: packed(view()))
        guard case .elsewhere(let stored) = reply, stored == watermark else {
            throw Trouble("seed \(seed): apply elsewhere gave \(reply)")
        }
    }

    /// A greater token takes the shard; the one before is FENCED, a smaller one REFUSED.
    private mutating func claim() async throws {
        count += 1
        let before = tokens.last?.microseconds ?? 1_000
        let after = before + UInt64.random(in: 1...5, using: &random)
        let nonce = "00000000000000" + String(Int.random(in: 10...99, using: &random))
        guard let token = FencingToken(epoch: 1, microseconds: after, nonce: nonce) else {
            throw Trouble("no token")
        }
        guard case .held = try await client.claim(token, owner: "node-\(after)") else {
            throw Trouble("seed \(seed): a greater token was refused")
        }
        if let old = tokens.last {
            guard case .fenced(by: token) = try await call(old, effort: 9) else {
                throw Trouble("seed \(seed): the old owner was not fenced")
            }
            guard case .refused(by: token) = try await client.claim(old, owner: "old") else {
                throw Trouble("seed \(seed): a smaller token was not refused")
            }
        }
        tokens.append(token)
    }

    private func call(_ token: FencingToken, effort: Int) async throws -> ShardClient.Rotated {
        var sources = MessagePackWriter()
        sources.array(1)
        sources.text(Self.source)
        var paused = MessagePackWriter()
        paused.array(0)
        return try await client.rotate(
            token, waitsFor: sources.bytes, effort: effort, paused: paused.bytes)
    }

    /// - Returns: whether there was something to do.
    @discardableResult
    private mutating func rotate() async throws -> Bool {
        count += 1
        guard let token = tokens.last else { return false }
        switch try await call(token, effort: Int.random(in: 1...6, using: &random)) {
        case .done(let step), .open(let step):
            guard step.faults == 0 || accident != nil else {
                throw Trouble("seed \(seed): \(step.fault)")
            }
            return true
        case .idle: return false
        case .fenced(let other): throw Trouble("seed \(seed): fenced by \(other?.text ?? "nobody")")
        }
    }

    private mutating func rotateToEnd() async throws {
        // 36 windows of 1 s with 18 records: far more steps than there can be work.
        for _ in 0..<5_000 {
            if try await !rotate() { return }
        }
        throw Trouble("seed \(seed): the rotation does not end")
    }

    private func packed(_ views: [TwinView]) -> [RedisArgument] {
        var ledger = MessagePackWriter()
        ledger.array(2)
        ledger.integer(Int64(views.count { $0.dimension.isTallied }))
        ledger.integer(0)
        var none = MessagePackWriter()
        none.array(0)
        let empty = RedisArgument(none.bytes)
        return [.init(ledger.bytes), .init(deltas(views)), empty, empty, empty]
    }

    private func deltas(_ views: [TwinView]) -> [UInt8] {
        var groups: [Int64: [Dimension: [RecordID: (views: Int64, devices: Set<Int>)]]] = [:]
        for view in views {
            let start = client.deployment.ladder.base.start(of: view.time)
            var figure = groups[start, default: [:]][view.dimension, default: [:]][
                view.id, default: (0, [])]
            figure.views += 1
            if let device = view.device { figure.devices.insert(device) }
            groups[start, default: [:]][view.dimension, default: [:]][view.id] = figure
        }
        var writer = MessagePackWriter()
        writer.array(groups.values.reduce(0) { $0 + $1.count } * 3)
        for (start, dimensions) in groups.sorted(by: { $0.key < $1.key }) {
            for (dimension, records) in dimensions {
                writer.integer(start)
                writer.text(dimension.rawValue)
                writer.array(records.count * 3)
                for (id, figure) in records {
                    writer.record(id)
                    writer.integer(figure.views)
                    guard !figure.devices.isEmpty else {
                        writer.false()
                        continue
                    }
                    writer.array(figure.devices.count)
                    for device in figure.devices { writer.text("device-\(device)") }
                }
            }
        }
        return writer.bytes
    }
}
