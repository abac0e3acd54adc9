import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// `coordinator check`: whether this Redis can carry a deployment, a line for each thing looked at.
@LoopActor enum CheckCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let cluster = context.cluster(try context.checkedConfiguration())
        let lines: [CheckLine]
        do throws(RedisError) { lines = try await ClusterCheck(cluster).run() } catch {
            throw CommandError(error)
        }
        if Questions.isForPeople(context) {
            for line in lines { context.output.write(text(line, context.style)) }
        } else {
            context.show(document(lines))
        }
        return lines.contains { $0.level == .error } ? .unhealthy : .done
    }

    /// `[OK]      name: detail`, folded under the name.
    private static func text(_ line: CheckLine, _ style: RenderingStyle) -> String {
        let mark = "[\(line.level.rawValue)]"
        let indent = 10
        let width = max(30, style.width - indent)
        let sentence = TerminalText.escaped("\(line.name): \(line.detail)")
        let tone: Tone =
            switch line.level {
            case .ok: .good
            case .warning: .warning
            case .error: .bad
            }
        let space = String(repeating: " ", count: max(1, indent - mark.utf8.count))
        let folded = Questions.folded(sentence, to: width)
        let more = folded.dropFirst().map { String(repeating: " ", count: indent) + $0 + "\n" }
            .joined()
        return tone.applied(to: mark, hasColour: style.hasColour) + space + folded[0] + "\n" + more
    }

    private static func document(_ lines: [CheckLine]) -> Document {
        var table = Table([
            TableColumn("LEVEL"), TableColumn("CHECK", isName: true), TableColumn("DETAIL"),
        ])
        var values: [JSONValue] = []
        for line in lines {
            table.append([
                TableCell(line.level.rawValue), TableCell(line.name), TableCell(line.detail),
            ])
            values.append(
                .object([
                    .init("level", .string(line.level.rawValue)),
                    .init("check", .string(line.name)),
                    .init("detail", .string(line.detail)),
                ]))
        }
        let isOK = !lines.contains { $0.level == .error }
        let value = JSONValue.object([.init("ok", .bool(isOK)), .init("checks", .array(values))])
        return Document(value, lines: values, table: table)
    }
}
