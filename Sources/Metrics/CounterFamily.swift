/// Counters of one name, one for each combination of label values.
///
/// - Invariant: a counter only grows.
/// - Not guaranteed: figures of their own for combinations beyond ``mostSeries``; label values have
///   to be words of the program, never of its input.
public struct CounterFamily: Sendable, Equatable {
    /// What is beyond goes into one series of its own, named `other`.
    public static let mostSeries = 256

    /// The metric's name; ends in `_total`.
    public let name: String
    /// What it counts.
    public let help: String
    /// Its labels, in order.
    public let labels: [String]
    /// By label values.
    public private(set) var values: [[String]: UInt64] = [:]

    /// A family that has counted nothing.
    ///
    /// - Parameter known: combinations that are shown from the start, as 0: what has not happened
    ///   yet can be asked for, too.
    public init(
        _ name: String, _ help: String, labels: [String] = [], known: [[String]] = []
    ) {
        precondition(name.hasSuffix("_total"), "the counter \(name) does not end in _total")
        self.name = name
        self.help = help
        self.labels = labels
        for values in known { self.values[values] = 0 }
        if labels.isEmpty { values[[]] = 0 }
    }

    /// Counts.
    public mutating func add(_ labelValues: String..., by amount: UInt64 = 1) {
        add(labelValues, by: amount)
    }

    /// Counts.
    public mutating func add(_ labelValues: [String], by amount: UInt64 = 1) {
        precondition(labelValues.count == labels.count, "\(name) has the labels \(labels)")
        let isRoom = values[labelValues] != nil || values.count < Self.mostSeries
        let series = isRoom ? labelValues : labels.map { _ in "other" }
        values[series, default: 0] &+= amount
    }

    /// Takes in what another family of the same name has counted.
    public mutating func merge(_ other: CounterFamily) {
        for (values, amount) in other.values { add(values, by: amount) }
    }

    /// The sum of all.
    public var total: UInt64 { values.values.reduce(0, &+) }
}
