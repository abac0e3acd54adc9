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
        let words = Array(CommandLine.arguments.dropFirst())
        if words.first == CompletionScript.request { return complete(Array(words.dropFirst())) }
        let parser = ArgumentParser(
            ProgramModel.program, environment: environment, configurationOption: "config")
        do throws(ArgumentError) {
            switch try parser.parse(words) {
            case .help(let path): return help(path)
            case .nothing:
                write(HelpText.program(ProgramModel.program), to: .standardError())
                return .usage
            case .run(let arguments):
                if arguments.command == ["help"] {
                    if arguments.flag("man") {
                        write(
                            ProgramModel.manual.text(of: ProgramModel.program),
                            to: .standardOutput())
                        return .done
                    }
                    return help(arguments.operands("command"))
                }
                if let code = checkEnvironment(arguments, environment) { return code }
                return run(arguments, environment)
            }
        } catch {
            write("coordinator: \(TerminalText.escaped("\(error)"))\n", to: .standardError())
            return .usage
        }
    }

    /// Refuses a misspelt setting, and names what is like none.
    private static func checkEnvironment(
        _ arguments: ParsedArguments, _ environment: [String: String]
    ) -> ExitCode? {
        let unknown = UnknownVariables(
            environment, of: ProgramModel.program, prefix: "COORDINATOR_",
            ignored: ProgramModel.variablesOfTools)
        if let slip = unknown.slip {
            let name = TerminalText.escaped(slip.name)
            write(
                "coordinator: there is no setting \(name); did you mean \(slip.meant)?\n",
                to: .standardError())
            return .configuration
        }
        if !unknown.others.isEmpty, !arguments.flag("quiet") {
            let names = TerminalText.escaped(unknown.others.joined(separator: ", "))
            write("coordinator: no settings, left aside: \(names)\n", to: .standardError())
        }
        return nil
    }

    private static func complete(_ words: [String]) -> ExitCode {
        let completion = Completion(
            of: words, in: ProgramModel.program, hints: CompletionCommand.hints)
        write(completion.text, to: .standardOutput())
        return .done
    }

    private static func help(_ path: [String]) -> ExitCode {
        if path.isEmpty {
            write(HelpText.program(ProgramModel.program), to: .standardOutput())
            return .done
        }
        guard let text = HelpText.command(at: path, of: ProgramModel.program) else {
            write(
                "coordinator: there is no command "
                    + "\(TerminalText.escaped(path.joined(separator: " "))): "
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
