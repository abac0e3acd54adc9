import CoordinatorCore
import CoordinatorService
import RedisClient
import Terminal

/// The status as scripts read it.
enum StatusJSON {
    static func value(_ report: StatusReport) -> JSONValue {
        .object([
            .init("observedAt", .string(ISO8601Text.text(report.survey.now))),
            .init("partial", .bool(!report.missing.isEmpty)),
            .init(
                "health",
                .object([
                    .init("state", .string(report.health.state.rawValue)),
                    .init("reasons", .array(report.health.reasons.map { .string($0) })),
                ])),
            .init("leader", report.leader.map { leader($0, report.control) } ?? .null),
            .init("nodes", .array(report.nodes.map { .object(node($0, report.control)) })),
            .init("shardMap", shardMap(report)),
            .init("tiers", .array(report.tiers.map(tier))),
            .init("sources", .array(report.sources.map(source))),
            .init("startAt", .integer(report.start)),
            .init("fencedWrites", .integer(report.survey.fencedWrites)),
            .init("indexes", .array(report.indexes.masters.flatMap(indexes))),
        ])
    }

    private static func indexes(_ master: IndexSurvey.Master) -> [JSONValue] {
        (master.indexes ?? []).map { index in
            .object([
                .init("index", .string(index.name.text)),
                .init("master", .string("\(master.master.endpoint)")),
                .init("dimension", .string(index.name.dimension.rawValue)),
                .init("documents", .optional(index.documents)),
                .init("complete", index.filled.map { .bool($0 >= 1) } ?? .null),
            ])
        }
    }

    static func leader(_ leader: LeaderReport, _ control: ControlReading) -> JSONValue {
        let node = control.nodes.first { $0.id.text == leader.node }
        return .object([
            .init("node", .string(leader.node)), .init("term", .string(leader.term)),
            .init("since", .string(ISO8601Text.text(leader.since))),
            .init("leaseRemainingMs", .integer(leader.leaseRemainingMilliseconds)),
            .init("leaseMs", .optional(node?.leaseMilliseconds)),
        ])
    }

    static func node(_ node: NodeRecord, _ control: ControlReading) -> [JSONValue.Member] {
        [
            .init("node", .string(node.id.text)), .init("host", .string(node.host)),
            .init("role", .string(control.role(of: node))),
            .init("state", .string(control.state(of: node).rawValue)),
            .init("shards", .integer(Int64(control.shards(of: node)))),
            .init("version", .string(node.version)),
            .init("heartbeatAt", .string(ISO8601Text.text(node.heartbeatAt))),
            .init("heartbeatEveryMs", .optional(node.heartbeatEveryMilliseconds)),
            .init("timeToLiveMs", .integer(node.timeToLiveMilliseconds)),
            .init("silent", .bool(control.isSilent(node))),
        ]
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
            .init("publishedAt", .optional(report.mappedAt.map { ISO8601Text.text($0) })),
            .init("strip", .string(report.strip.text)),
            .init("owners", .array(report.strip.owners.map(owner))),
            .init("masters", .array(report.masters.map(master))),
        ])
    }

    private static func owner(_ owner: ShardStrip.Owner) -> JSONValue {
        .object([
            .init("letter", .string(String(owner.letter))),
            .init("node", .string(owner.node.text)), .init("shards", .integer(Int64(owner.shards))),
        ])
    }

    private static func master(_ master: MasterReport) -> JSONValue {
        .object([
            .init("master", .optional(master.endpoint)),
            .init("shards", .integer(Int64(master.shards))),
            .init("answered", .integer(Int64(master.answered))),
        ])
    }

    static func tier(_ tier: TierReport) -> JSONValue {
        .object([
            .init("tier", .string(tier.tier.name)),
            .init("lengthMs", .integer(tier.tier.lengthMilliseconds)),
            .init("keepMs", .integer(tier.tier.keepMilliseconds)),
            .init("sealedTo", .optional(tier.sealedTo)),
            .init("lagMs", .optional(tier.lagMilliseconds)),
            .init("aheadTo", .optional(tier.aheadTo)), .init("late", .bool(tier.isLate)),
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
