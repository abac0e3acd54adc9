import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator tiers`
@LoopActor enum TiersCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let (tiers, missing) = try await context.service { () async throws(ServiceError) in
            let control = try await deployment.control()
            let survey = await deployment.survey(now: control.now, withWindows: true)
            return (TierReport.all(deployment, survey, control.sources), survey.missing)
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
            let control = try await deployment.control()
            let survey = await deployment.survey(now: control.now)
            let (sources, absences) = await SourceReport.all(deployment, survey, control.sources)
            return (sources, survey.missing + absences.filter { !survey.missing.contains($0) })
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

/// `coordinator leader`
@LoopActor enum LeaderCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let control = try await context.service { () async throws(ServiceError) in
            try await deployment.control()
        }
        guard let leader = control.leader else {
            throw CommandError(
                .unhealthy, "there is no leader: is a node running? `coordinator status` says more")
        }
        var table = Table([
            TableColumn("NODE", isElastic: true, isName: true), TableColumn("SINCE"),
            TableColumn("LEASE LEFT", field: "lease_left_ms", .trailing),
            TableColumn("TERM", isWideOnly: true),
        ])
        let left = leader.leaseRemainingMilliseconds
        table.append([
            TableCell(leader.node), .instant(leader.since - leader.since % 1_000),
            TableCell("\(left) ms", raw: "\(left)"), TableCell(leader.term),
        ])
        context.show(Document(StatusJSON.leader(leader, control), table: table))
        return .done
    }
}
