import Testing

@testable import Pictures

/// Pictures of series: scales that people can read, and texts that stay texts.
@Suite("Pictures")
struct PicturesTests {
    private static let day: Int64 = 86_400_000
    private static let start: Int64 = 1_721_865_600_000

    private func chart(
        _ lines: [Chart.Line], title: String = "pageviews of A", days: Int64 = 1,
        step: Int64 = 300_000
    ) -> Chart {
        Chart(
            title: title, subtitle: "a day", from: Self.start, to: Self.start + days * Self.day,
            step: step, lines: lines)
    }

    private func texts(_ drawing: Drawing) -> [String] {
        drawing.shapes.compactMap { shape in
            if case .text(let text, _, _, _, _, _) = shape { text } else { nil }
        }
    }

    @Test(
        "steps of the numbers are 1, 2 or 5 times a power of ten, and reach the highest",
        arguments: [
            (1, 6, 1), (6, 6, 1), (7, 6, 2), (60, 6, 10), (61, 6, 20), (199, 6, 50),
            (1_000, 4, 500),
            (999_999, 5, 200_000), (Int64.max, 2, 5_000_000_000_000_000_000),
        ] as [(Int64, Int64, Int64)])
    func steps(highest: Int64, parts: Int64, expected: Int64) {
        #expect(ChartLayout.niceStep(highest, parts: parts) == expected)
    }

    @Test(
        "steps of time are those that people count in",
        arguments: [
            (3_600_000, 9, 600_000), (86_400_000, 9, 10_800_000), (7 * 86_400_000, 9, 86_400_000),
            (35 * 86_400_000, 9, 7 * 86_400_000), (10_000, 9, 5_000),
        ] as [(Int64, Int, Int64)])
    func times(span: Int64, most: Int, expected: Int64) {
        #expect(ChartLayout.timeStep(span, most: most) == expected)
    }

    @Test("everything stays within the picture, whatever the figures and sizes are")
    func bounds() {
        var random = SystemRandomNumberGenerator()
        for (width, height) in [(800, 300), (240, 120), (4_000, 3_000), (1, 1)] {
            for count in [0, 1, 7, 9] {
                let lines = (0..<count).map { number in
                    Chart.Line(
                        name: "line \(number)",
                        points: (0..<288).map { place in
                            let value = Int64.random(in: 0...1_000_000_007, using: &random)
                            return (window: Self.start + Int64(place) * 300_000, value: value)
                        })
                }
                let drawing = ChartLayout.drawing(chart(lines), width: width, height: height)
                for shape in drawing.shapes {
                    let points: [Drawing.Point] =
                        switch shape {
                        case .area(let points, _): points
                        case .line(let points, _, _, _): points
                        case .text(_, let point, _, _, _, _): [point]
                        }
                    for point in points {
                        #expect(point.x >= 0 && point.x <= Double(drawing.width))
                        #expect(point.y >= 0 && point.y <= Double(drawing.height))
                    }
                }
            }
        }
    }

    @Test("numbers, times, title and names are there")
    func labels() {
        let lines = ["actu/monde", "sport"].map { name in
            Chart.Line(name: name, points: [(window: Self.start + 3_600_000, value: 1_800)])
        }
        let shown = texts(ChartLayout.drawing(chart(lines), width: 800, height: 300))
        for text in [
            "pageviews of A", "a day", "actu/monde", "sport", "2,000", "0", "06:00", "UTC",
        ] {
            #expect(shown.contains(text), "\(text) in \(shown)")
        }
        #expect(shown.contains("25 Jul"), "\(shown)")
    }

    @Test("the highest of windows that share a pixel is not lost")
    func peaks() {
        let peak = Self.start + 4_321 * 300_000
        let line = Chart.Line(name: "x", points: [(window: peak, value: 1_000)])
        let drawing = ChartLayout.drawing(chart([line], days: 35), width: 400, height: 200)
        let highest = drawing.shapes.compactMap { shape -> Double? in
            if case .line(let points, _, let width, _) = shape, width == 1.6 {
                points.map(\.y).min()
            } else {
                nil
            }
        }.min()
        #expect(highest == 52)
    }

    @Test("no series at all is said, and is a picture")
    func empty() throws {
        let shown = texts(
            ChartLayout.drawing(chart([.init(name: "x", points: [])]), width: 800, height: 300))
        #expect(shown.contains("nothing was counted"))
    }

    @Test("text from outside cannot leave its element in SVG")
    func escaping() {
        let hostile = "</text><script>alert('x')</script>&\"\u{0}\u{1B}\u{202E}\u{FFFE}"
        let line = Chart.Line(name: hostile, points: [(window: Self.start, value: 1)])
        let drawing = ChartLayout.drawing(
            chart([line, line], title: hostile), width: 4_000, height: 300)
        let svg = SVGWriter.text(drawing)
        #expect(!svg.contains("<script"))
        #expect(svg.contains("&lt;/text&gt;&lt;script&gt;alert(&#39;x&#39;)"))
        #expect(
            !svg.unicodeScalars.contains { ($0.value < 0x20 && $0 != "\n") || $0 == "\u{202E}" })
        #expect(svg.hasPrefix("<svg xmlns=") && svg.hasSuffix("</svg>\n"))
    }

    @Test("a png has the size asked for, and colours in it")
    func png() throws {
        let line = Chart.Line(
            name: "x",
            points: (0..<288).map { (window: Self.start + Int64($0) * 300_000, value: Int64($0)) })
        let drawing = ChartLayout.drawing(chart([line]), width: 800, height: 300)
        let bytes = try PNGWriter.bytes(drawing)
        #expect(bytes.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        #expect(Array(bytes[16..<24]) == [0, 0, 3, 32, 0, 0, 1, 44])
        let blank = try PNGWriter.bytes(Drawing(width: 800, height: 300))
        #expect(bytes.count > blank.count + 1_000)
    }
}
