import CoordinatorCore
import Terminal
import TrafficGenerator

/// The traffic that the arguments ask for.
enum TrafficArguments {
    /// - Parameter end: when traffic without `--start` ends, ms; nil for the generator's own day.
    static func read(
        _ arguments: ParsedArguments, endingAt end: Int64? = nil
    ) throws(BenchError) -> TrafficGenerator {
        var options = TrafficOptions()
        options.events = Int(arguments.requiredInteger("events"))
        if case .instant(let milliseconds)? = arguments.time("start") {
            options.startMilliseconds = milliseconds
        } else if arguments.time("start") != nil {
            throw BenchError(
                message:
                    "--start must be a fixed time, so that the same options give the same events")
        }
        options.spanMilliseconds = arguments.requiredSpan("span").wholeMilliseconds
        if let end, arguments.time("start") == nil {
            // To the minute, so that two runs differ in their times alone.
            options.startMilliseconds = (end - options.spanMilliseconds) / 60_000 * 60_000
        }
        options.sites = Int(arguments.requiredInteger("sites"))
        options.sections = Int(arguments.requiredInteger("sections"))
        options.pages = Int(arguments.requiredInteger("pages"))
        options.devices = Int(arguments.requiredInteger("devices"))
        options.seed = UInt64(arguments.requiredInteger("seed"))
        options.pageExponent = try number(arguments, "exponent")
        options.lateFraction = try number(arguments, "late")
        options.duplicateFraction = try number(arguments, "duplicate")
        options.malformedFraction = try number(arguments, "malformed")
        options.playFraction = try number(arguments, "plays")
        do throws(TrafficError) { return try TrafficGenerator(options) } catch {
            throw BenchError(message: "\(error)")
        }
    }

    private static func number(_ arguments: ParsedArguments, _ name: String) throws(BenchError)
        -> Double
    {
        guard let number = Double(arguments.requiredText(name)), number >= 0 else {
            throw BenchError(message: "--\(name) must be a number such as 0.05")
        }
        return number
    }
}

/// `coordinator-bench generate`
enum GenerateCommand {
    static func run(_ arguments: ParsedArguments) -> ExitCode {
        let errors = OutputWriter.standardError()
        let generator: TrafficGenerator
        do throws(BenchError) { generator = try TrafficArguments.read(arguments) } catch {
            CoordinatorBench.write("coordinator-bench: \(error.message)\n", to: errors)
            return .usage
        }
        let output = OutputWriter.standardOutput()
        var line: [UInt8] = []
        if arguments.flag("shuffle") {
            var random = SplitMix64(seed: generator.options.seed)
            for event in Array(generator).shuffled(using: &random) { write(event, &line, output) }
        } else {
            for event in generator {
                write(event, &line, output)
                guard output.isUsable else { break }
            }
        }
        if let failure = output.finish() {
            CoordinatorBench.write("coordinator-bench: \(failure)\n", to: errors)
            return .unexpected
        }
        return .done
    }

    private static func write(_ event: TrafficEvent, _ line: inout [UInt8], _ output: OutputWriter)
    {
        line.removeAll(keepingCapacity: true)
        event.appendLine(to: &line)
        output.write(line)
    }
}
