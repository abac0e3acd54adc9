import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator drain NODE [--undo]`
@LoopActor enum DrainCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let (deployment, control) = try await Operation.begin(context)
        let name = try resolve(context.arguments.requiredOperand("node"), control)
        let isOn = !context.arguments.flag("undo")
        let drained = control.orders.ofNodes.drained
        let plan = PlannedMoves(
            control, shardCount: deployment.layout.count,
            drained: isOn ? drained.union([name]) : drained.subtracting([name]))
        var operation = Operation(
            .drain(name, isOn), "drain", isOn ? "drain \(name)" : "let \(name) have shards again",
            plan)
        if drained.contains(name) == isOn {
            operation.noChange = "\(name) \(isOn ? "is drained already" : "is not drained")"
        } else if isOn, plan.able.isEmpty {
            operation.effect = "it keeps its shards until another node is there"
        }
        operation.done =
            isOn
            ? "\(name) is to have no shards until `drain \(name) --undo`, even after a restart"
            : "\(name) may have shards again"
        return try await operation.carryOut(context, deployment, control)
    }

    /// A node's name, from its name or its full id.
    private static func resolve(
        _ given: String, _ control: ControlReading
    ) throws(CommandError) -> String {
        if let node = control.nodes.first(where: { $0.id.name == given || $0.id.text == given }) {
            return node.id.name
        }
        // One that is gone may still be drained: that has to be undone, too.
        if control.orders.ofNodes.drained.contains(given) { return given }
        let known = control.nodes.map(\.id.name).joined(separator: ", ")
        throw CommandError(
            .usage,
            "no node is called '\(given)': "
                + (known.isEmpty ? "none is listed" : "there are \(known)"))
    }
}

/// `coordinator rebalance`
@LoopActor enum RebalanceCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let (deployment, control) = try await Operation.begin(context)
        let plan = PlannedMoves(
            control, shardCount: deployment.layout.count, drained: control.orders.ofNodes.drained)
        var operation = Operation(.rebalance, "rebalance", "balance the shards now", plan)
        if plan.moves.isEmpty { operation.noChange = "every node that is there has its share" }
        operation.done = "nodes that were held back get their shards now"
        return try await operation.carryOut(context, deployment, control)
    }
}

/// `coordinator step-down`
@LoopActor enum StepDownCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let (deployment, control) = try await Operation.begin(context)
        guard let leader = control.leader else {
            if [.json, .ndjson].contains(context.style.format) {
                let value = Operation.value("step-down", context, changed: false, members: [])
                context.show(Document(value, table: Table([])))
            }
            context.note("no change: nobody leads")
            return .done
        }
        let others = control.live.map(\.id.text).filter { $0 != leader.node }
        var table = Table([
            TableColumn("LEADER", isElastic: true, isName: true), TableColumn("SINCE"),
            TableColumn("OTHERS", .trailing), TableColumn("TERM", isWideOnly: true),
        ])
        table.append([
            TableCell(leader.node), .instant(leader.since - leader.since % 1_000),
            .number(Int64(others.count)), TableCell(leader.term),
        ])
        let operation = Operation(
            order: .stepDown(leader), action: "step-down",
            wish: "end the term of \(leader.node)",
            effect: others.isEmpty
                ? "no other node is there: it leads again after its lease"
                : "another of \(others.count + 1) nodes takes over; no shard moves",
            noChange: control.orders.ofNodes.stepDown?.text == leader.term
                ? "\(leader.node) is asked already" : nil,
            done: "\(leader.node) is asked to step down; `coordinator leader` names the next one",
            table: table,
            members: [
                .init("leader", StatusJSON.leader(leader, control)),
                .init("others", .array(others.map { .string($0) })),
            ])
        return try await operation.carryOut(context, deployment, control)
    }
}

/// `coordinator pause TIER` and `coordinator resume TIER`
@LoopActor enum PauseCommand {
    static func pause(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        try await run(context, isOn: true)
    }

    static func resume(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        try await run(context, isOn: false)
    }

    private static func run(
        _ context: CommandContext, isOn: Bool
    ) async throws(CommandError) -> ExitCode {
        let (deployment, control) = try await Operation.begin(context)
        let tier = try resolve(context.arguments.requiredOperand("tier"), deployment.ladder)
        let before = Set(control.orders.pausedTiers)
        let after = isOn ? before.union([tier.name]) : before.subtracting([tier.name])
        let verb = isOn ? "pause" : "resume"
        let rows = zip(
            deployment.ladder.tiers.dropFirst(),
            zip(states(deployment.ladder, before), states(deployment.ladder, after)))
        var table = Table([
            TableColumn("TIER", isName: true), TableColumn("NOW"), TableColumn("THEN"),
        ])
        var values: [JSONValue] = []
        for (tier, (now, then)) in rows {
            table.append([TableCell(tier.name), TableCell(now), TableCell(then)])
            values.append(
                .object([
                    .init("tier", .string(tier.name)), .init("now", .string(now)),
                    .init("then", .string(then)),
                ]))
        }
        let operation = Operation(
            order: .pause(tier, isOn), action: verb, wish: "\(verb) \(tier.name)",
            effect: isOn
                ? "no window of it is sealed until `coordinator resume \(tier.name)`; "
                    + "coarser tiers wait for it, nothing is lost"
                : "windows that became due meanwhile are sealed in order",
            noChange: before == after
                ? "\(tier.name) is \(isOn ? "paused already" : "not paused")" : nil,
            done: "\(tier.name) is \(isOn ? "paused" : "resumed")", table: table,
            members: [.init("tiers", .array(values))])
        return try await operation.carryOut(context, deployment, control)
    }

    /// A tier that is sealed, by its name or its length.
    private static func resolve(
        _ given: String, _ ladder: Ladder
    ) throws(CommandError) -> Tier {
        let names = ladder.tiers.dropFirst().map(\.name).joined(separator: ", ")
        let length = TimeSpan.parse(given)
        guard
            let tier = ladder.tiers.first(where: {
                $0.name == given.uppercased() || $0.lengthMilliseconds == length
            })
        else { throw CommandError(.usage, "there is no tier '\(given)': there are \(names)") }
        guard tier.index > 0 else {
            throw CommandError(
                .usage,
                "\(tier.name) is the base: events are counted in it, and none of its windows is "
                    + "sealed. What can be paused: \(names)")
        }
        return tier
    }

    /// What becomes of each tier but the base: a tier is made of the finer one's sealed windows.
    private static func states(_ ladder: Ladder, _ paused: Set<String>) -> [String] {
        var cause: String?
        return ladder.tiers.dropFirst().map { tier in
            if paused.contains(tier.name) {
                cause = tier.name
                return "paused"
            }
            return cause.map { "waits for \($0)" } ?? "sealed"
        }
    }
}
