import Testing

@testable import Terminal

@Suite("A view of a whole terminal")
struct ScreenTests {
    @Test("bars are as high as their share, and a quiet one is not an empty one")
    func bars() {
        let lines = BarChart.lines([0, 1, 500, 1_000], height: 2, barWidth: 2)
        #expect(lines == ["      █ ", "  ▁ █ █ "])
        #expect(BarChart.lines([7, 3], height: 1, barWidth: 1) == ["█▃"])
    }

    @Test(
        "nothing at all is an empty chart of the same size",
        arguments: [[], [0, 0, 0]] as [[Int64]])
    func empty(values: [Int64]) {
        let lines = BarChart.lines(values, height: 3, barWidth: 2)
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { $0.allSatisfy { $0 == " " } && $0.count == values.count * 2 })
    }

    @Test("the greatest numbers there are do not overflow")
    func greatest() {
        #expect(BarChart.lines([.max, .max / 2, 1], height: 4, barWidth: 3).count == 4)
    }

    @Test("a frame goes over the one before, and clears what that had more")
    func frame() {
        let frame = TerminalScreen.frame(["one", "two"])
        #expect(frame == "\u{1B}[Hone\u{1B}[K\r\ntwo\u{1B}[K\u{1B}[J")
    }
}
