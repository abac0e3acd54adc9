import CoordinatorCore
import CoordinatorService
import EventLoop
import Glibc
import Pictures
import Terminal

/// `series … -o svg|png`: a picture instead of a table.
@LoopActor enum SeriesPicture {
    /// The forms of a picture, beside the forms of output that every command has.
    enum Format: String, CaseIterable, Sendable {
        case svg, png
    }

    /// The form asked for; nil where none is.
    static func format(_ context: CommandContext) -> Format? {
        Format(rawValue: context.arguments.requiredText("output"))
    }

    /// Writes a chart to the output.
    static func write(
        _ context: CommandContext, _ format: Format, _ title: String, _ interval: Interval,
        isFinal: Bool, _ lines: [Chart.Line]
    ) throws(CommandError) {
        let size = try size(context.arguments.requiredText("size"))
        let chart = Chart(
            title: title, subtitle: Questions.coverage(interval, isFinal), from: interval.from,
            to: interval.to, step: interval.tier.lengthMilliseconds, lines: lines)
        let drawing = ChartLayout.drawing(chart, width: size.width, height: size.height)
        switch format {
        case .svg: context.output.write(SVGWriter.text(drawing))
        case .png:
            let terminal = TerminalInfo(
                descriptor: STDOUT_FILENO, environment: context.environment)
            guard !terminal.isTerminal else {
                throw CommandError(.usage, "a png is no text: write it to a file with > FILE.png")
            }
            do throws(PNGWriter.Failure) {
                context.output.write(try PNGWriter.bytes(drawing))
            } catch {
                throw CommandError(.unexpected, "\(error)")
            }
        }
    }

    /// `WIDTHxHEIGHT`.
    private static func size(
        _ text: String
    ) throws(CommandError) -> (width: Int, height: Int) {
        let parts = text.lowercased().split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, let width = Int(parts[0]), let height = Int(parts[1]),
            ChartLayout.widths.contains(width), ChartLayout.heights.contains(height)
        else {
            throw CommandError(
                .usage,
                "--size '\(TerminalText.escaped(text))' is no size: WIDTHxHEIGHT in pixels, "
                    + "\(ChartLayout.widths.lowerBound)x\(ChartLayout.heights.lowerBound) to "
                    + "\(ChartLayout.widths.upperBound)x\(ChartLayout.heights.upperBound)")
        }
        return (width, height)
    }
}

extension Chart.Line {
    /// A line of a record's samples.
    init(_ name: String, _ points: [Series.Point]) {
        self.init(name: name, points: points.map { (window: $0.window, value: $0.value) })
    }
}
