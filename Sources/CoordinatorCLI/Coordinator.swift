import CoordinatorService
import EventLoop
import Glibc
import Terminal

/// The program: reads its arguments, does what they say, and exits with the code that scripts know.
@main enum Coordinator {
    static func main() {
        OutputWriter.ignoreBrokenPipes()
        exit(start().rawValue)
    }

    private static func start() -> ExitCode {
        let environment = ProcessEnvironment.read()
        let parser = ArgumentParser(
            ProgramModel.program, environment: environment, configurationOption: "config")
        do throws(ArgumentError) {
            switch try parser.parse(Array(CommandLine.arguments.dropFirst())) {
            case .help(let path): return help(path)
            case .nothing:
                write(HelpText.program(ProgramModel.program), to: .standardError())
                return .usage
            case .run(let arguments):
                if arguments.command == ["help"] {
                    return help(arguments.operands("command"))
                }
                return run(arguments, environment)
            }
        } catch {
            write("coordinator: \(error)\n", to: .standardError())
            return .usage
        }
    }

    private static func help(_ path: [String]) -> ExitCode {
        if path.isEmpty {
            write(HelpText.program(ProgramModel.program), to: .standardOutput())
            return .done
        }
        guard let text = HelpText.command(at: path, of: ProgramModel.program) else {
            write(
                "coordinator: there is no command \(path.joined(separator: " ")): "
                    + "`coordinator help` lists them\n", to: .standardError())
            return .usage
        }
        write(text, to: .standardOutput())
        return .done
    }

    private static func run(
        _ arguments: ParsedArguments, _ environment: [String: String]
    ) -> ExitCode {
        let code = MainLoop.run {
            let context = CommandContext(arguments, environment)
            let code = await context.run()
            return code.rawValue
        }
        return ExitCode(rawValue: code) ?? .unexpected
    }

    private static func write(_ text: String, to writer: OutputWriter) {
        writer.write(text)
        writer.flush()
    }
}
