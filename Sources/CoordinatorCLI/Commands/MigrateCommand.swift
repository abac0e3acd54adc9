import CoordinatorCore
import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// `coordinator migrate`: takes over what the original system left in a Redis.
@LoopActor enum MigrateCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        let isDryRun = arguments.flag("dry-run")
        let configuration = try OtherRedis.configuration(
            context, option: "from-original", clientName: "coordinator-migrate")
        let deployment = try await context.deployment()
        let client = RedisCluster(configuration)
        let original = OriginalRedis(client)
        var outcome: Result<MigrationSummary, ServiceError>
        do throws(ServiceError) {
            let keys = try await original.open()
            var bar = context.progressBar(
                isDryRun ? "looking" : "taking over", total: keys, unit: .items("keys"))
            let began = loopNow()
            var done: Int64 = 0
            let migration = Migration(deployment, from: original, isDryRun: isDryRun) {
                done = $0
                context.progress(bar.update(done: $0, at: loopNow() - began))
            }
            outcome = .success(try await migration.run())
            context.progress(bar.finish(done: done, at: loopNow() - began))
        } catch {
            outcome = .failure(error)
        }
        await client.close()
        let summary: MigrationSummary
        do throws(ServiceError) { summary = try outcome.get() } catch {
            throw CommandError(error)
        }
        context.show(document(summary, isDryRun: isDryRun))
        if let fault = summary.fault {
            context.note("Redis refused \(summary.faults) writes, the last one: \(fault)")
        }
        return summary.faults > 0 ? .redisError : .done
    }

    private static func document(_ summary: MigrationSummary, isDryRun: Bool) -> Document {
        var table = Table([
            TableColumn("WHAT", isElastic: true, isName: true), TableColumn("OUTCOME"),
            TableColumn("COUNT", .trailing),
        ])
        func add(_ what: String, _ outcome: String, _ count: Int64) {
            table.append([TableCell(what), TableCell(outcome), .number(count)])
        }
        let made = isDryRun ? "would be made" : "made"
        let changed = isDryRun ? "would change" : "changed"
        add("documents", made, summary.documents.made)
        add("documents", changed, summary.documents.changed)
        add("documents", "unchanged", summary.documents.unchanged)
        add("samples of \(summary.series) series", made, summary.samples.made)
        add("samples of \(summary.series) series", "unchanged", summary.samples.unchanged)
        var skipped: [JSONValue.Member] = []
        for reason in MigrationSummary.Reason.allCases {
            guard let count = summary.skipped[reason] else { continue }
            add(reason.sentence, "left out", count)
            skipped.append(.init(reason.rawValue, .integer(count)))
        }
        let value = JSONValue.object([
            .init("dryRun", .bool(isDryRun)),
            .init("documents", counts(summary.documents)),
            .init("samples", counts(summary.samples)), .init("series", .integer(summary.series)),
            .init("skipped", .object(skipped)), .init("faults", .integer(summary.faults)),
        ])
        return Document(value, table: table)
    }

    private static func counts(_ count: MigrationSummary.Count) -> JSONValue {
        .object([
            .init("made", .integer(count.made)), .init("changed", .integer(count.changed)),
            .init("unchanged", .integer(count.unchanged)),
        ])
    }
}
