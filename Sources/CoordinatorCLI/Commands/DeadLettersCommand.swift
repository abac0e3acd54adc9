import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator dead-letters list` and `show`
@LoopActor enum DeadLettersCommand {
    static func list(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let selection = try await selection(context, deployment)
        let count = Int(context.arguments.requiredInteger("number"))
        let (letters, missing) = try await context.service { () async throws(ServiceError) in
            try await DeadLetters(deployment).newest(selection, count: count)
        }
        var table = Table([
            TableColumn("LETTER", isName: true),
            TableColumn("REFUSED AT", field: "refused_at"), TableColumn("REASON"),
            TableColumn("SOURCE", maximumWidth: 20, isElastic: true),
            TableColumn("ENTRY", isWideOnly: true), TableColumn("DETAIL", isWideOnly: true),
            TableColumn("URL", minimumWidth: 12, isElastic: true),
        ])
        for letter in letters {
            table.append([
                TableCell("\(letter.name)"), .instant(letter.refusedAt), TableCell(letter.reason),
                TableCell(letter.source), TableCell(letter.entry), TableCell(letter.detail),
                .optional(letter.text("url")),
            ])
        }
        let values = letters.map(value)
        context.show(Document(.array(values), lines: values, table: table))
        if letters.isEmpty, missing.isEmpty, Questions.isForPeople(context) {
            context.note("no such letter")
        }
        return context.finish(missing: missing)
    }

    static func show(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        var selection = DeadLetters.Selection()
        selection.names = try names(context, deployment)
        let wanted = selection
        let (letters, missing) = try await context.service { () async throws(ServiceError) in
            try await DeadLetters(deployment).newest(wanted, count: wanted.names.count)
        }
        if let lost = wanted.names.subtracting(letters.map(\.name)).first, missing.isEmpty {
            throw CommandError(
                .usage, "there is no letter \(lost): it was replayed, purged, or never there")
        }
        var table = Table([
            TableColumn("LETTER"), TableColumn("FIELD", isElastic: true, isName: true),
            TableColumn("VALUE", isElastic: true),
        ])
        for letter in letters {
            let name = TableCell("\(letter.name)")
            table.append([name, "source", TableCell(letter.source)])
            table.append([name, "entry", TableCell(letter.entry)])
            table.append([name, "reason", TableCell(letter.reason)])
            table.append([name, "detail", TableCell(letter.detail)])
            for field in letter.fields {
                let text = String(decoding: field.value, as: UTF8.self)
                table.append([name, TableCell(field.name), TableCell(text)])
            }
        }
        let values = letters.map(value)
        context.show(
            Document(values.count == 1 ? values[0] : .array(values), lines: values, table: table))
        return context.finish(missing: missing)
    }

    private static func value(_ letter: DeadLetter) -> JSONValue {
        .object([
            .init("letter", .string("\(letter.name)")),
            .init("at", .string(ISO8601Text.text(letter.refusedAt))),
            .init("source", .string(letter.source)), .init("entry", .string(letter.entry)),
            .init("reason", .string(letter.reason)), .init("detail", .string(letter.detail)),
            .init(
                "fields",
                .object(
                    letter.fields.map {
                        .init($0.name, .string(String(decoding: $0.value, as: UTF8.self)))
                    })),
        ])
    }

    /// The letters that the flags and operands name.
    static func selection(
        _ context: CommandContext, _ deployment: Deployment
    ) async throws(CommandError) -> DeadLetters.Selection {
        let arguments = context.arguments
        var selection = DeadLetters.Selection()
        selection.source = arguments.text("source")
        selection.reasons = Set(arguments.texts("reason"))
        if arguments.isGiven("from") || arguments.isGiven("to") {
            let now = try await context.service { () async throws(ServiceError) in
                try await deployment.serverTime()
            }
            if let from = arguments.time("from") {
                selection.from = max(0, from.milliseconds(now: now))
            }
            if let to = arguments.time("to") { selection.to = max(0, to.milliseconds(now: now)) }
            guard selection.from < selection.to else {
                throw CommandError(.usage, "--from must be before --to")
            }
        }
        return selection
    }

    /// The letters that operands name.
    static func names(
        _ context: CommandContext, _ deployment: Deployment
    ) throws(CommandError) -> Set<DeadLetter.Name> {
        var names: Set<DeadLetter.Name> = []
        for text in context.arguments.operands("letter") {
            do throws(ServiceError) {
                names.insert(try DeadLetter.Name(text, deployment.layout))
            } catch {
                throw CommandError(error)
            }
        }
        return names
    }
}

/// `coordinator dead-letters replay` and `purge`
@LoopActor enum DeadLetterChanges {
    static func replay(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let (deployment, selection, missing) = try await begin(context, "replay")
        guard let selection else { return context.finish(missing: missing) }
        let byArrival = context.arguments.flag("at-arrival")
        let began = loopNow()
        var bar = context.progressBar("replaying", total: nil, unit: .items("letters"))
        let report = try await context.service { () async throws(ServiceError) in
            try await DeadLetterReplay(deployment).run(selection, byArrival: byArrival) { moved in
                context.progress(bar.update(done: moved, at: loopNow() - began))
            }
        }
        context.progress(bar.finish(done: report.moved, at: loopNow() - began))
        var table = Table([
            TableColumn("REPLAYED", .trailing),
            TableColumn("SOURCES", isElastic: true, isName: true),
        ])
        table.append([.number(report.moved), TableCell(report.sources.joined(separator: " "))])
        context.show(
            Document(
                .object([
                    .init("action", .string("replay")), .init("replayed", .integer(report.moved)),
                    .init("sources", .array(report.sources.map { .string($0) })),
                ]), table: table))
        if report.moved > 0 {
            context.note(
                "`coordinator wait` returns when they are counted; what is refused again is "
                    + "listed with the replay as its source")
        }
        return context.finish(missing: report.missing)
    }

    static func purge(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let (deployment, selection, missing) = try await begin(context, "purge")
        guard let selection else { return context.finish(missing: missing) }
        let (purged, absent) = try await context.service { () async throws(ServiceError) in
            try await DeadLetters(deployment).purge(selection)
        }
        var table = Table([TableColumn("PURGED", .trailing, isName: true)])
        table.append([.number(purged)])
        context.show(
            Document(
                .object([
                    .init("action", .string("purge")), .init("purged", .integer(purged)),
                ]), table: table))
        return context.finish(missing: absent)
    }

    /// Counts what would be changed, and asks.
    ///
    /// - Returns: what to change; nil when nothing is to be done.
    private static func begin(
        _ context: CommandContext, _ action: String
    ) async throws(CommandError) -> (Deployment, DeadLetters.Selection?, missing: [String]) {
        try Consent.refuseWatch(context)
        let deployment = try await context.deployment()
        var selection = try await DeadLettersCommand.selection(context, deployment)
        selection.names = try DeadLettersCommand.names(context, deployment)
        if action == "replay", selection.names.isEmpty {
            selection.includesReplayed =
                context.arguments.flag("again")
                || selection.source.map(RedisKeys.isReplaySource) == true
        }
        let wanted = selection
        let (tallies, missing) = try await context.service { () async throws(ServiceError) in
            try await DeadLetters(deployment).count(wanted)
        }
        let total = tallies.values.reduce(0, +)
        guard total > 0 else {
            context.note("no change: there are no such letters")
            return (deployment, nil, missing)
        }
        let goesOn = try Consent.ask(
            context, "\(action) \(total) \(total == 1 ? "letter" : "letters")"
        ) {
            context.show(document(action, tallies))
        }
        return (deployment, goesOn ? wanted : nil, missing)
    }

    private static func document(
        _ action: String, _ tallies: [DeadLetters.Tally: Int64]
    ) -> Document {
        var table = Table([
            TableColumn("SOURCE", isElastic: true, isName: true), TableColumn("REASON"),
            TableColumn("LETTERS", .trailing),
        ])
        var values: [JSONValue] = []
        let rows = tallies.sorted {
            ($1.value, $0.key.source, $0.key.reason) < ($0.value, $1.key.source, $1.key.reason)
        }
        for (tally, count) in rows {
            table.append([TableCell(tally.source), TableCell(tally.reason), .number(count)])
            values.append(
                .object([
                    .init("source", .string(tally.source)), .init("reason", .string(tally.reason)),
                    .init("letters", .integer(count)),
                ]))
        }
        let whole = JSONValue.object([
            .init("action", .string(action)), .init("dryRun", .bool(true)),
            .init("letters", .array(values)),
        ])
        return Document(whole, lines: values, table: table)
    }
}
