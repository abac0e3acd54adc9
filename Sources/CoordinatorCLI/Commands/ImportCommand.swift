import CoordinatorCore
import CoordinatorService
import EventLoop
import ImportFormats
import Terminal

/// `coordinator import`: files into sources of their own.
@LoopActor enum ImportCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        if CopyCommand.isMeant(context) { return try await CopyCommand.run(context) }
        guard !context.arguments.operands("file").isEmpty else {
            throw CommandError(
                .usage, "import needs a file, - for standard input, or --from-redis URL")
        }
        let deployment = try await context.writingDeployment()
        let importer = Importer(deployment)
        let latest = try await context.service { () async throws(ServiceError) in
            try await importer.latestPlausibleTime()
        }
        var reports: [(name: String, report: ImportReport)] = []
        for path in context.arguments.operands("file") {
            let options = try options(context, latest)
            reports.append((path, try await run(path, options, importer, context)))
        }
        context.show(document(reports))
        return .done
    }

    private static func run(
        _ path: String, _ options: ImportOptions, _ importer: Importer, _ context: CommandContext
    ) async throws(CommandError) -> ImportReport {
        let file: ByteSource
        do throws(ImportError) {
            file = path == "-" ? .standardInput(waits: false) : try .file(path)
        } catch {
            throw CommandError(error)
        }
        let began = loopNow()
        var bar = context.progressBar(file.name, total: file.storedBytes, unit: .bytes)
        let report = try await context.service { () async throws(ServiceError) in
            try await importer.run(file, options) { done, _ in
                context.progress(bar.update(done: done, at: loopNow() - began))
            }
        }
        context.progress(bar.finish(done: file.consumedBytes, at: loopNow() - began))
        return report
    }

    private static func options(
        _ context: CommandContext, _ latest: Int64
    ) throws(CommandError) -> ImportOptions {
        let arguments = context.arguments
        do throws(ImportError) {
            return try ImportOptions(
                format: ImportFormat(rawValue: arguments.requiredText("format")) ?? .auto,
                count: LogCount(rawValue: arguments.requiredText("count")) ?? .pages,
                device: arguments.requiredText("device") == "address" ? .address : .addressAgent,
                host: arguments.text("host"), sourceName: arguments.text("source-name"),
                latestPlausibleTime: latest)
        } catch {
            throw CommandError(.usage, "\(error)")
        }
    }

    private static func document(_ reports: [(name: String, report: ImportReport)]) -> Document {
        var table = Table([
            TableColumn("FILE", isElastic: true, isName: true), TableColumn("LINES", .trailing),
            TableColumn("ADDED", .trailing),
            TableColumn("THERE BEFORE", field: "already_there", .trailing),
            TableColumn("LEFT OUT", field: "left_out", .trailing),
            TableColumn("LAST EVENT", field: "last_event_at"),
        ])
        var values: [JSONValue] = []
        for (name, report) in reports {
            let summary = report.summary
            table.append([
                TableCell(name), .number(Int64(clamping: summary.lines)),
                .number(Int64(clamping: report.added)),
                .number(Int64(clamping: summary.alreadyThere)),
                .number(Int64(clamping: summary.leftOutTotal)),
                .instant(report.lastEventAt),
            ])
            let leftOut = summary.leftOut.sorted { $0.key.rawValue < $1.key.rawValue }
            values.append(
                .object([
                    .init("file", .string(name)), .init("source", .string(report.source)),
                    .init("lines", .integer(Int64(clamping: summary.lines))),
                    .init("added", .integer(Int64(clamping: report.added))),
                    .init("alreadyThere", .integer(Int64(clamping: summary.alreadyThere))),
                    .init(
                        "leftOut",
                        .object(
                            leftOut.map {
                                .init($0.key.rawValue, .integer(Int64(clamping: $0.value)))
                            })),
                    .init("untimed", .integer(Int64(clamping: summary.untimed))),
                    .init(
                        "lastEventAt",
                        report.lastEventAt.map { .string(ISO8601Text.text($0)) } ?? .null),
                ]))
        }
        return Document(values.count == 1 ? values[0] : .array(values), lines: values, table: table)
    }
}
