/// How often a value fell below each of some bounds, and the sum of all values.
///
/// - Units: seconds, or what the metric's name says.
public struct Histogram: Sendable, Equatable {
    /// Bounds for what takes from below a millisecond to some seconds.
    public static let latency = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5]
    /// Bounds for what takes from some milliseconds to some minutes.
    public static let work = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

    /// The upper bounds, rising.
    public let bounds: [Double]
    /// One for each bound, and one for what is above all.
    public private(set) var counts: [UInt64]
    /// The sum of all values.
    public private(set) var sum = 0.0

    /// A histogram without values.
    public init(bounds: [Double] = Histogram.latency) {
        self.bounds = bounds
        counts = [UInt64](repeating: 0, count: bounds.count + 1)
    }

    /// Takes in a value.
    public mutating func observe(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] &+= 1
        sum += value
    }

    /// Takes in a span of time.
    public mutating func observe(_ span: Duration) { observe(span / .seconds(1)) }

    /// Takes in the values of another one with the same bounds.
    public mutating func merge(_ other: Histogram) {
        precondition(other.bounds == bounds, "histograms of different bounds")
        for index in counts.indices { counts[index] &+= other.counts[index] }
        sum += other.sum
    }

    /// How many values there were.
    public var count: UInt64 { counts.reduce(0, &+) }
}

/// Histograms of one name, one for each combination of label values.
public struct HistogramFamily: Sendable, Equatable {
    /// The metric's name; ends in its unit.
    public let name: String
    /// What it measures.
    public let help: String
    /// Its labels, in order.
    public let labels: [String]
    private let bounds: [Double]
    /// By label values.
    public private(set) var values: [[String]: Histogram] = [:]

    /// A family without values.
    public init(
        _ name: String, _ help: String, labels: [String] = [],
        bounds: [Double] = Histogram.latency
    ) {
        self.name = name
        self.help = help
        self.labels = labels
        self.bounds = bounds
        if labels.isEmpty { values[[]] = Histogram(bounds: bounds) }
    }

    /// Takes in a span of time; what is beyond the bound on series is left out.
    public mutating func observe(_ labelValues: String..., span: Duration) {
        precondition(labelValues.count == labels.count, "\(name) has the labels \(labels)")
        guard values[labelValues] != nil || values.count < CounterFamily.mostSeries else { return }
        values[labelValues, default: Histogram(bounds: bounds)].observe(span)
    }

    /// Takes in the values of another family of the same name.
    public mutating func merge(_ other: HistogramFamily) {
        for (labels, histogram) in other.values {
            guard values[labels] != nil || values.count < CounterFamily.mostSeries else { continue }
            values[labels, default: Histogram(bounds: bounds)].merge(histogram)
        }
    }
}
