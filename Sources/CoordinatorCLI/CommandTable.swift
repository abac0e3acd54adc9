import EventLoop
import Terminal

/// Which code does which command.
@LoopActor enum CommandTable {
    typealias Body = @LoopActor (CommandContext) async throws(CommandError) -> ExitCode

    static let commands: [String: Body] = [
        "init": InitCommand.run, "run": RunCommand.run, "import": ImportCommand.run,
        "wait": WaitCommand.run, "status": StatusCommand.run, "shards": ShardsCommand.run,
        "tiers": TiersCommand.run, "sources": SourcesCommand.run, "leader": LeaderCommand.run,
        "config show": ConfigCommand.show, "config validate": ConfigCommand.validate,
        "version": VersionCommand.run, "completion": CompletionCommand.run,
        "series": SeriesCommand.run, "export": ExportCommand.run, "show": ShowCommand.run,
        "search": SearchCommand.run, "migrate": MigrateCommand.run, "explain": ExplainCommand.run,
        "audit": AuditCommand.run, "acl": AclCommand.run,
        "check": CheckCommand.run, "nodes": NodesCommand.run, "history": HistoryCommand.run,
        "drain": DrainCommand.run, "rebalance": RebalanceCommand.run,
        "step-down": StepDownCommand.run, "pause": PauseCommand.pause,
        "resume": PauseCommand.resume,
        "enrichment status": EnrichmentCommand.status,
        "enrichment retry": EnrichmentCommand.retry,
        "dead-letters list": DeadLettersCommand.list,
        "dead-letters show": DeadLettersCommand.show,
        "dead-letters replay": DeadLetterChanges.replay,
        "dead-letters purge": DeadLetterChanges.purge, "rebuild": RebuildCommand.run,
        "health": HealthCommand.run,
    ].merging(questions) { _, question in question }
}
