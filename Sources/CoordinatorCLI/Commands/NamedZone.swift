import CoordinatorCore
import CoordinatorService
import Glibc
import Terminal

/// A time zone by its name in the system's time zone database.
///
/// The database is read by a few lines of the core: Foundation's time zones would bring its 50 MB
/// of international data into every binary, and what of Foundation is linked has none.
struct NamedZone: Sendable {
    static let utc = NamedZone(name: "UTC", zone: .utc)
    /// The largest compiled zone has under 4 KiB.
    private static let largestFile = 1 << 20
    private static let folder = "/usr/share/zoneinfo"

    let name: String
    let zone: Zone

    private init(name: String, zone: Zone) {
        self.name = name
        self.zone = zone
    }

    /// The zone of a name such as `Europe/Luxembourg`.
    ///
    /// - Errors: of usage, with the way out.
    init(_ name: String) throws(CommandError) {
        // A system without a database still knows this one.
        if name == "UTC" {
            self = .utc
            return
        }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isName = parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy { byte in
                    Self.isLetter(byte) || "0123456789_+-".utf8.contains(byte)
                }
        }
        let folder = getenv("TZDIR").map { String(cString: $0) } ?? Self.folder
        guard isName, access("\(folder)/\(name)", R_OK) == 0 else {
            throw CommandError(
                .usage,
                access(folder, R_OK) == 0
                    ? "there is no time zone \(name): write it as Europe/Luxembourg or UTC"
                    : "--tz \(name) needs the system's time zones in \(folder): install tzdata")
        }
        let bytes = try TextFile.bytes("\(folder)/\(name)", limit: Self.largestFile)
        do throws(ZoneError) {
            zone = try bytes.withUnsafeBytes { bytes in
                Result { () throws(ZoneError) in try Zone(bytes) }
            }.get()
        } catch {
            throw CommandError(.usage, "\(folder)/\(name) is no time zone: \(error)")
        }
        self.name = name
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// `2024-07-24 21:30 – 22:00 UTC`, or `… Europe/Luxembourg (UTC+2)`.
    func stretch(_ from: Int64, _ to: Int64, _ tier: Tier) -> String {
        let hasSeconds = tier.lengthMilliseconds % 60_000 != 0
        let first = text(from, hasSeconds)
        let last = text(to, hasSeconds)
        let end = first.prefix(10) == last.prefix(10) ? String(last.dropFirst(11)) : last
        guard name != "UTC" else { return "\(first) – \(end) UTC" }
        let offsets = [Self.offset(zone.offset(at: from)), Self.offset(zone.offset(at: to))]
        let ahead = offsets[0] == offsets[1] ? offsets[0] : "\(offsets[0]), then \(offsets[1])"
        return "\(first) – \(end) \(name) (\(ahead))"
    }

    /// ISO-8601 on this clock, without what every such line shares; seconds only where a tier has
    /// them.
    func text(_ moment: Int64, _ hasSeconds: Bool) -> String {
        let text = ISO8601Text.text(moment + zone.offset(at: moment))
        return String(text.prefix(10)) + " " + text.dropFirst(11).prefix(hasSeconds ? 8 : 5)
    }

    private static func offset(_ milliseconds: Int64) -> String {
        let minutes = milliseconds.magnitude / 60_000
        let rest = minutes % 60
        let hours = "UTC\(milliseconds < 0 ? "-" : "+")\(minutes / 60)"
        return rest == 0 ? hours : hours + (rest < 10 ? ":0\(rest)" : ":\(rest)")
    }
}

/// The time that a question is about, as somebody asked for it.
struct AskedPeriod: Sendable {
    let period: Period
    let clock: NamedZone
    /// A day of a calendar, which windows may not begin or end with.
    let isDay: Bool

    /// What was asked for, where the answer covers something else.
    func missed(by interval: Interval) -> Range<Int64>? {
        guard isDay, case .stretch(let from, let to) = period,
            interval.from != from || interval.to != to
        else { return nil }
        return from..<to
    }

    /// The earlier interval of a name. Days are those of the clock: some have 23 or 25 hours.
    func comparison(_ kind: Comparison.Kind) -> Comparison {
        let days: Int64 = kind == .week ? 7 : 1
        guard isDay || (kind != .previous && clock.name != "UTC") else { return Comparison(kind) }
        let zone = clock.zone
        return Comparison(kind, days: days) { zone.moment($0, daysBefore: $1) }
    }
}
