/// The clock of a time zone: how far it is ahead of UTC at any moment, and so where its days begin.
///
/// - Shape: a compiled zone of the system's time zone database (TZif, version 2 and later; of the
///   first version the 32-bit part).
/// - Units: moments are milliseconds since 1970, UTC; without leap seconds, as the database's usual
///   files are.
/// - Source: RFC 8536.
public struct Zone: Sendable {
    /// A clock without an offset.
    public static let utc = Zone()

    private static let dayMilliseconds: Int64 = 86_400_000
    /// No clock is further from UTC, and none is turned by more.
    private static let widestOffset: Int64 = 26 * 3_600_000

    /// Seconds since 1970, ascending, and what is ahead of UTC from each on, in seconds.
    private var transitions: [(at: Int64, offset: Int64)] = []
    private var first: Int64 = 0
    private var rule: ZoneRule?

    private init() {}

    /// Reads a compiled zone.
    public init(_ bytes: UnsafeRawBufferPointer) throws(ZoneError) {
        var reader = ZoneReader(bytes)
        var header = try reader.header()
        var timeBytes = 4
        if header.version >= UInt8(ascii: "2") {
            try reader.skip(header.bodyBytes(timeBytes: 4))
            header = try reader.header()
            timeBytes = 8
        }
        let body = try reader.body(header, timeBytes: timeBytes)
        transitions = body.transitions
        first = body.first
        if timeBytes == 8 { rule = try reader.rule() }
    }

    /// Milliseconds that the clock is ahead of UTC at a moment.
    public func offset(at moment: Int64) -> Int64 {
        let second = Calendar.floorDivide(moment, by: 1_000).quotient
        let next = transitions.partition { $0.at > second }
        if next == transitions.count, let rule { return rule.offset(at: second) * 1_000 }
        return (next == 0 ? first : transitions[next - 1].offset) * 1_000
    }

    /// The number of the day, since 1970-01-01, that the clock shows at a moment.
    public func day(at moment: Int64) -> Int64 {
        Calendar.floorDivide(moment + offset(at: moment), by: Self.dayMilliseconds).quotient
    }

    /// The first moment of a day, by its number; of a day that a zone left out, that of the next.
    ///
    /// A day does not always begin at midnight: clocks are turned there in some zones.
    public func start(ofDay day: Int64) -> Int64 {
        var low = day * Self.dayMilliseconds - Self.widestOffset
        var high = day * Self.dayMilliseconds + Self.widestOffset
        while low < high {
            let middle = low + (high - low) / 2
            if self.day(at: middle) >= day { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The moment at which the clock shows the same time so many days earlier.
    public func moment(_ moment: Int64, daysBefore days: Int64) -> Int64 {
        let ahead = offset(at: moment)
        let local = moment + ahead - days * Self.dayMilliseconds
        return local - offset(at: local - ahead)
    }
}

extension Array {
    /// The first index whose element satisfies `isLate`, in an array where such elements are last.
    fileprivate func partition(_ isLate: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isLate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Takes a compiled zone apart.
private struct ZoneReader {
    struct Header {
        let version: UInt8
        let utcFlags: Int
        let standardFlags: Int
        let leaps: Int
        let times: Int
        let types: Int
        let characters: Int

        func bodyBytes(timeBytes: Int) -> Int {
            times * (timeBytes + 1) + types * 6 + characters + leaps * (timeBytes + 4)
                + standardFlags + utcFlags
        }
    }

    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func header() throws(ZoneError) -> Header {
        guard bytes.count - place >= 44, bytes[place...].prefix(4).elementsEqual("TZif".utf8) else {
            throw place == 0 ? .noZone : .truncated
        }
        let version = bytes[place + 4]
        func count(_ index: Int) -> Int {
            Int(number(at: place + 20 + index * 4, bytes: 4) & 0xFFFF_FFFF)
        }
        let header = Header(
            version: version, utcFlags: count(0), standardFlags: count(1), leaps: count(2),
            times: count(3), types: count(4), characters: count(5))
        place += 44
        return header
    }

    mutating func skip(_ count: Int) throws(ZoneError) {
        guard count <= bytes.count - place else { throw .truncated }
        place += count
    }

    mutating func body(_ header: Header, timeBytes: Int) throws(ZoneError) -> (
        transitions: [(at: Int64, offset: Int64)], first: Int64
    ) {
        let start = place
        try skip(header.bodyBytes(timeBytes: timeBytes))
        guard header.types > 0 else { throw .unknownLocalTime(0) }
        let kinds = start + header.times * timeBytes
        let types = kinds + header.times
        func offset(_ type: Int) -> Int64 { number(at: types + type * 6, bytes: 4) }
        var transitions: [(at: Int64, offset: Int64)] = []
        for index in 0..<header.times {
            let type = Int(bytes[kinds + index])
            guard type < header.types else { throw .unknownLocalTime(type) }
            transitions.append(
                (number(at: start + index * timeBytes, bytes: timeBytes), offset(type)))
        }
        return (transitions, offset(0))
    }

    /// What stands between the last two line feeds; nil where there is nothing.
    mutating func rule() throws(ZoneError) -> ZoneRule? {
        guard place < bytes.count, bytes[place] == 0x0A else { throw .truncated }
        let text = UnsafeRawBufferPointer(rebasing: bytes[(place + 1)...].prefix { $0 != 0x0A })
        guard place + 1 + text.count < bytes.count else { throw .truncated }
        if text.isEmpty { return nil }
        guard let rule = ZoneRule(text) else {
            throw .unreadableRule(String(decoding: text, as: UTF8.self))
        }
        return rule
    }

    /// A big-endian number with a sign.
    private func number(at place: Int, bytes count: Int) -> Int64 {
        var value: Int64 = bytes[place] >= 0x80 ? -1 : 0
        for index in place..<place + count { value = value << 8 | Int64(bytes[index]) }
        return value
    }
}
