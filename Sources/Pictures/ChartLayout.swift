import CoordinatorCore

/// Turns a chart into shapes: title and what it covers above, numbers to the left, times below, and
/// with several lines their names to the right.
///
/// - Source: colours by Okabe and Ito, "Color Universal Design", which people with any colour
///   vision tell apart; dashes tell lines apart without colour, too.
public struct ChartLayout: Sendable {
    /// The sizes that a picture may have, in pixels: smaller ones have no room for their numbers.
    public static let widths = 240...4_000
    public static let heights = 120...3_000
    /// More lines than these cannot be told apart.
    public static let mostLines = 7

    private static let ink = Drawing.Colour(0x26_2626)
    private static let faint = Drawing.Colour(0x5F_5F5F)
    private static let rule = Drawing.Colour(0xDD_DDDD)
    private static let paper = Drawing.Colour(0xFF_FFFF)
    private static let colours: [UInt32] = [
        0x00_72B2, 0xD5_5E00, 0x00_9E73, 0xCC_79A7, 0x56_B4E9, 0xE6_9F00, 0x00_0000,
    ]
    private static let dashes: [[Double]] = [
        [], [7, 3], [2, 2], [9, 3, 2, 3], [4, 2], [12, 4], [1, 3],
    ]
    private static let small = 11.0
    /// No figure is as high; what a hand wrote must not overflow the numbers.
    private static let mostShown: Int64 = 100_000_000_000_000_000

    private let chart: Chart
    private let width: Double
    private let height: Double
    private var drawing: Drawing
    private var top: Double
    private var bottom: Double
    private var left: Double
    private var right: Double
    private var most: Int64
    private var tick: Int64

    /// The picture of a chart.
    public static func drawing(_ chart: Chart, width: Int, height: Int) -> Drawing {
        var layout = ChartLayout(
            chart, min(max(width, widths.lowerBound), widths.upperBound),
            min(max(height, heights.lowerBound), heights.upperBound))
        layout.draw()
        return layout.drawing
    }

    private init(_ chart: Chart, _ width: Int, _ height: Int) {
        self.chart = chart
        self.width = Double(width)
        self.height = Double(height)
        drawing = Drawing(width: width, height: height)
        top = 52
        bottom = self.height - 36
        let highest = min(
            chart.lines.flatMap { $0.points.map(\.value) }.max() ?? 0, Self.mostShown)
        let room = max(2, Int64((bottom - top) / 34))
        tick = Self.niceStep(max(1, highest), parts: room)
        let steps = (max(1, highest) - 1) / tick + 1
        most = tick * steps
        let digits = Double(Self.grouped(most).utf8.count)
        left = max(36, 14 + digits * 6.6)
        right = self.width - 18
        if chart.lines.count > 1 { right -= min(180, self.width * 0.26) }
    }

    // MARK: Drawing

    private mutating func draw() {
        area([(0, 0), (width, 0), (width, height), (0, height)], Self.paper)
        text(cut(chart.title, 15, width - 24, isBold: true), 12, 20, size: 15, isBold: true)
        text(cut(chart.subtitle, Self.small, width - 24), 12, 36, colour: Self.faint)
        drawNumbers()
        drawTimes()
        let lines = Array(chart.lines.prefix(Self.mostLines))
        for (place, one) in lines.enumerated() {
            draw(one, place, isAlone: lines.count == 1)
        }
        if chart.lines.count > 1 { drawNames(lines) }
        line([(left, bottom), (right, bottom)], Self.faint, 1)
        if chart.lines.allSatisfy({ $0.points.allSatisfy { $0.value == 0 } }) {
            text(
                "nothing was counted", (left + right) / 2, (top + bottom) / 2, .middle, size: 13,
                colour: Self.faint)
        }
    }

    private mutating func drawNumbers() {
        var value: Int64 = 0
        while value <= most {
            let y = self.y(value)
            if value > 0 { line([(left, y), (right, y)], Self.rule, 1) }
            text(Self.grouped(value), left - 6, y + 4, .end, colour: Self.faint)
            value += tick
        }
    }

    private mutating func drawTimes() {
        let step = Self.timeStep(chart.to - chart.from, most: Int((right - left) / 74))
        let day: Int64 = 86_400_000
        var time = chart.from - chart.from % step
        if time < chart.from { time += step }
        var isFirst = true
        while time <= chart.to {
            let x = self.x(time)
            let stamp = Timestamp(milliseconds: time).iso8601
            let isMidnight = time % day == 0
            line([(x, bottom), (x, bottom + 4)], Self.faint, 1)
            let clock = String(stamp.dropFirst(11).prefix(step < 60_000 ? 8 : 5))
            let date = Self.date(stamp)
            let anchor: Drawing.Anchor = x > width - 24 ? .end : .middle
            if step >= day {
                text(date, x, bottom + 16, anchor, colour: Self.faint)
            } else {
                text(clock, x, bottom + 16, anchor, colour: Self.faint)
                if isMidnight || isFirst {
                    text(date, x, bottom + 29, anchor, colour: Self.faint)
                }
            }
            isFirst = false
            time += step
        }
        text("UTC", left - 6, bottom + 16, .end, colour: Self.faint)
    }

