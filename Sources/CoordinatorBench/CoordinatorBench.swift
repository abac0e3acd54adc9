import EventLoop
import Glibc
import Terminal

/// Benchmarks and the traffic they run on. Figures are ratios to something measured in the same
/// run.
@main enum CoordinatorBench {
    static func main() {
        OutputWriter.ignoreBrokenPipes()
        exit(start().rawValue)
    }

    private static func start() -> ExitCode {
        let environment = ProcessEnvironment.read()
        let parser = ArgumentParser(BenchModel.program, environment: environment)
        do throws(ArgumentError) {
            switch try parser.parse(Array(CommandLine.arguments.dropFirst())) {
            case .help(let path):
                let text = path.isEmpty ? nil : HelpText.command(at: path, of: BenchModel.program)
                write(text ?? HelpText.program(BenchModel.program), to: .standardOutput())
                return .done
            case .nothing:
                write(HelpText.program(BenchModel.program), to: .standardError())
                return .usage
            case .run(let arguments): return run(arguments)
            }
        } catch {
            write("coordinator-bench: \(error)\n", to: .standardError())
            return .usage
        }
    }

    private static func run(_ arguments: ParsedArguments) -> ExitCode {
        if arguments.command == ["generate"] { return GenerateCommand.run(arguments) }
        let code = MainLoop.run {
            do throws(BenchError) {
                switch arguments.command.first {
                case "ingest": try await IngestBench(arguments).run()
                case "flood":
                    var bench = FloodBench(arguments)
                    try await bench.run()
                case "enrich": try await EnrichBench(arguments).run()
                case "rotate": try await RotateBench(arguments).run()
                case "plan": PlanBench(arguments).run()
                case "search": try await SearchBench(arguments).run()
                default: try await ReadBench(arguments).run()
                }
                return ExitCode.done.rawValue
            } catch {
                write("coordinator-bench: \(error.message)\n", to: .standardError())
                return ExitCode.unexpected.rawValue
            }
        }
        return ExitCode(rawValue: code) ?? .unexpected
    }

    static func write(_ text: String, to writer: OutputWriter) {
        writer.write(text)
        writer.flush()
    }
}

/// Why a benchmark has no result, in one sentence.
struct BenchError: Error {
    let message: String
}
