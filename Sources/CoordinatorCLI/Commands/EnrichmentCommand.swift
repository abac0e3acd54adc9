import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator enrichment status` and `coordinator enrichment retry`
@LoopActor enum EnrichmentCommand {
    static func status(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let count = Int(context.arguments.requiredInteger("number"))
        let reading = try await context.service { () async throws(ServiceError) in
            try await deployment.enrichment(deadPages: count)
        }
        switch context.style.format {
        case .json, .ndjson:
            context.show(Document(EnrichmentTables.value(reading), table: Table([])))
        case .table, .wide, .csv, .name:
            for section in EnrichmentTables.sections(reading) {
                context.output.write(section.title(context.style))
                context.output.write(section.table.text(context.style))
            }
        }
        return context.finish(missing: reading.missing)
    }

    static func retry(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        guard !context.arguments.isGiven("watch") else {
            throw CommandError(.usage, "--watch is for commands that only look")
        }
        let deployment = try await context.deployment()
        let page = context.arguments.text("page")
        let count = try await context.service { () async throws(ServiceError) -> Int64 in
            guard let page else { return try await deployment.retryEnrichment() }
            try await deployment.retryEnrichment(of: try RecordFinder(deployment).page(page))
            return 1
        }
        var table = Table([
            TableColumn("ASKED AGAIN", field: "asked_again", .trailing, isName: true)
        ])
        table.append([.number(count)])
        let value = JSONValue.object([.init("askedAgain", .integer(count))])
        context.show(Document(value, table: table))
        let asking = try await context.service { () async throws(ServiceError) in
            try await deployment.control().live.contains { $0.enrichment != nil }
        }
        if !asking {
            context.note("no node has an --enrich-url: it waits until one has")
        }
        return .done
    }
}

/// The status of enrichment, in tables that fit 80 columns and as JSON.
enum EnrichmentTables {
    static func sections(_ reading: EnrichmentReading) -> [StatusTables.Section] {
        var sections = [waiting(reading), results(reading), nodes(reading)]
        if !reading.dead.isEmpty { sections.append(dead(reading)) }
        return sections
    }

    private static func waiting(_ reading: EnrichmentReading) -> StatusTables.Section {
        let pages = reading.pages
        var table = Table([
            TableColumn("NEW", field: "queued", .trailing),
            TableColumn("OLDEST", field: "oldest_at"),
            TableColumn("DUE", .trailing), TableColumn("SCHEDULED", .trailing),
            TableColumn("TRIED", .trailing),
            TableColumn("GIVEN UP", field: "dead", .trailing),
        ])
        let oldest = reading.oldestQueuedAt.map {
            TableCell(
                NumberText.relative($0, now: reading.now), raw: ISO8601Text.text($0))
        }
        table.append([
            .number(pages.queued), oldest ?? "–", .number(pages.due), .number(pages.scheduled),
            .number(pages.tried), .number(pages.dead, tone: pages.dead > 0 ? .bad : .plain),
        ])
        return StatusTables.Section(heading: "PAGES", remark: "", tone: .strong, table: table)
    }

    private static func results(_ reading: EnrichmentReading) -> StatusTables.Section {
        let pages = reading.pages
        var table = Table([
            TableColumn("WRITTEN", field: "found", .trailing),
            TableColumn("PUT OFF", field: "failed", .trailing),
            TableColumn("NOT THERE", field: "missing", .trailing),
            TableColumn("GIVEN UP", field: "given_up", .trailing),
            TableColumn("LAST REASON", field: "last_reason", isElastic: true),
        ])
        table.append([
            .number(pages.found), .number(pages.failed), .number(pages.missing),
            .number(pages.givenUp), .optional(reading.lastReason),
        ])
        return StatusTables.Section(heading: "RESULTS", remark: "", tone: .strong, table: table)
    }

    private static func nodes(_ reading: EnrichmentReading) -> StatusTables.Section {
        var table = Table([
            TableColumn("NODE", isElastic: true, isName: true),
            TableColumn("HOST", isElastic: true), TableColumn("STATE"),
            TableColumn("RUNNING", .trailing), TableColumn("REQUESTS", .trailing),
            TableColumn("FOUND", .trailing), TableColumn("FAILED", .trailing),
            TableColumn("MISSED", field: "missed_permits", .trailing, isWideOnly: true),
            TableColumn("LAST FAILURE", field: "last_failure", isWideOnly: true),
        ])
        for node in reading.nodes {
            guard let report = node.enrichment else { continue }
            table.append([
                TableCell(node.id.text), TableCell(report.host),
                TableCell(report.isAsked ? "asked" : "held", tone: report.isAsked ? .plain : .bad),
                .number(Int64(report.running)), .number(report.requests), .number(report.found),
                .number(report.failed), .number(report.missedPermits),
                .optional(report.lastFailure.isEmpty ? nil : report.lastFailure),
            ])
        }
        let remark =
            reading.nodes.isEmpty
            ? "none of \(reading.nodeCount) has an --enrich-url"
            : reading.nodes.count < reading.nodeCount
                ? "\(reading.nodeCount - reading.nodes.count) of \(reading.nodeCount) without an "
                    + "--enrich-url: pages of their shards wait" : ""
        return StatusTables.Section(
            heading: "NODES", remark: remark, tone: remark.isEmpty ? .strong : .bad, table: table)
    }

    private static func dead(_ reading: EnrichmentReading) -> StatusTables.Section {
        var table = Table([
            TableColumn("AT"), TableColumn("ARTICLE", .trailing),
            TableColumn("ATTEMPTS", .trailing), TableColumn("REASON", isElastic: true),
            TableColumn("PAGE", isElastic: true, isName: true),
            TableColumn("ID", isWideOnly: true),
        ])
        for page in reading.dead {
            let at = Int64(clamping: page.entry.milliseconds)
            table.append([
                .instant(at - at % 1_000), TableCell(page.article), .number(page.attempts),
                TableCell(page.reason), TableCell(page.url ?? page.page.hex),
                TableCell(page.page.hex),
            ])
        }
        return StatusTables.Section(
            heading: "GIVEN UP", remark: "`coordinator enrichment retry` asks for them again",
            tone: .bad, table: table)
    }

    // MARK: For programs

    static func value(_ reading: EnrichmentReading) -> JSONValue {
        let pages = reading.pages
        return .object([
            .init("observedAt", .string(ISO8601Text.text(reading.now))),
            .init("partial", .bool(!reading.missing.isEmpty)),
            .init("queued", .integer(pages.queued)),
            .init("oldestQueuedAt", .optional(reading.oldestQueuedAt.map(ISO8601Text.text))),
            .init("due", .integer(pages.due)), .init("scheduled", .integer(pages.scheduled)),
            .init("tried", .integer(pages.tried)), .init("dead", .integer(pages.dead)),
            .init(
                "results",
                .object([
                    .init("found", .integer(pages.found)), .init("failed", .integer(pages.failed)),
                    .init("missing", .integer(pages.missing)),
                    .init("givenUp", .integer(pages.givenUp)),
                    .init("skipped", .integer(pages.skipped)),
                ])),
            .init("lastReason", .optional(reading.lastReason)),
            .init("lastReasonAt", .optional(reading.lastReasonAt.map(ISO8601Text.text))),
            .init("nodes", .array(reading.nodes.map(node))),
            .init("deadPages", .array(reading.dead.map(deadPage))),
        ])
    }

    private static func node(_ node: NodeRecord) -> JSONValue {
        guard let report = node.enrichment else { return .null }
        return .object([
            .init("node", .string(node.id.text)), .init("host", .string(report.host)),
            .init("asked", .bool(report.isAsked)),
            .init("running", .integer(Int64(report.running))),
            .init("ready", .integer(Int64(report.ready))),
            .init("requests", .integer(report.requests)), .init("found", .integer(report.found)),
            .init("missing", .integer(report.missing)), .init("failed", .integer(report.failed)),
            .init("dead", .integer(report.dead)),
            .init("missedPermits", .integer(report.missedPermits)),
            .init("lastFailure", .optional(report.lastFailure.isEmpty ? nil : report.lastFailure)),
        ])
    }

    private static func deadPage(_ page: EnrichmentReading.DeadPage) -> JSONValue {
        .object([
            .init("at", .string(ISO8601Text.text(Int64(clamping: page.entry.milliseconds)))),
            .init("id", .string(page.page.hex)), .init("url", .optional(page.url)),
            .init("article", .string(page.article)), .init("attempts", .integer(page.attempts)),
            .init("reason", .string(page.reason)),
        ])
    }
}