    private mutating func draw(_ one: Chart.Line, _ place: Int, isAlone: Bool) {
        let colour = Drawing.Colour(Self.colours[place % Self.colours.count])
        let path = self.path(one)
        guard let first = path.first, let last = path.last else { return }
        if isAlone {
            var outline = path
            outline.append((last.x, bottom))
            outline.append((first.x, bottom))
            area(
                outline,
                Drawing.Colour(Self.colours[place % Self.colours.count], opacity: 0.18))
        }
        line(path, colour, isAlone ? 1.6 : 1.8, Self.dashes[place % Self.dashes.count])
    }

    /// A level for each window. Where there are more windows than pixels, the highest of those that
    /// share one.
    private func path(_ one: Chart.Line) -> [(x: Double, y: Double)] {
        let windows = max(1, (chart.to - chart.from) / chart.step)
        let columns = max(1, Int64(right - left))
        let each = (windows - 1) / columns + 1
        let count = Int((windows - 1) / each + 1)
        var levels = [Int64](repeating: 0, count: count)
        for point in one.points where point.window >= chart.from && point.window < chart.to {
            let column = Int((point.window - chart.from) / chart.step / each)
            levels[column] = max(levels[column], point.value)
        }
        var path: [(x: Double, y: Double)] = []
        for (column, level) in levels.enumerated() {
            let start = chart.from + Int64(column) * each * chart.step
            path.append((x(start), y(level)))
            path.append((x(min(start + each * chart.step, chart.to)), y(level)))
        }
        return path
    }

    private mutating func drawNames(_ lines: [Chart.Line]) {
        let begin = right + 14
        for (place, one) in lines.enumerated() {
            let y = top + 6 + Double(place) * 17
            guard y < bottom else { return }
            line(
                [(begin, y), (begin + 22, y)], Drawing.Colour(Self.colours[place]), 2,
                Self.dashes[place])
            text(cut(one.name, Self.small, width - begin - 36), begin + 28, y + 4)
        }
    }

    // MARK: Places

    private func x(_ time: Int64) -> Double {
        left + Double(time - chart.from) / Double(chart.to - chart.from) * (right - left)
    }

    private func y(_ value: Int64) -> Double {
        bottom - Double(min(max(value, 0), most)) / Double(most) * (bottom - top)
    }

    /// 1, 2 or 5 times a power of ten, so that about `parts` of them reach `highest`.
    static func niceStep(_ highest: Int64, parts: Int64) -> Int64 {
        let wanted = max(1, (highest - 1) / max(1, parts) + 1)
        var power: Int64 = 1
        while power <= wanted / 10 { power *= 10 }
        for factor: Int64 in [1, 2, 5] where factor * power >= wanted { return factor * power }
        return power > Int64.max / 10 ? power : power * 10
    }

    /// A step that people count time in, so that no more than `most` of them fit a span.
    static func timeStep(_ span: Int64, most: Int) -> Int64 {
        let second: Int64 = 1_000
        let day: Int64 = 86_400 * second
        let steps =
            [1, 5, 15, 30, 60, 300, 600, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200]
            .map { $0 * second } + [1, 2, 7, 14, 28, 91, 364].map { $0 * day }
        return steps.first { span / $0 <= Int64(max(1, most)) } ?? 3_640 * day
    }

    private static func date(_ stamp: String) -> String {
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        guard let month = Int(stamp.dropFirst(5).prefix(2)), (1...12).contains(month),
            let day = Int(stamp.dropFirst(8).prefix(2))
        else { return String(stamp.prefix(10)) }
        return "\(day) \(months[month - 1])"
    }

    /// Digits in threes.
    static func grouped(_ number: Int64) -> String {
        var text = ""
        for (place, digit) in String(number).reversed().enumerated() {
            if place > 0, place.isMultiple(of: 3), digit != "-" { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    // MARK: Shapes

    /// Cuts a text to a width, by how wide letters are on the whole.
    private func cut(
        _ text: String, _ size: Double, _ width: Double, isBold: Bool = false
    ) -> String {
        let most = max(4, Int(width / (size * (isBold ? 0.63 : 0.55))))
        guard text.count > most else { return text }
        return String(text.prefix(most - 1)) + "…"
    }

    private mutating func area(_ points: [(x: Double, y: Double)], _ colour: Drawing.Colour) {
        drawing.shapes.append(.area(points.map { .init(x: $0.x, y: $0.y) }, colour))
    }

    private mutating func line(
        _ points: [(x: Double, y: Double)], _ colour: Drawing.Colour, _ width: Double,
        _ dash: [Double] = []
    ) {
        drawing.shapes.append(
            .line(points.map { .init(x: $0.x, y: $0.y) }, colour, width: width, dash: dash))
    }

    private mutating func text(
        _ text: String, _ x: Double, _ y: Double, _ anchor: Drawing.Anchor = .start,
        size: Double = small, colour: Drawing.Colour = ink, isBold: Bool = false
    ) {
        drawing.shapes.append(
            .text(text, .init(x: x, y: y), anchor, size: size, colour, isBold: isBold))
    }
}
