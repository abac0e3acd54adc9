/// Bars side by side, for a few lines of a terminal.
public enum BarChart {
    /// From nothing to a whole cell, in eighths.
    private static let eighths: [Character] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// The lines of a chart, from the top down.
    ///
    /// What is not nothing shows at least the lowest eighth: a quiet minute is not an empty one.
    ///
    /// - Parameters:
    ///   - height: how many lines; at least one.
    ///   - barWidth: the columns of a bar, the gap behind it included; at least one.
    public static func lines(_ values: [Int64], height: Int, barWidth: Int) -> [String] {
        let most = values.max() ?? 0
        let steps = values.map { step($0, of: most, steps: height * 8) }
        return (0..<height).reversed().map { line in
            steps.map { step in
                let cell = eighths[min(8, max(0, step - line * 8))]
                let bar = max(1, barWidth - 1)
                return String(repeating: cell, count: bar)
                    + String(repeating: " ", count: barWidth - bar)
            }.joined()
        }
    }

    private static func step(_ value: Int64, of most: Int64, steps: Int) -> Int {
        guard most > 0, value > 0 else { return 0 }
        return max(1, Int((Double(value) / Double(most) * Double(steps)).rounded()))
    }
}
