import CoordinatorCore
import EventLoop
import Hashing
import RedisClient
import TrafficGenerator

/// Traffic in a stream, and what each event means, resolved beforehand for the raw commands.
@LoopActor final class Workload {
    struct Event {
        let records: [(dimension: Dimension, id: RecordID)]
        let device: [UInt8]
        let time: Int64
    }

    static let source = RedisKeys.defaultSource
    /// First sights have a source of their own: a live stream that was read ends at the clock.
    static let firstSource = "ST:BENCH::::"

    let generator: TrafficGenerator
    private(set) var lastID = StreamID.zero
    private(set) var count = 0

    init(_ generator: TrafficGenerator) {
        self.generator = generator
    }

    /// Writes one event for each different URL into the first source.
    ///
    /// - Returns: how many.
    func loadFirstSights(into bench: BenchCluster) async throws(BenchError) -> Int {
        var seen: Set<[UInt8]> = []
        let firsts = generator.filter { seen.insert($0.url).inserted }
        try await load(
            firsts, Self.firstSource, at: generator.options.startMilliseconds - 1, into: bench)
        return firsts.count
    }

    /// Writes one view of every page there is, however rarely it is read, into the first source:
    /// spread over the whole span, in an order that has nothing to do with sites and sections.
    func loadEveryPage(into bench: BenchCluster) async throws(BenchError) -> Int {
        let slot = HashSlot(key: Self.firstSource)
        let options = generator.options
        var random = SplitMix64(seed: options.seed)
        let pages = (0..<options.pages).shuffled(using: &random)
        try await bench.pipeline(pages.count) { place in
            let time =
                options.startMilliseconds
                + options.spanMilliseconds * Int64(place) / Int64(pages.count)
            self.lastID = StreamID(milliseconds: UInt64(time), sequence: UInt64(place))
            let address = self.generator.pageAddress(pages[place])
            return (
                RedisCommand(
                    "XADD", .init(Self.firstSource), .init(self.lastID.description), "url",
                    .init(address), "uui", .init("\(place % 999)")),
                slot
            )
        }
        return pages.count
    }

    /// Writes all events into a source's stream, ids after their arrival.
    func load(
        into bench: BenchCluster, source: String = Workload.source
    ) async throws(BenchError) {
        count = generator.reduce(into: 0) { count, _ in count += 1 }
        try await load(generator, source, at: nil, into: bench)
    }

    private func load(
        _ events: some Sequence<TrafficEvent>, _ source: String, at fixed: Int64?,
        into bench: BenchCluster
    ) async throws(BenchError) {
        var iterator = events.makeIterator()
        let slot = HashSlot(key: source)
        let total = events.reduce(into: 0) { count, _ in count += 1 }
        try await bench.pipeline(total) { index in
            guard let event = iterator.next() else {
                preconditionFailure("the traffic changed its length")
            }
            let id = StreamID(milliseconds: UInt64(fixed ?? event.arrival), sequence: UInt64(index))
            self.lastID = id
            return (Self.command(event, source, id, isTimed: fixed == nil), slot)
        }
    }

    private static func command(
        _ event: TrafficEvent, _ source: String, _ id: StreamID, isTimed: Bool
    ) -> RedisCommand {
        var writer = RedisCommandWriter(reserving: 200)
        writer.append("XADD")
        writer.append(source)
        writer.append(id.description)
        writer.append("url")
        writer.append(event.url)
        if let device = event.device {
            writer.append("uui")
            writer.append(device)
        }
        if let play = event.play {
            writer.append("kind")
            writer.append(play.kind)
            writer.append("id")
            writer.append(play.id ?? [])
        }
        if isTimed, let time = event.time {
            writer.append("dt")
            writer.append(time)
        }
        return writer.finish()
    }

    /// The first events that count, resolved.
    func resolved(_ count: Int) -> [Event] {
        let hasher = SHA1Hasher()
        let resolver = PageResolver(sites: .empty, hasher: hasher)
        let rules = EventRules(resolver: resolver, longestKeepMilliseconds: .max)
        var events: [Event] = []
        for event in generator {
            guard events.count < count else { break }
            // The raw commands count page views alone.
            guard event.play == nil else { continue }
            do throws(RefusalError) {
                let arrival = StreamID(milliseconds: UInt64(event.arrival), sequence: 0)
                let page = try Self.lend(event.url) { url throws(RefusalError) in
                    try resolver.resolve(url)
                }
                let time = try Self.lend(event.time ?? []) { dt throws(RefusalError) in
                    try rules.time(of: dt, arrival: arrival)
                }
                events.append(
                    Event(
                        records: [
                            (.website, page.websiteID), (.section, page.sectionID),
                            (.page, page.pageID),
                        ], device: event.device ?? [], time: time))
            } catch {
                continue
            }
        }
        return events
    }

    /// Lends bytes with a typed error, which the standard library's own does not keep.
    private static func lend<Value>(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(RefusalError) -> Value
    ) throws(RefusalError) -> Value {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        return try body(UnsafeRawBufferPointer(copy))
    }
}
