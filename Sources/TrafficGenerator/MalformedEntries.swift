import CoordinatorCore

/// Spoils entries so that each must be refused for one reason, going through all reasons in turn.
struct MalformedEntries: Sendable {
    private let includesFuture: Bool
    /// Without plays none of their reasons: equal options give equal bytes in every version.
    private let reasons: [RefusalReason]
    private var turn = 0

    init(includesFuture: Bool, includesPlays: Bool) {
        self.includesFuture = includesFuture
        reasons = [.url, .time, .expired, .encoding, .size] + (includesPlays ? [.kind, .id] : [])
    }

    private static let addresses: [StaticString] = [
        "", "/actu/monde/a/1.html", "www.rtl.lu/actu", "ftp://www.rtl.lu/actu", "http://",
        "https:///actu",
        "mailto:redaction@www.rtl.lu", "javascript:void(0)",
    ]
    private static let times: [StaticString] = [
        "yesterday", "2024-07-24T21:58:20", "2024-13-45T00:00:00Z", "12:30", "1721856300000x",
        "NaN",
        "0x190e6a8d5e0", "2024-07-24",
    ]
    /// One byte more than a field may have, and much more.
    private static let lengths = [2_049, 3_000, 20_000]
    /// Far older than any ladder's longest tier with its outage allowance.
    private static let ages: [Int64] = [40 * 86_400_000, 366 * 86_400_000]
    /// More than the five minutes that a clock may be ahead.
    private static let leads: [Int64] = [301_000, 86_400_000]

    /// Makes `event` one that must be refused, and says so in its kind.
    mutating func spoil(_ event: inout TrafficEvent, random: inout TrafficRandom) {
        let reason = reasons[turn % reasons.count]
        turn += 1
        event.kind = .malformed(reason)
        event.play = nil
        switch reason {
        case .url: spoilAddress(&event, random: &random)
        case .time: spoilTime(&event, random: &random)
        case .expired: event.time = Self.digits(event.arrival - Self.pick(Self.ages, &random))
        case .encoding: spoilEncoding(&event, random: &random)
        case .size:
            event.device = [UInt8](
                repeating: UInt8(ascii: "d"), count: Self.pick(Self.lengths, &random))
        case .kind:
            let kind = Self.pick(Self.kinds, &random)
            event.play = .init(kind: kind.withUTF8Buffer { Array($0) }, id: Array("a1".utf8))
        case .id:
            event.play = .init(
                kind: Array("audio".utf8), id: random.below(2) == 0 ? nil : [])
        }
    }

    private static let kinds: [StaticString] = ["Audio", "pageview", "podcasts", " video", "tv"]

    private func spoilAddress(_ event: inout TrafficEvent, random: inout TrafficRandom) {
        let choice = random.below(Self.addresses.count + 1)
        guard choice < Self.addresses.count else {
            event.url += [UInt8](
                repeating: UInt8(ascii: "u"), count: Self.pick(Self.lengths, &random))
            return
        }
        event.url = Self.addresses[choice].withUTF8Buffer { Array($0) }
    }

    private func spoilTime(_ event: inout TrafficEvent, random: inout TrafficRandom) {
        if includesFuture, random.below(2) == 0 {
            event.time = Self.digits(event.arrival + Self.pick(Self.leads, &random))
        } else {
            event.time = Self.pick(Self.times, &random).withUTF8Buffer { Array($0) }
        }
    }

    /// A byte that begins nothing, a sequence cut short, an overlong slash, half a surrogate pair.
    private func spoilEncoding(_ event: inout TrafficEvent, random: inout TrafficRandom) {
        let bad: [[UInt8]] = [[0xFF], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80]]
        if random.below(2) == 0 {
            event.url += Self.pick(bad, &random)
        } else {
            event.device = Array("dev".utf8) + Self.pick(bad, &random)
        }
    }

    private static func digits(_ time: Int64) -> [UInt8] {
        var out: [UInt8] = []
        out.appendDecimal(time)
        return out
    }

    private static func pick<Element>(_ choices: [Element], _ random: inout TrafficRandom)
        -> Element
    {
        choices[random.below(choices.count)]
    }
}
