/// Which events count, and when they happened.
///
/// What an event does is a pure function of its entry, the entry's id and the settings: no clock is
/// read here, so that a batch read again after a failover is judged as it was the first time.
///
/// An entry with several faults is refused for one of them, the same on every node, if its fields
/// are judged in this order: `page(of:)` of a page view, `dimension(kind:id:)` of a play; then
/// `checkField` of the other fields as they stand in the entry; then `time(of:arrival:)`.
///
/// - Source: semantics.md §2.
public struct EventRules: Sendable {
    /// The most bytes of a field, of the URL too: what a browser's URL and a device id never reach.
    public static let maximumFieldBytes = 2_048
    /// How far an event may be ahead of its arrival: clocks of trackers differ by that much.
    public static let futureToleranceMilliseconds: Int64 = 300_000

    /// What URLs stand for.
    public let resolver: PageResolver
    /// How long after it happened an event may still arrive.
    public let longestKeepMilliseconds: Int64

    /// Rules for one version of the settings.
    ///
    /// - Units: milliseconds that the longest-keeping tier keeps, plus the outage allowance.
    public init(resolver: PageResolver, longestKeepMilliseconds: Int64) {
        self.resolver = resolver
        self.longestKeepMilliseconds = longestKeepMilliseconds
    }

    /// What the field `url` stands for; a field that is not there is refused as `url`.
    public func page(of url: UnsafeRawBufferPointer?) throws(RefusalError) -> PageAddress {
        guard let url else { throw RefusalError(.url, "the url is missing") }
        return try resolver.resolve(url)
    }

    /// What a play is of: the dimension that `kind` names. Its `url` is not looked at: players
    /// outside of any page have none, and a play is no page view.
    ///
    /// - Errors: refused as `kind` when that names no dimension, as `id` without an id.
    public static func dimension(
        kind: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer?
    ) throws(RefusalError) -> Dimension {
        guard let dimension = Dimension(kind: kind) else {
            throw RefusalError(.kind, "the kind is not audio, video or podcast")
        }
        guard let id, !id.isEmpty else { throw RefusalError(.id, "the id is missing") }
        return dimension
    }

    /// When the event happened: the field `dt`, or the entry's own time without one.
    ///
    /// - Shape: milliseconds since 1970 in digits, or ISO-8601 with a zone.
    /// - Errors: refused as `time` when not readable or more than five minutes ahead of `arrival`,
    ///   as `expired` when older than every tier keeps, seen from `arrival`.
    public func time(
        of dt: UnsafeRawBufferPointer?, arrival: StreamID
    ) throws(RefusalError) -> Int64 {
        let arrived = Int64(clamping: arrival.milliseconds)
        guard let dt, !dt.isEmpty else { return arrived }
        guard let time = Self.milliseconds(dt) ?? Timestamp(iso8601: dt)?.milliseconds else {
            throw RefusalError(.time, "the event time is not readable")
        }
        // Wrapping would be wrong, trapping worse: the numbers come from outside.
        let (ahead, aheadOverflows) = time.subtractingReportingOverflow(arrived)
        if aheadOverflows ? time > arrived : ahead > Self.futureToleranceMilliseconds {
            throw RefusalError(.time, "the event time is more than 5 minutes ahead of its arrival")
        }
        if aheadOverflows || ahead < 0 && ahead.magnitude > longestKeepMilliseconds.magnitude {
            throw RefusalError(.expired, "the event is older than every tier keeps")
        }
        return time
    }

    /// Whether the field `uui` names a device: not when missing, empty or `null`.
    public static func isDevice(_ uui: UnsafeRawBufferPointer?) -> Bool {
        guard let uui, !uui.isEmpty else { return false }
        return uui.count != 4 || !uui.elementsEqual("null".utf8)
    }

    /// Refuses a field over 2 KiB as `size`, one that is not UTF-8 as `encoding`.
    public static func checkField(_ bytes: UnsafeRawBufferPointer) throws(RefusalError) {
        guard bytes.count <= maximumFieldBytes else {
            throw RefusalError(.size, "a field is over 2 KiB")
        }
        guard UTF8Check.isValid(bytes) else {
            throw RefusalError(.encoding, "a field is not utf-8")
        }
    }

    /// Digits as a number, read for each event: up to 18 need no check for overflow.
    private static func milliseconds(_ dt: UnsafeRawBufferPointer) -> Int64? {
        guard dt.count <= 18 else { return Decimal.signed(dt) }
        var value: Int64 = 0
        for byte in dt {
            let digit = byte &- UInt8(ascii: "0")
            guard digit <= 9 else { return Decimal.signed(dt) }
            value = value &* 10 &+ Int64(digit)
        }
        return value
    }
}
