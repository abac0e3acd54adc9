/// Progress of long work, for stderr: a bar on a terminal, one line now and then elsewhere, nothing
/// when quiet.
///
/// A value without clock and without I/O: the caller says what time it is and writes what comes
/// back.
public struct ProgressBar: Sendable {
    /// How it shows.
    public enum Mode: Sendable {
        /// Redrawn in place.
        case bar(width: Int)
        /// A line every ten seconds.
        case lines
        case silent
    }

    /// What is counted.
    public enum Unit: Sendable {
        case bytes
        /// Things of this name, in the plural.
        case items(String)
    }

    /// More often no eye can follow.
    private static let redrawInterval = Duration.milliseconds(100)
    /// A log file of an hour's import gets 360 lines, not 36,000.
    private static let lineInterval = Duration.seconds(10)
    /// The share of the newest rate in the shown one: slow enough to read, quick enough to follow.
    private static let rateSmoothing = 0.2

    private let label: String
    private let unit: Unit
    private let mode: Mode
    /// The amount at the end; nil where it is not known.
    public var total: Int64?
    private var startedAt: Duration?
    private var last: (at: Duration, done: Int64)?
    private var rate: Double?

    /// A bar that has not begun; times are spans on the caller's monotonic clock.
    public init(_ label: String, total: Int64?, unit: Unit, mode: Mode) {
        // A file's name, often: it comes from outside.
        self.label = TerminalText.escaped(label)
        self.total = total
        self.unit = unit
        self.mode = mode
    }

    /// The mode that fits a terminal, or its absence.
    public static func mode(_ terminal: TerminalInfo, isQuiet: Bool) -> Mode {
        if isQuiet { return .silent }
        return terminal.isTerminal ? .bar(width: terminal.width) : .lines
    }

    /// Tells how far the work is; returns what is to be written to stderr now, if anything.
    public mutating func update(done: Int64, at now: Duration) -> String? {
        guard let last else {
            startedAt = now
            self.last = (now, done)
            if case .bar = mode { return text(done: done) }
            return nil
        }
        let elapsed = now - last.at
        guard elapsed >= interval else { return nil }
        let newest = Double(done - last.done) / Self.seconds(elapsed)
        rate = rate.map { $0 + Self.rateSmoothing * (newest - $0) } ?? newest
        self.last = (now, done)
        return text(done: done)
    }

    /// Ends the work; returns the last line.
    public mutating func finish(done: Int64, at now: Duration) -> String? {
        let elapsed = now - (startedAt ?? now)
        let seconds = Self.seconds(elapsed)
        let average = seconds > 0 ? Double(done) / seconds : 0
        let line =
            "\(label): \(amount(done)) in \(NumberText.span(elapsed))"
            + (seconds > 0 ? ", \(speed(average))" : "")
        switch mode {
        case .silent: return nil
        case .lines: return line + "\n"
        case .bar: return "\r\u{1B}[K" + line + "\n"
        }
    }

    private var interval: Duration {
        if case .bar = mode { return Self.redrawInterval }
        return Self.lineInterval
    }

    private func text(done: Int64) -> String? {
        switch mode {
        case .silent: return nil
        case .lines: return "\(label): \(details(done))\n"
        case .bar(let width): return "\r" + bar(done: done, width: width) + "\u{1B}[K"
        }
    }

    private func bar(done: Int64, width: Int) -> String {
        let text = "\(label) \(details(done))"
        let room = width - 1 - TerminalText.width(of: text) - 3
        guard let share = share(done), room >= 10 else {
            return TerminalText.shortened(text, toWidth: width - 1)
        }
        let size = min(room, 40)
        let filled = Int(share * Double(size))
        let cells =
            String(repeating: "█", count: filled) + String(repeating: "░", count: size - filled)
        return "\(label) \(cells) \(details(done))"
    }

    private func details(_ done: Int64) -> String {
        var parts: [String] = []
        if let share = share(done) { parts.append(NumberText.percent(share)) }
        parts.append(amount(done))
        if let rate { parts.append(speed(rate)) }
        if let remaining = remaining(done) { parts.append(NumberText.span(remaining) + " left") }
        return parts.joined(separator: ", ")
    }

    private func share(_ done: Int64) -> Double? {
        guard let total, total > 0 else { return nil }
        return min(1, max(0, Double(done) / Double(total)))
    }

    private func remaining(_ done: Int64) -> Duration? {
        guard let total, let rate, rate > 0, done < total else { return nil }
        let seconds = (Double(total - done) / rate).rounded(.up)
        // Beyond a few days it is no estimate.
        return seconds < 1e6 ? .seconds(Int64(seconds)) : nil
    }

    private func amount(_ done: Int64) -> String {
        switch unit {
        case .bytes: return NumberText.bytes(done)
        case .items(let name): return NumberText.grouped(done) + " " + name
        }
    }

    private func speed(_ rate: Double) -> String {
        let whole = rate.isFinite && rate.magnitude < 9e18 ? Int64(rate) : 0
        switch unit {
        case .bytes: return NumberText.bytes(whole) + "/s"
        case .items: return NumberText.grouped(whole) + "/s"
        }
    }

    private static func seconds(_ span: Duration) -> Double {
        Double(span.components.seconds) + Double(span.components.attoseconds) / 1e18
    }
}
