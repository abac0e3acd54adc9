import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator wait`: until everything read is applied and every due window is done.
@LoopActor enum WaitCommand {
    private static let standardLimit: Duration = .seconds(3_600)
    private static let poll: Duration = .milliseconds(200)

    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let limit = context.arguments.span("timeout") ?? standardLimit
        let began = loopNow()
        var bar = context.progressBar("waiting", total: nil, unit: .items("shards up to date"))
        while true {
            let progress = try await context.service { () async throws(ServiceError) in
                try await Backlog.measure(deployment)
            }
            context.progress(bar.update(done: Int64(progress.shardsDone), at: loopNow() - began))
            if progress.isEmpty {
                context.progress(
                    bar.finish(done: Int64(progress.shardsDone), at: loopNow() - began))
                return .done
            }
            guard loopNow() - began < limit else {
                throw CommandError(
                    .unreachable, "not done after \(NumberText.span(limit)): \(progress.reason)")
            }
            do { try await loopSleep(poll) } catch { return .unexpected }
        }
    }
}
