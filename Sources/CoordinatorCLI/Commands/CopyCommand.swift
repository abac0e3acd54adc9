import CoordinatorCore
import CoordinatorService
import EventLoop
import Glibc
import RedisClient
import Terminal

/// `coordinator import --from-redis URL`: the entries of a tracker's stream of another deployment.
@LoopActor enum CopyCommand {
    private static let own = [
        "from-redis", "stream", "follow", "from-user", "from-password-file", "from-cacert",
    ]
    private static let ofFiles = ["format", "host", "count", "device"]

    /// Whether a stream is to be copied and no file imported.
    static func isMeant(_ context: CommandContext) -> Bool {
        let arguments = context.arguments
        return !arguments.texts("from-redis").isEmpty && arguments.operands("file").isEmpty
            || own.contains { arguments.origin($0) == .commandLine }
    }

    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        try Consent.refuseWatch(context)
        guard arguments.operands("file").isEmpty else {
            throw CommandError(.usage, "a file and --from-redis are two imports: give one of them")
        }
        if let other = ofFiles.first(where: { arguments.origin($0) == .commandLine }) {
            throw CommandError(.usage, "--\(other) is for files, not for --from-redis")
        }
        let stream = arguments.requiredText("stream")
        try SettingsArguments.check(stream)
        guard !arguments.texts("from-redis").isEmpty else {
            throw CommandError(.usage, "--from-redis URL names the Redis to copy from")
        }
        let configuration = try OtherRedis.configuration(
            context, option: "from-redis", clientName: "coordinator-copy")
        let deployment = try await context.writingDeployment()
        let began = loopNow()
        var bar = context.progressBar("copying", total: nil, unit: .items("entries"))
        let copy = StreamCopy(
            deployment, from: configuration,
            .init(
                stream: stream, name: arguments.text("source-name"),
                follows: arguments.flag("follow")),
            .init(
                progress: { done, total in
                    bar.total = total
                    context.progress(bar.update(done: done, at: loopNow() - began))
                }, note: { context.note(TerminalText.escaped($0)) }))
        let signals = arguments.flag("follow") ? watch(copy) : []
        defer { for signal in signals { signal.close() } }
        let report = try await context.service { () async throws(ServiceError) in
            try await copy.run()
        }
        context.progress(bar.finish(done: report.added, at: loopNow() - began))
        context.show(document(report))
        return .done
    }

    /// The first signal ends the copy in an orderly way, a second one at once.
    private static func watch(_ copy: StreamCopy) -> [SignalWatcher] {
        let state = SignalState()
        return [SignalWatcher.Signal.terminate, .interrupt].map { signal in
            SignalWatcher(signal) {
                if state.isEnding { _exit(ExitCode.unexpected.rawValue) }
                state.isEnding = true
                copy.stop()
            }
        }
    }

    @LoopActor private final class SignalState {
        var isEnding = false
    }

    private static func document(_ report: StreamCopy.Report) -> Document {
        var table = Table([
            TableColumn("COPIED FROM", field: "name", isElastic: true, isName: true),
            TableColumn("ADDED", .trailing), TableColumn("LAST ENTRY", field: "last"),
        ])
        table.append([
            TableCell(report.name), .number(report.added),
            .optional(report.last.map { "\($0)" }),
        ])
        return Document(
            .object([
                .init("source", .string(report.source)), .init("name", .string(report.name)),
                .init("added", .integer(report.added)),
                .init("lastId", .optional(report.last.map { "\($0)" })),
            ]), table: table)
    }
}
