import CoordinatorCore
import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// `coordinator tiers`
@LoopActor enum TiersCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let (tiers, missing) = try await context.service { () async throws(ServiceError) in
            let survey = try await deployment.survey()
            return (try await TierReport.all(deployment, survey), survey.missing)
        }
        let values = tiers.map(StatusJSON.tier)
        context.show(Document(.array(values), lines: values, table: StatusTables.tiers(tiers)))
        return context.finish(missing: missing)
    }
}

/// `coordinator sources`, and `sources add|forget KEY`
@LoopActor enum SourcesCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        if let action = context.arguments.operand("action") {
            guard let key = context.arguments.operand("key") else {
                throw CommandError(.usage, "name the stream: coordinator sources \(action) KEY")
            }
            return try await change(action, key, deployment, context)
        }
        let (sources, missing) = try await context.service { () async throws(ServiceError) in
            let survey = try await deployment.survey()
            return (try await SourceReport.all(deployment, survey), survey.missing)
        }
        let values = sources.map(StatusJSON.source)
        context.show(Document(.array(values), lines: values, table: StatusTables.sources(sources)))
        return context.finish(missing: missing)
    }

    private static func change(
        _ action: String, _ key: String, _ deployment: Deployment, _ context: CommandContext
    ) async throws(CommandError) -> ExitCode {
        let registry = SourceRegistry(deployment.cluster)
        if action == "add" {
            try SettingsArguments.check(key)
            try await context.service { () async throws(ServiceError) in
                try await registry.add(live: key, at: try await deployment.serverTime())
            }
            context.note("\(key) is a source; nodes read it from their next look on")
            return .done
        }
        let wasThere = try await context.service { () async throws(ServiceError) in
            try await registry.forget(key)
        }
        guard wasThere else {
            throw CommandError(.usage, "\(key) is no source: `coordinator sources` lists them")
        }
        context.note("\(key) is read no more; what it brought stays")
        return .done
    }
}

/// `coordinator shards`
@LoopActor enum ShardsCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let survey = try await context.service { () async throws(ServiceError) in
            try await deployment.survey()
        }
        var table = Table([
            TableColumn("SHARD", .trailing, isName: true), TableColumn("TAG"), TableColumn("SLOTS"),
            TableColumn("NODE", isElastic: true), TableColumn("MASTER"),
            TableColumn("SEALED TO", field: "sealed_to"),
            TableColumn("OPEN"), TableColumn("TOKEN", isWideOnly: true),
        ])
        var values: [JSONValue] = []
        for shard in deployment.layout.shards {
            let state = survey.states[shard.rawValue]
            let tag = deployment.layout.tag(of: shard)
            let slots = deployment.layout.slots(of: shard)
            let master = deployment.cluster.master(of: HashSlot(key: RedisKeys.shardState(tag)))
            let first =
                deployment.ladder.tiers.count > 1
                ? deployment.ladder.tiers[1] : deployment.ladder.base
            table.append([
                TableCell("\(shard)"), TableCell(tag),
                TableCell("\(slots.lowerBound)–\(slots.upperBound)"),
                .optional(state?.owner), .optional(master.map { "\($0.endpoint)" }),
                .instant(state?.sealed[first.name].flatMap { $0 > 0 ? $0 : nil }),
                .optional(state?.open.map { deployment.ladder.tiers[$0.tier - 1].name }),
                .optional(state?.token?.text),
            ])
            let sealed = deployment.ladder.tiers.dropFirst().map {
                JSONValue.Member($0.name, .optional(state?.sealed[$0.name]))
            }
            values.append(
                .object([
                    .init("shard", .integer(Int64(shard.rawValue))), .init("tag", .string(tag)),
                    .init(
                        "slots",
                        .array([
                            .integer(Int64(slots.lowerBound)), .integer(Int64(slots.upperBound)),
                        ])),
                    .init("node", .optional(state?.owner)),
                    .init("token", .optional(state?.token?.text)),
                    .init("master", .optional(master.map { "\($0.endpoint)" })),
                    .init("sealedTo", .object(sealed)),
                ]))
        }
        context.show(Document(.array(values), lines: values, table: table))
        return context.finish(missing: survey.missing)
    }
}

/// `coordinator leader`
@LoopActor enum LeaderCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let leader = try await context.service { () async throws(ServiceError) in
            try await deployment.leader()
        }
        guard let leader else {
            throw CommandError(
                .unhealthy, "there is no leader: is a node running? `coordinator status` says more")
        }
        var table = Table([TableColumn("NODE", isName: true), TableColumn("TERM")])
        table.append([TableCell(leader.node), TableCell(leader.term)])
        let value = JSONValue.object([
            .init("node", .string(leader.node)), .init("term", .string(leader.term)),
            .init("since", .string(ISO8601Text.text(leader.since))),
            .init("leaseRemainingMs", .integer(leader.leaseRemainingMilliseconds)),
        ])
        context.show(Document(value, table: table))
        return .done
    }
}

/// `coordinator version`
@LoopActor enum VersionCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        var table = Table([TableColumn("COORDINATOR", field: "version", isName: true)])
        table.append([TableCell(Version.text)])
        context.show(Document(.object([.init("version", .string(Version.text))]), table: table))
        return .done
    }
}
