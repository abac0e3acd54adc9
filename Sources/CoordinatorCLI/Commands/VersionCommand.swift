import CoordinatorService
import EventLoop
import HTTPServer
import Terminal

/// `coordinator version`: what this program is and what it was built from.
@LoopActor enum VersionCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        var table = Table([
            TableColumn("COORDINATOR", field: "version", isName: true), TableColumn("COMMIT"),
            TableColumn("SWIFT"), TableColumn("BUILD", field: "configuration"),
            TableColumn("TARGET"), TableColumn("LIBRARIES", isWideOnly: true),
        ])
        let libraries =
            BuildInformation.libraries + [.init("libmicrohttpd", HTTPServer.libraryVersion)]
        let commit = BuildInformation.commit
        table.append([
            TableCell(Version.text), .optional(commit.map { String($0.prefix(12)) }),
            TableCell(BuildInformation.swift), TableCell(BuildInformation.configuration),
            TableCell(BuildInformation.target),
            TableCell(libraries.map { "\($0.name) \($0.version)" }.joined(separator: ", ")),
        ])
        context.show(
            Document(
                .object([
                    .init("version", .string(Version.text)), .init("commit", .optional(commit)),
                    .init("swift", .string(BuildInformation.swift)),
                    .init("configuration", .string(BuildInformation.configuration)),
                    .init("target", .string(BuildInformation.target)),
                    .init(
                        "libraries",
                        .object(libraries.map { .init($0.name, .string($0.version)) })),
                ]), table: table))
        return .done
    }
}
