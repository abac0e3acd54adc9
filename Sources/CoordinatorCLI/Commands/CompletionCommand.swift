import CoordinatorCore
import EventLoop
import Terminal

/// `coordinator completion`, and what the scripts that it prints ask.
@LoopActor enum CompletionCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let name = context.arguments.requiredOperand("shell")
        guard let script = CompletionScript(rawValue: name) else {
            preconditionFailure("the model lets no other shell through")
        }
        context.output.write(script.text(for: ProgramModel.program.name))
        return .done
    }

    /// Words for values that any text may be: Redis is not asked while somebody types.
    nonisolated static var hints: [String: [String]] {
        [
            "TIER": Ladder.standard.tiers.map(\.name), "ZONE": ["UTC"],
            "TIME": ["now", "1h", "24h", "7d"], "ADDRESS:PORT|off": ["off"],
            "now|oldest|TIME": ["now", "oldest"],
        ]
    }
}
