import CoordinatorCore
import CoordinatorService
import EventLoop
import Glibc
import Terminal

/// One thing that an operator asks for: what it would do, and how it is asked for.
///
/// The same again is no change; nothing is written without a yes.
@LoopActor struct Operation {
    let order: Order
    /// The command's name.
    let action: String
    /// What is to be done, as it is asked back: `drain n1`.
    let wish: String
    /// What follows from it.
    var effect: String
    /// Why there is nothing to do; nil when there is.
    var noChange: String?
    /// What is said when it was asked for.
    var done = ""
    let table: Table
    let members: [JSONValue.Member]

    init(
        order: Order, action: String, wish: String, effect: String, noChange: String?,
        done: String, table: Table, members: [JSONValue.Member]
    ) {
        self.order = order
        self.action = action
        self.wish = wish
        self.effect = effect
        self.noChange = noChange
        self.done = done
        self.table = table
        self.members = members
    }

    /// An order that moves shards.
    init(_ order: Order, _ action: String, _ wish: String, _ plan: PlannedMoves) {
        var table = Table([
            TableColumn("FROM", isElastic: true), TableColumn("TO", isElastic: true, isName: true),
            TableColumn("SHARDS", .trailing),
        ])
        var values: [JSONValue] = []
        for move in plan.moves {
            table.append([
                .optional(move.from?.text), .optional(move.to?.text), .number(Int64(move.shards)),
            ])
            values.append(
                .object([
                    .init("from", .optional(move.from?.text)),
                    .init("to", .optional(move.to?.text)),
                    .init("shards", .integer(Int64(move.shards))),
                ]))
        }
        let count = plan.shards
        self.init(
            order: order, action: action, wish: wish,
            effect: count == 0
                ? "no shard moves" : "\(count) \(count == 1 ? "shard moves" : "shards move")",
            noChange: nil, done: "", table: table, members: [.init("moves", .array(values))])
    }

    /// The deployment and what its control slot says.
    static func begin(
        _ context: CommandContext
    ) async throws(CommandError) -> (Deployment, ControlReading) {
        guard !context.arguments.isGiven("watch") else {
            throw CommandError(.usage, "--watch is for commands that only look")
        }
        let deployment = try await context.deployment()
        let control = try await context.service { () async throws(ServiceError) in
            try await deployment.control()
        }
        return (deployment, control)
    }

    /// Asks, unless there is nothing to do or it is only a rehearsal.
    func carryOut(
        _ context: CommandContext, _ deployment: Deployment, _ control: ControlReading
    ) async throws(CommandError) -> ExitCode {
        if let noChange {
            show(context, changed: false, withTable: false)
            context.note("no change: \(TerminalText.escaped(noChange))")
            return .done
        }
        if context.arguments.flag("dry-run") {
            show(context, changed: false, withTable: true)
            context.note("would \(sentence); nothing was changed")
            return .done
        }
        let isAsked = !context.arguments.flag("yes")
        if isAsked {
            try context.checkTerminal()
            // What would happen is on the screen before the question.
            if Questions.isForPeople(context) { show(context, changed: false, withTable: true) }
            guard context.confirms("\(sentence). Go on?") else {
                context.note("nothing was changed")
                return .unexpected
            }
        }
        let changed: Bool
        do throws(ServiceError) { changed = try await deployment.give(order) } catch {
            // The term ended between the look and the order: not wrong usage.
            if case .question(let text) = error { throw CommandError(.unexpected, text) }
            throw CommandError(error)
        }
        if !isAsked || !Questions.isForPeople(context) {
            show(context, changed: changed, withTable: true)
        }
        context.note(TerminalText.escaped(changed ? done : "no change: asked for already"))
        if changed, control.leader == nil {
            context.note("nobody leads now: it is done once a node does")
        }
        return .done
    }

    private var sentence: String { TerminalText.escaped("\(wish): \(effect)") }

    private func show(_ context: CommandContext, changed: Bool, withTable: Bool) {
        switch context.style.format {
        case .json, .ndjson:
            let value = Self.value(action, context, changed: changed, members: members)
            context.show(Document(value, table: table))
        case .table, .wide, .csv, .name:
            guard withTable, !table.rows.isEmpty else { return }
            context.output.write(table.text(context.style))
        }
        context.output.flush()
    }

    /// The answer as scripts read it.
    static func value(
        _ action: String, _ context: CommandContext, changed: Bool, members: [JSONValue.Member]
    ) -> JSONValue {
        .object(
            [
                .init("action", .string(action)), .init("changed", .bool(changed)),
                .init("dryRun", .bool(context.arguments.flag("dry-run"))),
            ] + members)
    }
}

extension CommandContext {
    /// Makes sure that there is somebody to ask.
    func checkTerminal() throws(CommandError) {
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw CommandError(
                .usage,
                "there is no terminal to ask on: give --yes to do it, "
                    + "or --dry-run to see what it would do")
        }
    }

    /// Asks on the terminal; anything but a yes is a no.
    func confirms(_ question: String) -> Bool {
        progress(question + " [y/N] ")
        return ["y", "yes"].contains((readLine() ?? "").lowercased())
    }
}
