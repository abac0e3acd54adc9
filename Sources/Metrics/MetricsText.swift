/// Writes metrics as Prometheus reads them.
///
/// - Source: Prometheus, "Exposition formats", text format 0.0.4.
public struct MetricsText: Sendable {
    /// What the format is called in HTTP.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// What has been written.
    public private(set) var text = ""

    /// Nothing yet.
    public init() {}

    /// A value that goes up and down. A value that is not known is left out: a made-up one would be
    /// drawn.
    public mutating func gauge(_ name: String, _ help: String, _ value: Double?) {
        gauge(name, help, labels: [], value.map { [([], $0)] } ?? [])
    }

    /// The same with labels.
    public mutating func gauge(
        _ name: String, _ help: String, labels: [String], _ series: [([String], Double)]
    ) {
        write(name, help, "gauge", labels, series)
    }

    /// A counter that somebody else keeps.
    public mutating func counter(_ name: String, _ help: String, _ value: Double) {
        write(name, help, "counter", [], [([], value)])
    }

    /// Counters.
    public mutating func counters(_ family: CounterFamily) {
        let series = Self.sorted(family.values).map { ($0.key, Double($0.value)) }
        write(family.name, family.help, "counter", family.labels, series)
    }

    /// Histograms, their buckets cumulative.
    public mutating func histograms(_ family: HistogramFamily) {
        guard !family.values.isEmpty else { return }
        head(family.name, family.help, "histogram")
        for (values, histogram) in Self.sorted(family.values) {
            var below: UInt64 = 0
            for (index, bound) in histogram.bounds.enumerated() {
                below += histogram.counts[index]
                line(
                    family.name + "_bucket", family.labels + ["le"], values + [Self.text(bound)],
                    Double(below))
            }
            let all = Double(histogram.count)
            line(family.name + "_bucket", family.labels + ["le"], values + ["+Inf"], all)
            line(family.name + "_sum", family.labels, values, histogram.sum)
            line(family.name + "_count", family.labels, values, all)
        }
    }

    // MARK: Lines

    private mutating func write(
        _ name: String, _ help: String, _ type: String, _ labels: [String],
        _ series: [([String], Double)]
    ) {
        guard !series.isEmpty else { return }
        head(name, help, type)
        for (values, value) in series { line(name, labels, values, value) }
    }

    private mutating func head(_ name: String, _ help: String, _ type: String) {
        let escaped = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        text += "# HELP \(name) \(escaped)\n# TYPE \(name) \(type)\n"
    }

    private mutating func line(
        _ name: String, _ labels: [String], _ values: [String], _ value: Double
    ) {
        text += name
        if !labels.isEmpty {
            let pairs = zip(labels, values).map { "\($0)=\"\(Self.escaped($1))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(Self.text(value))\n"
    }

    private static func escaped(_ value: String) -> String {
        // Hardly any has one of them, and looking for patterns is dear.
        guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else {
            return value
        }
        return value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
    }

    private static func text(_ value: Double) -> String {
        let isWhole = value == value.rounded() && abs(value) < 9e15
        return isWhole ? String(Int64(value)) : "\(value)"
    }

    /// In a fixed order, so that two readings can be compared.
    private static func sorted<Value>(_ values: [[String]: Value]) -> [(
        key: [String], value: Value
    )] {
        values.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }
}
