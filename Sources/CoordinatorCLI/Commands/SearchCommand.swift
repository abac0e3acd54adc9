import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator search`: pages by words in title, kicker and URL, and by where they stand.
@LoopActor enum SearchCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        // What cannot be asked is told before anything is asked.
        var question = try refused { () throws(SearchQuestion.Refusal) in
            var question = try SearchQuestion(
                words: arguments.operands("words").joined(separator: " "))
            if let section = arguments.text("section") { try question.keep(section: section) }
            for level in arguments.texts("level") {
                question.keep(level: try SearchQuestion.Level(level))
            }
            return question
        }
        let deployment = try await context.deployment()
        if let since = arguments.time("since") {
            let now = try await context.service { () async throws(ServiceError) in
                try await deployment.serverTime()
            }
            question.keep(since: since.milliseconds(now: now))
        }
        if let name = arguments.text("website") {
            let finder = RecordFinder(deployment)
            let website = try await context.service { () async throws(ServiceError) in
                try await finder.website(name)
            }
            question.keep(website: website.id)
        }
        let asked = question
        let order = Search.Order(rawValue: arguments.requiredText("sort")) ?? .relevance
        let count = Int(arguments.requiredInteger("number"))
        let answer = try await context.service { () async throws(ServiceError) in
            try await Search(deployment).pages(asked, by: order, count: count)
        }
        heading(context, answer)
        context.show(document(answer))
        return context.finish(missing: answer.missing)
    }

    private static func refused<Value>(
        _ body: () throws(SearchQuestion.Refusal) -> Value
    ) throws(CommandError) -> Value {
        do throws(SearchQuestion.Refusal) { return try body() } catch {
            throw CommandError(.usage, "\(error)")
        }
    }

    private static func heading(_ context: CommandContext, _ answer: SearchAnswer) {
        guard Questions.isForPeople(context) else { return }
        if answer.hits.isEmpty { return context.note("no page was found") }
        guard context.style.showsHeaders, answer.total > Int64(answer.hits.count) else { return }
        let line =
            "the first \(answer.hits.count) of \(NumberText.grouped(answer.total)) pages"
        context.output.write(
            Tone.faint.applied(to: line, hasColour: context.style.hasColour) + "\n")
    }

    private static func document(_ answer: SearchAnswer) -> Document {
        var table = Table([
            TableColumn("LAST VISITED", field: "last_visited"),
            TableColumn("WEBSITE", maximumWidth: 20, isElastic: true),
            TableColumn("TITLE", minimumWidth: 10, maximumWidth: 40, isElastic: true),
            TableColumn("URL", minimumWidth: 20, isElastic: true, isName: true),
            TableColumn("SECTION", isWideOnly: true), TableColumn("KICKER", isWideOnly: true),
            TableColumn("ID", isWideOnly: true), TableColumn("SCORE", .trailing, isWideOnly: true),
        ])
        var values: [JSONValue] = []
        for hit in answer.hits {
            // Whole seconds are enough for people.
            let visited = hit.lastVisited.map {
                TableCell(ISO8601Text.text($0 - $0 % 1_000), raw: String($0))
            }
            table.append([
                visited ?? .optional(nil), TableCell(hit.website), .optional(hit.title),
                TableCell(hit.url), TableCell(hit.section), .optional(hit.kicker),
                TableCell(hit.id),
                hit.score.map { TableCell(NumberText.decimal($0), raw: "\($0)") }
                    ?? .optional(nil),
            ])
            values.append(
                .object([
                    .init("id", .string(hit.id)), .init("url", .string(hit.url)),
                    .init("title", .optional(hit.title)), .init("kicker", .optional(hit.kicker)),
                    .init("website", .string(hit.website)),
                    .init("section", .string(hit.section)),
                    .init("articleId", .optional(hit.articleID)),
                    .init(
                        "lastVisited",
                        hit.lastVisited.map { .string(ISO8601Text.text($0)) } ?? .null),
                    .init("score", hit.score.map { .number($0) } ?? .null),
                    .init("key", .string(hit.key)),
                ]))
        }
        let value = JSONValue.object([
            .init("total", .integer(answer.total)),
            .init("partial", .bool(!answer.missing.isEmpty)), .init("rows", .array(values)),
        ])
        return Document(value, lines: values, table: table)
    }
}
