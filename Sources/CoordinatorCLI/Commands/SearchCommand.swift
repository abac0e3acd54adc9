import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator search`: pages by words in title, kicker and URL, sections and websites by words of
/// their name, and all by where they stand.
@LoopActor enum SearchCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        let dimension: Dimension =
            switch arguments.requiredText("what") {
            case "websites": .website
            case "sections": .section
            default: .page
            }
        // What cannot be asked is told before anything is asked.
        var question = try refused { () throws(SearchQuestion.Refusal) in
            var question = try SearchQuestion(
                dimension, words: arguments.operands("words").joined(separator: " "))
            if let section = arguments.text("section") { try question.keep(section: section) }
            for level in arguments.texts("level") {
                try question.keep(level: try SearchQuestion.Level(level))
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
            try await Search(deployment).answer(asked, by: order, count: count)
        }
        heading(context, answer, arguments.requiredText("what"))
        context.show(document(answer, dimension))
        return context.finish(missing: answer.missing)
    }

    private static func refused<Value>(
        _ body: () throws(SearchQuestion.Refusal) -> Value
    ) throws(CommandError) -> Value {
        do throws(SearchQuestion.Refusal) { return try body() } catch {
            throw CommandError(.usage, "\(error)")
        }
    }

    private static func heading(
        _ context: CommandContext, _ answer: SearchAnswer, _ what: String
    ) {
        guard Questions.isForPeople(context) else { return }
        if answer.hits.isEmpty { return context.note("no \(what.dropLast()) was found") }
        guard context.style.showsHeaders, answer.total > Int64(answer.hits.count) else { return }
        let line =
            "the first \(answer.hits.count) of \(NumberText.grouped(answer.total)) \(what)"
        context.output.write(
            Tone.faint.applied(to: line, hasColour: context.style.hasColour) + "\n")
    }

    private static func document(_ answer: SearchAnswer, _ dimension: Dimension) -> Document {
        var table = Table(columns(dimension))
        var values: [JSONValue] = []
        for hit in answer.hits {
            table.append(cells(hit, dimension))
            values.append(value(hit, dimension))
        }
        let value = JSONValue.object([
            .init("total", .integer(answer.total)),
            .init("partial", .bool(!answer.missing.isEmpty)), .init("rows", .array(values)),
        ])
        return Document(value, lines: values, table: table)
    }

    private static func columns(_ dimension: Dimension) -> [TableColumn] {
        let visited = TableColumn("LAST VISITED", field: "last_visited")
        let website = TableColumn("WEBSITE", maximumWidth: 20, isElastic: true)
        let last = [
            TableColumn("ID", isWideOnly: true), TableColumn("SCORE", .trailing, isWideOnly: true),
        ]
        return switch dimension {
        case .website: [visited, TableColumn("NAME", isElastic: true, isName: true)] + last
        case .section:
            [visited, website, TableColumn("NAME", isElastic: true, isName: true)] + last
        default:
            [
                visited, website,
                TableColumn("TITLE", minimumWidth: 10, maximumWidth: 40, isElastic: true),
                TableColumn("URL", minimumWidth: 20, isElastic: true, isName: true),
                TableColumn("SECTION", isWideOnly: true), TableColumn("KICKER", isWideOnly: true),
            ] + last
        }
    }

    private static func cells(_ hit: SearchHit, _ dimension: Dimension) -> [TableCell] {
        // Whole seconds are enough for people.
        let visited = hit.lastVisited.map {
            TableCell(ISO8601Text.text($0 - $0 % 1_000), raw: String($0))
        }
        let last = [
            TableCell(hit.id),
            hit.score.map { TableCell(NumberText.decimal($0), raw: "\($0)") } ?? .optional(nil),
        ]
        let first = [visited ?? .optional(nil)]
        return switch dimension {
        case .website: first + [TableCell(hit.name)] + last
        case .section: first + [.optional(hit.website), TableCell(hit.name)] + last
        default:
            first + [
                .optional(hit.website), .optional(hit.title), TableCell(hit.name),
                .optional(hit.section), .optional(hit.kicker),
            ] + last
        }
    }

    private static func value(_ hit: SearchHit, _ dimension: Dimension) -> JSONValue {
        var members: [JSONValue.Member] = [.init("id", .string(hit.id))]
        switch dimension {
        case .website: members.append(.init("name", .string(hit.name)))
        case .section:
            members.append(.init("name", .string(hit.name)))
            members.append(.init("website", .optional(hit.website)))
        default:
            members += [
                .init("url", .string(hit.name)), .init("title", .optional(hit.title)),
                .init("kicker", .optional(hit.kicker)), .init("website", .optional(hit.website)),
                .init("section", .optional(hit.section)),
                .init("articleId", .optional(hit.articleID)),
            ]
        }
        members += [
            .init("lastVisited", hit.lastVisited.map { .string(ISO8601Text.text($0)) } ?? .null),
            .init("score", hit.score.map { .number($0) } ?? .null), .init("key", .string(hit.key)),
        ]
        return .object(members)
    }
}
