import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator status`: leader, nodes, shards, tiers, sources on one screen, from Redis itself.
@LoopActor enum StatusCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let report = try await context.service { () async throws(ServiceError) in
            try await StatusReport.make(deployment)
        }
        switch context.style.format {
        case .json, .ndjson:
            context.show(Document(StatusJSON.value(report), table: Table([])))
        case .table, .wide, .csv, .name:
            for section in StatusTables.sections(report, context.style) {
                context.output.write(section.title(context.style))
                for line in section.lines where Questions.isForPeople(context) {
                    context.output.write(line + "\n")
                }
                context.output.write(section.table.text(context.style))
            }
        }
        let code = context.finish(missing: report.missing)
        if code == .done, context.arguments.flag("exit-code"), report.health.state != .healthy {
            return .unhealthy
        }
        return code
    }
}

/// The status as people read it, in tables that fit 80 columns.
enum StatusTables {
    struct Section {
        let heading: String
        let remark: String
        let tone: Tone
        /// Between the title and the table, for people only.
        var lines: [String] = []
        let table: Table

        func title(_ style: RenderingStyle) -> String {
            guard style.format == .table || style.format == .wide else { return "" }
            let line = TerminalText.escaped(remark.isEmpty ? heading : "\(heading)  \(remark)")
            return "\n"
                + tone.applied(
                    to: TerminalText.shortened(line, toWidth: style.width),
                    hasColour: style.hasColour) + "\n"
        }
    }

    static func sections(_ report: StatusReport, _ style: RenderingStyle) -> [Section] {
        [
            health(report), nodes(report), shards(report, style),
            Section(heading: "TIERS", remark: "", tone: .strong, table: tiers(report.tiers)),
            Section(heading: "SOURCES", remark: "", tone: .strong, table: sources(report.sources)),
        ]
    }

    private static func health(_ report: StatusReport) -> Section {
        var table = Table([
            TableColumn("LEADER", isElastic: true, isName: true), TableColumn("SINCE"),
            TableColumn("LEASE LEFT"), TableColumn("SHARDS OWNED", .trailing),
            TableColumn("MAP AGE", .trailing), TableColumn("TERM", isWideOnly: true),
        ])
        let owned = "\(report.ownership.owned)/\(report.survey.states.count)"
        let age = TableCell(
            report.mappedAt.map { NodeTables.age(since: $0, now: report.survey.now) } ?? "–")
        if let leader = report.leader {
            table.append([
                TableCell(leader.node),
                TableCell(ISO8601Text.text(leader.since - leader.since % 1_000)),
                TableCell("\(leader.leaseRemainingMilliseconds) ms"), TableCell(owned),
                age, TableCell(leader.term),
            ])
        } else {
            table.append([TableCell("none", tone: .bad), "–", "–", TableCell(owned), age, "–"])
        }
        let tone: Tone = report.health.state == .healthy ? .good : .bad
        return Section(
            heading: report.health.state.rawValue.uppercased(),
            remark: report.health.reasons.joined(separator: "; "), tone: tone, table: table)
    }

    private static func nodes(_ report: StatusReport) -> Section {
        var table = Table([
            TableColumn("NODE", isElastic: true, isName: true),
            TableColumn("HOST", isElastic: true),
            TableColumn("ROLE"), TableColumn("STATE"), TableColumn("SHARDS", .trailing),
            TableColumn("VERSION"), TableColumn("HEARTBEAT"),
        ])
        for node in report.nodes {
            table.append([
                TableCell(node.id.text), TableCell(node.host),
                TableCell(report.control.role(of: node)),
                NodeTables.state(node, report.control),
                .number(Int64(report.control.shards(of: node))), TableCell(node.version),
                NodeTables.heartbeat(node, report.control),
            ])
        }
        return Section(heading: "NODES", remark: "", tone: .strong, table: table)
    }

    private static func shards(_ report: StatusReport, _ style: RenderingStyle) -> Section {
        var table = Table([
            TableColumn("MASTER", isElastic: true, isName: true),
            TableColumn("SHARDS", .trailing), TableColumn("ANSWERED", .trailing),
        ])
        for master in report.masters {
            let isWhole = master.answered == master.shards
            table.append([
                .optional(master.endpoint), .number(Int64(master.shards)),
                .number(Int64(master.answered), tone: isWhole ? .plain : .bad),
            ])
        }
        let fenced = report.survey.fencedWrites
        let remark =
            style.format == .wide && fenced > 0
            ? "\(NumberText.grouped(fenced)) steps of superseded owners refused" : ""
        return Section(
            heading: "SHARDS", remark: remark, tone: .strong,
            lines: ShardLines.lines(report.strip, style), table: table)
    }

    static func tiers(_ tiers: [TierReport]) -> Table {
        var table = Table([
            TableColumn("TIER", isName: true), TableColumn("KEEPS", .trailing),
            TableColumn("SEALED TO"),
            TableColumn("LAG", .trailing), TableColumn("WINDOWS", .trailing),
            TableColumn("OPEN", .trailing),
        ])
        for tier in tiers {
            let keep = tier.tier.keepMilliseconds
            table.append([
                TableCell(tier.tier.name), TableCell(keep == 0 ? "–" : TimeSpan.format(keep)),
                .instant(tier.sealedTo.flatMap { $0 > 0 ? $0 : nil }),
                TableCell(tier.lagMilliseconds.map { NumberText.span(.milliseconds($0)) } ?? "–"),
                .number(tier.windows), .number(Int64(tier.open)),
            ])
        }
        return table
    }

    static func sources(_ sources: [SourceReport]) -> Table {
        var table = Table([
            TableColumn("SOURCE", isElastic: true, isName: true), TableColumn("STATE"),
            TableColumn("LAG", .trailing), TableColumn("READ", .trailing),
            TableColumn("COUNTED", .trailing), TableColumn("REFUSED", .trailing),
            TableColumn("READ TO", isWideOnly: true), TableColumn("KEY", isWideOnly: true),
        ])
        for source in sources {
            table.append([
                TableCell(source.record.name ?? source.record.key), TableCell(source.state),
                .number(source.lag),
                .number(source.read), .number(source.counted),
                .number(
                    source.refused.values.reduce(0, +),
                    tone: source.refused.isEmpty ? .plain : .warning),
                TableCell(source.readTo?.description ?? "–"), TableCell(source.record.key),
            ])
        }
        return table
    }
}
