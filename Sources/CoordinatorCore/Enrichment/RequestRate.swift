/// How many requests may be sent in any stretch of time of one unit.
public struct RequestRate: Hashable, Sendable, CustomStringConvertible {
    /// The stretch of time that the count is for.
    public enum Unit: String, CaseIterable, Sendable {
        case second = "s"
        case minute = "m"
        case hour = "h"

        /// Its length, µs.
        var microseconds: Int64 {
            switch self {
            case .second: 1_000_000
            case .minute: 60_000_000
            case .hour: 3_600_000_000
            }
        }
    }

    /// More would not be paced but flooded: slots would be shorter than a loop's turn.
    public static let most: Int64 = 1_000

    /// Requests in a unit.
    public let count: Int64
    /// The unit.
    public let unit: Unit

    /// Reads `10`, `10/s`, `300/m`, `5000/h`; nil for anything else, nothing, and more than
    /// ``most`` in a second.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let number = Decimal.unsigned(first.utf8),
            let count = Int64(exactly: number), count > 0, parts.count <= 2
        else { return nil }
        var unit = Unit.second
        if parts.count == 2 {
            guard let named = Unit(rawValue: String(parts[1])) else { return nil }
            unit = named
        }
        guard count <= Self.most * (unit.microseconds / 1_000_000) else { return nil }
        self.count = count
        self.unit = unit
    }

    /// As it is read.
    public var description: String { "\(count)/\(unit.rawValue)" }

    /// A slot may be used this long after it begins, µs: a tenth of the unit, for the way from the
    /// server that grants it to the API.
    public var slotMicroseconds: Int64 { unit.microseconds / 10 }

    /// From the start of one slot to the start of the next, µs.
    ///
    /// The first of `count + 1` requests may go at the very end of its slot and the last at the
    /// very beginning of its own; they are to be a whole unit apart even then.
    public var periodMicroseconds: Int64 {
        (unit.microseconds + slotMicroseconds + count - 1) / count
    }
}
