import CoordinatorCore
import CoordinatorService
import EventLoop
import RedisClient
import Terminal

/// `coordinator show`: one record's document, its keys, and where they lie.
@LoopActor enum ShowCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let what = context.arguments.requiredOperand("what")
        let text = context.arguments.requiredOperand("record")
        let website = context.arguments.text("website")
        let finder = RecordFinder(deployment)
        let view = try await context.service { () async throws(ServiceError) in
            let record: RecordReference
            switch what {
            case "website": record = try await finder.website(text)
            case "section": record = try await finder.section(text, website: website)
            case "page": record = try finder.page(text)
            default:
                let dimension = Dimension.played.first { $0.kind == what }
                record = try await finder.item(dimension ?? .audio, text)
            }
            let view = try await RecordView.make(deployment, record)
            guard !view.isEmpty else { throw .question("nothing was counted for \(record.name)") }
            return view
        }
        if Questions.isForPeople(context) {
            context.output.write(head(view))
        }
        context.show(
            Document(value(view), table: table(view, isWhole: context.style.format != .table)))
        return .done
    }

    // MARK: For people

    private static func head(_ view: RecordView) -> String {
        let place = view.place
        var lines = [
            TerminalText.escaped(view.record.name), "id       \(view.record.id.hex)",
            "shard    \(place.shard) (slot \(place.recordSlot) of the id), tag \(place.tag), "
                + "slot \(place.slot)",
            "master   \(place.master?.description ?? "unknown")",
        ]
        if let waiting = view.waitingVisit {
            lines.append("visited  \(ISO8601Text.text(waiting)), not yet in the document")
        }
        for (tier, starts) in view.windows where !starts.isEmpty {
            let range =
                "\(ISO8601Text.text(starts[0])) to \(ISO8601Text.text(starts[starts.count - 1]))"
            let label = starts.count == 1 ? ISO8601Text.text(starts[0]) : range
            lines.append(pad(tier.name) + "\(starts.count) windows, \(label)")
        }
        lines.append("")
        lines.append(document(view).text(isIndented: true))
        return lines.joined(separator: "\n") + "\n"
    }

    private static func pad(_ name: String) -> String {
        name + String(repeating: " ", count: max(1, 11 - name.utf8.count))
    }

    /// Every key; for a terminal the devices of a tier's windows in one line.
    private static func table(_ view: RecordView, isWhole: Bool) -> Table {
        var table = Table([
            TableColumn("KEY", minimumWidth: 30, isElastic: true, isName: true),
            TableColumn("TYPE"),
            TableColumn("EXPIRES IN", field: "ttl_ms"),
        ])
        var folded: [String: Int] = [:]
        for key in view.keys {
            if !isWhole, let tier = key.tier {
                folded[tier.name, default: 0] += 1
                if folded[tier.name, default: 0] > 1 { continue }
            }
            table.append([
                TableCell(key.key), TableCell(key.type),
                TableCell(
                    key.remainingMilliseconds.map { NumberText.span(.milliseconds($0)) } ?? "never",
                    raw: key.remainingMilliseconds.map(String.init) ?? ""),
            ])
        }
        for (tier, _) in view.windows {
            guard let count = folded[tier.name], count > 1 else { continue }
            table.append([
                TableCell("… and \(count - 1) more of \(tier.name) (-o wide shows them)"), "", "",
            ])
        }
        return table
    }

    // MARK: For programs

    private static func document(_ view: RecordView) -> JSONValue {
        guard let text = view.document else { return .null }
        return JSONReader.value(text) ?? .string(text)
    }

    private static func value(_ view: RecordView) -> JSONValue {
        let keys = view.keys.map { key in
            JSONValue.object([
                .init("key", .string(key.key)), .init("type", .string(key.type)),
                .init("ttlMs", .optional(key.remainingMilliseconds)),
            ])
        }
        let windows = view.windows.map { tier, starts in
            JSONValue.Member(tier.name, .array(starts.map { .integer($0) }))
        }
        let series = view.keys.map(\.key).filter { $0.hasPrefix("TS:") }
        return .object([
            .init("dimension", .string(view.record.dimension.rawValue)),
            .init("id", .string(view.record.id.hex)), .init("name", .string(view.record.name)),
            .init("shard", .integer(Int64(view.place.shard.rawValue))),
            .init("tag", .string(view.place.tag)),
            .init("slot", .integer(Int64(view.place.slot.rawValue))),
            .init("recordSlot", .integer(Int64(view.place.recordSlot.rawValue))),
            .init("master", .optional(view.place.master?.description)),
            .init("document", document(view)), .init("waitingVisit", .optional(view.waitingVisit)),
            .init("windows", .object(windows)), .init("series", .array(series.map { .string($0) })),
            .init("keys", .array(keys)),
        ])
    }
}
