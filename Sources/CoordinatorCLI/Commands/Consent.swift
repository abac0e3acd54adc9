import EventLoop
import Terminal

/// Asks before something is changed, as all commands that change something do.
@LoopActor enum Consent {
    /// Without a terminal a yes has to be an argument.
    ///
    /// - Parameter wish: what would be done, in words that follow "would": `purge 3 letters`.
    /// - Parameter show: prints what would happen.
    /// - Returns: whether to go on; not when it was a rehearsal.
    /// - Errors: a no, and a question that nobody is there to answer.
    static func ask(
        _ context: CommandContext, _ wish: String, _ show: () -> Void
    ) throws(CommandError) -> Bool {
        let sentence = TerminalText.escaped(wish)
        if context.arguments.flag("dry-run") {
            show()
            context.note("would \(sentence); nothing was changed")
            return false
        }
        guard !context.arguments.flag("yes") else { return true }
        try context.checkTerminal()
        if Questions.isForPeople(context) {
            show()
            context.output.flush()
        }
        guard context.confirms("\(sentence). Go on?") else {
            throw CommandError(.unexpected, "nothing was changed")
        }
        return true
    }

    /// Nothing is done again and again.
    static func refuseWatch(_ context: CommandContext) throws(CommandError) {
        guard !context.arguments.isGiven("watch") else {
            throw CommandError(.usage, "--watch is for commands that only look")
        }
    }
}
