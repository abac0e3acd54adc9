/// Figures over time, as somebody wants to see them.
public struct Chart: Sendable {
    /// One record's figures.
    public struct Line: Sendable {
        public let name: String
        /// By window start, ms since 1970, ascending; a window that is not there counts as nothing.
        public let points: [(window: Int64, value: Int64)]

        /// A line.
        public init(name: String, points: [(window: Int64, value: Int64)]) {
            self.name = name
            self.points = points
        }
    }

    /// What is shown, in a few words.
    public let title: String
    /// What it covers.
    public let subtitle: String
    /// The stretch shown, ms since 1970, half-open, and the length of its windows.
    public let from: Int64
    public let to: Int64
    public let step: Int64
    public let lines: [Line]

    /// A chart.
    ///
    /// - Invariant: `from` < `to`, and `step` > 0.
    public init(
        title: String, subtitle: String, from: Int64, to: Int64, step: Int64, lines: [Line]
    ) {
        precondition(from < to && step > 0, "a chart of \(from) to \(to) by \(step) shows nothing")
        self.title = title
        self.subtitle = subtitle
        self.from = from
        self.to = to
        self.step = step
        self.lines = lines
    }
}
