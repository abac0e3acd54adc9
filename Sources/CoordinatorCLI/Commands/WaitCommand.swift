import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator wait`: until everything read is applied and every due window is done.
@LoopActor enum WaitCommand {
    private static let standardLimit: Duration = .seconds(3_600)
    private static let poll: Duration = .milliseconds(200)
    /// What is waited for is said this often: a person stays informed, a log stays short.
    private static let tellEvery: Duration = .seconds(5)

    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        // Elsewhere the same setting is how long a command waits for Redis: that is not meant here.
        let isMeant = context.arguments.origin("timeout") == .commandLine
        let limit = isMeant ? context.arguments.span("timeout") ?? standardLimit : standardLimit
        let began = loopNow()
        var told = began
        while true {
            let backlog = try await context.service { () async throws(ServiceError) in
                try await Backlog.measure(deployment)
            }
            if backlog.isEmpty {
                context.note("up to date after \(NumberText.span(loopNow() - began))")
                return .done
            }
            guard loopNow() - began < limit else {
                throw CommandError(
                    .unreachable, "not done after \(NumberText.span(limit)): \(backlog.reason)")
            }
            if loopNow() - told >= tellEvery {
                told = loopNow()
                context.note(
                    "waiting: \(TerminalText.escaped(backlog.reason)); "
                        + "\(backlog.shardsDone) of \(deployment.layout.count) shards are done"
                )
            }
            do { try await loopSleep(poll) } catch { return .unexpected }
        }
    }
}
