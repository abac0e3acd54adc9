import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator audit`: whether what must hold in a deployment does.
@LoopActor enum AuditCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let began = loopNow()
        let shards = Int64(deployment.layout.count)
        let bar = BarHolder(context.progressBar("auditing", total: shards, unit: .items("shards")))
        let report = try await context.service { () async throws(ServiceError) in
            try await Audit(deployment).run { done in
                context.progress(bar.bar.update(done: Int64(done), at: loopNow() - began))
            }
        }
        context.progress(bar.bar.finish(done: shards, at: loopNow() - began))
        for note in report.notes { context.note(note) }
        show(report, context)
        let code = context.finish(missing: report.missing)
        return report.isOK ? code : .unhealthy
    }

    /// A value type that a closure changes.
    @LoopActor private final class BarHolder {
        var bar: ProgressBar

        init(_ bar: ProgressBar) {
            self.bar = bar
        }
    }

    private static func show(_ report: AuditReport, _ context: CommandContext) {
        if Questions.isForPeople(context) {
            let verdict = "\(report.windows) windows, \(report.sources.count) sources: "
            let count = report.violations.count + report.more
            let text =
                count == 0 ? "nothing is wrong" : count == 1 ? "1 violation" : "\(count) violations"
            let tone: Tone = report.isOK ? .good : .bad
            context.output.write(
                verdict + tone.applied(to: text, hasColour: context.style.hasColour) + "\n")
            for line in report.violations.flatMap({ lines($0, context.style) }) {
                context.output.write(line + "\n")
            }
            if report.more > 0 { context.output.write("and \(report.more) more\n") }
            return
        }
        context.show(
            Document(value(report), lines: report.violations.map(value), table: table(report)))
    }

    /// `KIND  TIER  WINDOW` and the sentence under it: figures are not to be cut.
    private static func lines(_ violation: Violation, _ style: RenderingStyle) -> [String] {
        let place = [violation.tier, violation.window.map { ISO8601Text.text($0) }].compactMap(
            \.self)
        let head = Tone.bad.applied(to: violation.kind.rawValue, hasColour: style.hasColour)
        let detail = Questions.folded(
            TerminalText.escaped(violation.detail), to: max(20, style.width - 2))
        return [([head] + place).joined(separator: "  ")] + detail.map { "  " + $0 }
    }

    private static func table(_ report: AuditReport) -> Table {
        var table = Table([
            TableColumn("KIND", isName: true), TableColumn("TIER"), TableColumn("WINDOW"),
            TableColumn("DETAIL"),
        ])
        for violation in report.violations {
            table.append([
                TableCell(violation.kind.rawValue),
                TableCell(violation.tier ?? "", raw: violation.tier ?? ""),
                .instant(violation.window), TableCell(violation.detail),
            ])
        }
        return table
    }

    private static func value(_ violation: Violation) -> JSONValue {
        .object([
            .init("kind", .string(violation.kind.rawValue)),
            .init("tier", .optional(violation.tier)),
            .init("window", .optional(violation.window)),
            .init("detail", .string(violation.detail)),
        ])
    }

    private static func value(_ report: AuditReport) -> JSONValue {
        let sources = report.sources.map { source in
            JSONValue.object([
                .init("key", .string(source.key)), .init("name", .optional(source.name)),
                .init("read", .integer(source.read)), .init("counted", .integer(source.counted)),
                .init("refused", .integer(source.refused)),
                .init("pending", .integer(source.pending)),
                .init("balanced", source.isBalanced.map { .bool($0) } ?? .null),
            ])
        }
        return .object([
            .init("ok", .bool(report.isOK)), .init("windows", .integer(Int64(report.windows))),
            .init("violations", .array(report.violations.map(value))),
            .init("more", .integer(Int64(report.more))), .init("sources", .array(sources)),
            .init("partial", .bool(!report.missing.isEmpty)),
            .init("notes", .array(report.notes.map { .string($0) })),
        ])
    }
}
