import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator nodes`
@LoopActor enum NodesCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let control = try await context.service { () async throws(ServiceError) in
            try await deployment.control()
        }
        var table = Table([
            TableColumn("NODE", isElastic: true, isName: true), TableColumn("STATE"),
            TableColumn("ROLE"), TableColumn("SHARDS", .trailing), TableColumn("VERSION"),
            TableColumn("JOINED"), TableColumn("HEARTBEAT"), TableColumn("HOST", isWideOnly: true),
        ])
        for node in control.nodes {
            table.append([
                TableCell(node.id.text), NodeTables.state(node, control),
                TableCell(control.role(of: node)),
                .number(Int64(control.shards(of: node))), TableCell(node.version),
                TableCell(
                    NodeTables.age(since: node.joinedAt, now: control.now) + " ago",
                    raw: "\(node.joinedAt)"),
                NodeTables.heartbeat(node, control), TableCell(node.host),
            ])
        }
        let values = control.nodes.map { node in
            JSONValue.object(
                StatusJSON.node(node, control) + [
                    .init("joinedAt", .string(ISO8601Text.text(node.joinedAt)))
                ])
        }
        context.show(Document(.array(values), lines: values, table: table))
        if control.nodes.isEmpty, Questions.isForPeople(context) {
            context.note("no node is listed: start one with `coordinator run`")
        }
        return .done
    }
}

/// Cells that more than one table of nodes has.
enum NodeTables {
    static func state(_ node: NodeRecord, _ control: ControlReading) -> TableCell {
        let state = control.state(of: node)
        return TableCell(
            state.rawValue, tone: state == .ready ? .plain : state == .lost ? .bad : .warning)
    }

    static func heartbeat(_ node: NodeRecord, _ control: ControlReading) -> TableCell {
        TableCell(
            age(since: node.heartbeatAt, now: control.now) + " ago", raw: "\(node.heartbeatAt)")
    }

    /// How long ago, in one unit, so that a column keeps its width; never below zero, whatever
    /// clocks do.
    static func age(since instant: Int64, now: Int64) -> String {
        let age = max(0, now.subtractingReportingOverflow(instant).partialValue)
        let units: [Int64] = [86_400_000, 3_600_000, 60_000, 1_000]
        let unit = units.first { age >= $0 * ($0 == 1_000 ? 10 : 2) } ?? 1
        return NumberText.span(.milliseconds(age - age % unit))
    }
}

/// `coordinator history`
@LoopActor enum HistoryCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let count = context.arguments.requiredInteger("number")
        let entries = try await context.service { () async throws(ServiceError) in
            Array(try await deployment.history(count).reversed())
        }
        var table = Table([
            TableColumn("AT"), TableColumn("KIND"),
            TableColumn("NODE", isElastic: true), TableColumn("REASON", isElastic: true),
            TableColumn("TERM", isWideOnly: true),
            TableColumn("MAP VERSION", field: "map_version", isWideOnly: true),
        ])
        for entry in entries {
            table.append([
                TableCell(ISO8601Text.text(entry.at - entry.at % 1_000), raw: "\(entry.at)"),
                TableCell(entry.kind.rawValue),
                subject(entry, isWide: context.style.format == .wide),
                TableCell(entry.sentence(ISO8601Text.text)), .optional(entry.term?.text),
                .optional(entry.mapVersion?.text),
            ])
        }
        let values = entries.map { entry in
            JSONValue.object([
                .init("at", .string(ISO8601Text.text(entry.at))),
                .init("kind", .string(entry.kind.rawValue)),
                .init("node", entry.subject.isEmpty ? .null : .string(entry.subject)),
                .init("term", .optional(entry.term?.text)),
                .init("mapVersion", .optional(entry.mapVersion?.text)),
                .init("reason", .string(entry.sentence(ISO8601Text.text))),
            ])
        }
        context.show(Document(.array(values), lines: values, table: table))
        return .done
    }

    /// A node by its name alone where there is little room: the reason has to be read, too.
    private static func subject(_ entry: HistoryEntry, isWide: Bool) -> TableCell {
        guard let node = NodeID(entry.subject), !isWide else {
            return .optional(entry.subject.isEmpty ? nil : entry.subject)
        }
        return TableCell(node.name, raw: node.text)
    }
}
