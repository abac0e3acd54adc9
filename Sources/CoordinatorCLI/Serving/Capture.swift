import EventLoop
import RedisClient
import Terminal

/// A command that is run for a request instead of a terminal: what it shows is kept as JSON.
///
/// So an answer over HTTP is the command's own `-o json`, and a parameter its option: neither can
/// differ from the other.
@LoopActor struct Capture {
    /// What a command answered.
    struct Answer: Sendable {
        let value: JSONValue
        let code: ExitCode
    }

    /// Parses words as a command line, without environment and file.
    static func parse(_ words: [String]) throws(CommandError) -> ParsedArguments {
        do throws(ArgumentError) {
            let parser = ArgumentParser(
                ProgramModel.program, environment: [:], configurationOption: "config")
            guard case .run(let arguments) = try parser.parse(words) else {
                throw ArgumentError.unsuitable("this is no question")
            }
            return arguments
        } catch {
            throw CommandError(.usage, "\(error)")
        }
    }

    /// Runs a command on a client that stays the caller's.
    static func run(
        _ arguments: ParsedArguments, on cluster: RedisCluster
    ) async throws(CommandError) -> Answer {
        let context = CommandContext(capturing: arguments, on: cluster)
        let code = try await context.perform()
        return Answer(value: context.captured ?? .null, code: code)
    }
}
