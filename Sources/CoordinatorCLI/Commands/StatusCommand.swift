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
            for section in StatusTables.sections(report) {
                context.output.write(section.title(context.style))
                context.output.write(section.table.text(context.style))
            }
        }
        let code = context.finish(missing: report.survey.missing)
        if code == .done, context.arguments.flag("exit-code"), report.health.state != .healthy {
            return .unhealthy
        }
        return code
    }
}

/// The status as scripts read it.
enum StatusJSON {
    static func value(_ report: StatusReport) -> JSONValue {
        .object([
            .init("observedAt", .string(ISO8601Text.text(report.survey.now))),
            .init("partial", .bool(report.survey.isPartial)),
            .init(
                "health",
                .object([
                    .init("state", .string(report.health.state.rawValue)),
                    .init("reasons", .array(report.health.reasons.map { .string($0) })),
                ])),
            .init("leader", report.leader.map(leader) ?? .null),
            .init("nodes", .array(report.nodes.map { node($0, report) })),
            .init("shardMap", shardMap(report)),
            .init("tiers", .array(report.tiers.map(tier))),
            .init("sources", .array(report.sources.map(source))),
        ])
    }

    private static func leader(_ leader: LeaderReport) -> JSONValue {
        .object([
            .init("node", .string(leader.node)), .init("term", .string(leader.term)),
            .init("since", .string(ISO8601Text.text(leader.since))),
            .init("leaseRemainingMs", .integer(leader.leaseRemainingMilliseconds)),
        ])
    }

    private static func node(_ node: NodeRecord, _ report: StatusReport) -> JSONValue {
        .object([
            .init("node", .string(node.id.text)), .init("host", .string(node.host)),
            .init("role", .string(node.role)),
            .init("state", .string(node.state(now: report.survey.now))),
            .init("shards", .integer(Int64(node.shards))), .init("version", .string(node.version)),
            .init("heartbeatAt", .string(ISO8601Text.text(node.heartbeatAt))),
        ])
    }

    private static func shardMap(_ report: StatusReport) -> JSONValue {
        .object([
            .init("version", .optional(report.ownership.version?.text)),
            .init("shards", .integer(Int64(report.survey.states.count))),
            .init("owned", .integer(Int64(report.ownership.owned))),
            .init(
                "orphaned", .array(report.ownership.orphaned.map { .integer(Int64($0.rawValue)) })),
            .init(
                "moving", .array(report.ownership.moving.map { .integer(Int64($0.rawValue)) })),
        ])
    }

    static func tier(_ tier: TierReport) -> JSONValue {
        .object([
            .init("tier", .string(tier.tier.name)),
            .init("lengthMs", .integer(tier.tier.lengthMilliseconds)),
            .init("keepMs", .integer(tier.tier.keepMilliseconds)),
            .init("sealedTo", .optional(tier.sealedTo)),
            .init("lagMs", .optional(tier.lagMilliseconds)),
            .init(
                "runs",
                .object([
                    .init("done", .optional(tier.windows)),
                    .init("open", .integer(Int64(tier.open))),
                ])),
        ])
    }

    static func source(_ source: SourceReport) -> JSONValue {
        let refused = source.refused.sorted { $0.key < $1.key }
        return .object([
            .init("key", .string(source.record.key)),
            .init("readTo", .optional(source.readTo?.description)),
            .init("lastId", .optional(source.lastID?.description)),
            .init("lag", .optional(source.lag)),
            .init("read", .integer(source.read)), .init("counted", .integer(source.counted)),
            .init("refused", .object(refused.map { .init($0.key, .integer($0.value)) })),
            .init("kind", .string(source.record.kind.rawValue)),
            .init("name", .optional(source.record.name)),
            .init("state", .string(source.state)),
        ])
    }
}

/// The status as people read it, in tables that fit 80 columns.
enum StatusTables {
    struct Section {
        let heading: String
        let remark: String
        let tone: Tone
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

    static func sections(_ report: StatusReport) -> [Section] {
        [
            health(report), nodes(report),
            Section(heading: "TIERS", remark: "", tone: .strong, table: tiers(report.tiers)),
            Section(heading: "SOURCES", remark: "", tone: .strong, table: sources(report.sources)),
        ]
    }

    private static func health(_ report: StatusReport) -> Section {
        var table = Table([
            TableColumn("LEADER", isElastic: true, isName: true), TableColumn("SINCE"),
            TableColumn("LEASE LEFT"), TableColumn("SHARDS OWNED", .trailing),
            TableColumn("TERM", isWideOnly: true),
        ])
        let owned = "\(report.ownership.owned)/\(report.survey.states.count)"
        if let leader = report.leader {
            table.append([
                TableCell(leader.node),
                TableCell(ISO8601Text.text(leader.since - leader.since % 1_000)),
                TableCell("\(leader.leaseRemainingMilliseconds) ms"), TableCell(owned),
                TableCell(leader.term),
            ])
        } else {
            table.append([TableCell("none", tone: .bad), "–", "–", TableCell(owned), "–"])
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
            let state = node.state(now: report.survey.now)
            table.append([
                TableCell(node.id.text), TableCell(node.host), TableCell(node.role),
                TableCell(state, tone: state == "ready" ? .plain : .bad),
                .number(Int64(node.shards)), TableCell(node.version),
                TableCell(NumberText.relative(node.heartbeatAt, now: report.survey.now)),
            ])
        }
        return Section(heading: "NODES", remark: "", tone: .strong, table: table)
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
