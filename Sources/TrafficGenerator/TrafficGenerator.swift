import CoordinatorCore

/// A realistic stretch of a news publisher's page views, entry by entry in the order of arrival.
///
/// Articles follow a power law and fresh ones dominate, devices come back, the hours have their
/// curve, addresses their noise; late, duplicate and malformed entries are mixed in as asked.
///
/// - Invariant: equal options give equal bytes on any machine; arrivals never go back.
/// - Not guaranteed: the exact part of late, duplicate and malformed entries: each is drawn.
public struct TrafficGenerator: Sequence, IteratorProtocol, Sendable {
    /// The options that everything follows from.
    public let options: TrafficOptions

    private let catalogue: Catalogue
    private let deviceTable: AliasTable
    private let shares: Shares
    private var random: TrafficRandom
    private var curve: DayCurve
    private var malformed: MalformedEntries
    private var last: TrafficEvent?

    /// Cumulated chances of the kinds that one draw decides between.
    private struct Shares: Sendable {
        var malformed: UInt64
        var duplicate: UInt64
        var late: UInt64
        var untimed: Chance
        var play: Chance
    }

    /// Makes the tables; no entry yet.
    ///
    /// - Errors: `TrafficError` when an option is out of its range.
    public init(_ options: TrafficOptions) throws(TrafficError) {
        try options.validate()
        self.options = options
        catalogue = Catalogue(options)
        let law = PowerLaw(exponentHundredths: Int((options.deviceExponent * 100).rounded()))
        deviceTable = AliasTable(weights: (1...options.devices).map(law.weight))
        let malformedShare = Chance(options.malformedFraction).threshold
        let duplicateShare = Chance(options.duplicateFraction).threshold
        shares = Shares(
            malformed: malformedShare, duplicate: malformedShare + duplicateShare,
            late: malformedShare + duplicateShare + Chance(options.lateFraction).threshold,
            untimed: Chance(options.untimedFraction), play: Chance(options.playFraction))
        random = TrafficRandom(seed: options.seed)
        curve = DayCurve(
            start: options.startMilliseconds, span: options.spanMilliseconds,
            events: options.events)
        malformed = MalformedEntries(
            includesFuture: options.includesFuture, includesPlays: options.playFraction > 0)
    }

    /// The next entry, or nil after `options.events` of them.
    public mutating func next() -> TrafficEvent? {
        guard let arrival = curve.next(&random) else { return nil }
        let draw = random.next() >> 32
        if draw >= shares.malformed, draw < shares.duplicate, var again = last {
            again.arrival = arrival
            again.kind = .duplicate
            return again
        }
        let isLate = draw >= shares.duplicate && draw < shares.late
        var event = view(at: arrival, isLate: isLate)
        if draw < shares.malformed {
            malformed.spoil(&event, random: &random)
        } else {
            last = event
        }
        return event
    }

    /// A late view is at least a second and at most two hours older than its arrival.
    private static let lateRange = 1_000..<7_200_000
    /// A tracker's way to the stream.
    private static let usualDelay = 800

    private mutating func view(at arrival: Int64, isLate: Bool) -> TrafficEvent {
        let delay =
            isLate
            ? Self.lateRange.lowerBound + random.below(Self.lateRange.count)
            : random.below(Self.usualDelay)
        let time = arrival - Int64(delay)
        var url: [UInt8] = []
        url.reserveCapacity(128)  // longer than any address written here
        appendAddress(at: time, to: &url)
        return TrafficEvent(
            arrival: arrival, url: url, device: device(), play: play(), time: timeField(time),
            kind: isLate ? .late : .normal)
    }

    /// A part of the readers plays something, of which some is played far more than the rest.
    /// Nothing is drawn without plays: the same options give the same bytes as ever.
    private mutating func play() -> TrafficEvent.Play? {
        guard options.playFraction > 0, random.happens(shares.play) else { return nil }
        let kinds = Dimension.played.compactMap(\.kind)
        let kind = kinds[random.below(kinds.count)]
        let most = 1 << random.below(9)
        return .init(kind: Array(kind.utf8), id: Array("item-\(random.below(most))".utf8))
    }

    /// Of 100 views 8 are of a home page, 7 of a section's front, 85 of an article.
    private mutating func appendAddress(at time: Int64, to url: inout [UInt8]) {
        let place = random.below(100)
        if place < 8 {
            let host = catalogue.hosts[catalogue.siteTable.draw(&random)]
            AddressWriter.append(host: host, path: Self.home, random: &random, to: &url)
        } else if place >= 15, let page = article(at: time) {
            append(site: page.site, path: page.path, to: &url)
        } else {
            let section = catalogue.sections[catalogue.sectionTable.draw(&random)]
            append(site: section.site, path: section.path, to: &url)
        }
    }

    /// The plain address of a page by its place, the most read first.
    public func pageAddress(_ index: Int) -> [UInt8] {
        let page = catalogue.pages[index]
        let start = Int(page.path.offset)
        return Array("https://".utf8) + catalogue.hosts[Int(page.site)]
            + catalogue.text[start..<start + Int(page.path.length)]
    }

    private static let home: ArraySlice<UInt8> = [UInt8(ascii: "/")]
    /// An article older than this is passed over three times of four.
    private static let freshness: Int64 = 43_200_000
    /// Then the reader takes a section's front instead.
    private static let articleDraws = 6

    private mutating func article(at time: Int64) -> Catalogue.Page? {
        for _ in 0..<Self.articleDraws {
            let page = catalogue.pages[catalogue.pageTable.draw(&random)]
            guard page.published <= time else { continue }
            if time - page.published < Self.freshness || random.below(4) == 0 { return page }
        }
        return nil
    }

    private mutating func append(site: UInt16, path: Catalogue.Slice, to url: inout [UInt8]) {
        let start = Int(path.offset)
        AddressWriter.append(
            host: catalogue.hosts[Int(site)],
            path: catalogue.text[start..<start + Int(path.length)], random: &random, to: &url)
    }

    /// 32 hex digits, or in 3 of 100 views none, spelt in each of the ways there are.
    private mutating func device() -> [UInt8]? {
        switch random.below(100) {
        case 0: return nil
        case 1: return []
        case 2: return Array("null".utf8)
        default: break
        }
        let index = UInt64(deviceTable.draw(&random))
        let words = (
            TrafficRandom.mix(index &+ 0x6465_7669_6365), TrafficRandom.mix(~index &- options.seed)
        )
        return [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            for digit in 0..<16 {
                let shift = UInt64(60 - 4 * digit)
                buffer[digit] = Hexadecimal.lower(UInt8(truncatingIfNeeded: words.0 >> shift & 15))
                buffer[16 + digit] = Hexadecimal.lower(
                    UInt8(truncatingIfNeeded: words.1 >> shift & 15))
            }
            count = 32
        }
    }

    /// Milliseconds in digits; in 2 of 100 views ISO-8601 with one of several zones.
    private mutating func timeField(_ time: Int64) -> [UInt8]? {
        if random.happens(shares.untimed) { return nil }
        var out: [UInt8] = []
        let form = random.below(200)
        if form < 4 {
            CalendarTime.append(time, form: form, to: &out)
        } else {
            out.reserveCapacity(16)
            out.appendDecimal(time)
        }
        return out
    }
}
