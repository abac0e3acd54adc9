import EventLoop
import HTTPServer
import Terminal

/// Which path is answered by which command, and by which of its options as parameters.
///
/// Only what is listed here can be asked: options that name files, servers or formats cannot.
struct QuestionRoute: Sendable {
    /// The command, its words apart by spaces.
    let command: String
    /// Parameters that are the command's operands, in order.
    var operands: [String] = []
    /// An operand's value where it is not given.
    var defaults: [String: String] = [:]
    /// Parameters that are options, where the command has them.
    var options: [String] = []
    /// For how long an answer serves others who ask the same.
    var lifetime: Duration = .seconds(1)
    /// Does not wait for other questions.
    var isUrgent = false

    private static let selectors = [
        "website", "section", "page", "tz", "audio", "video", "podcast", "item",
    ]

    /// By path.
    static let all: [String: QuestionRoute] = [
        "/status": QuestionRoute(command: "status", isUrgent: true),
        "/api/v1/nodes": QuestionRoute(command: "nodes"),
        "/api/v1/shards": QuestionRoute(command: "shards"),
        "/api/v1/tiers": QuestionRoute(command: "tiers"),
        "/api/v1/sources": QuestionRoute(command: "sources"),
        "/api/v1/history": QuestionRoute(command: "history", options: ["number"]),
        "/api/v1/top": QuestionRoute(
            command: "top", operands: ["what"], defaults: ["what": "pages"],
            options: selectors + ["last", "at", "by", "number", "compare"], lifetime: .seconds(2)),
        "/api/v1/now": QuestionRoute(command: "live", lifetime: .seconds(2)),
        "/api/v1/enrichment": QuestionRoute(command: "enrichment status", lifetime: .seconds(5)),
        "/api/v1/trending": QuestionRoute(
            command: "trending", operands: ["what"], defaults: ["what": "pages"],
            options: selectors + ["last", "at", "number", "floor", "times"],
            lifetime: .seconds(5)),
        "/api/v1/report": QuestionRoute(
            command: "report", options: selectors + ["last", "at", "compare"],
            lifetime: .seconds(2)),
        "/api/v1/series": QuestionRoute(
            command: "series", options: selectors + ["metric", "tier", "from", "to", "at"],
            lifetime: .seconds(2)),
        "/api/v1/search": QuestionRoute(
            command: "search", operands: ["words"],
            options: [
                "what", "website", "section", "level", "since", "sort", "number",
            ], lifetime: .seconds(2)),
    ]

    /// The routes whose command there is.
    static let known: [String: QuestionRoute] = all.filter { entry in
        ProgramModel.program.command(at: entry.value.path) != nil
    }

    private var path: [String] { command.split(separator: " ").map(String.init) }

    /// The command line that asks the same.
    ///
    /// - Errors: usage, with the names there are.
    func words(_ parameters: [HTTPTarget.Parameter]) throws(CommandError) -> [String] {
        guard let model = ProgramModel.program.command(at: path) else {
            preconditionFailure("the command \(command) of a route is not declared")
        }
        let names = options.filter { name in model.options.contains { $0.name == name } }
        var values = defaults
        var given: [String] = []
        for parameter in parameters {
            if operands.contains(parameter.name) {
                values[parameter.name] = parameter.value
            } else if names.contains(parameter.name) {
                given.append("--\(parameter.name)=\(parameter.value)")
            } else {
                let known = operands + names
                throw CommandError(
                    .usage,
                    "there is no parameter '\(TerminalText.escaped(parameter.name))'"
                        + (known.isEmpty ? " here" : ": there are \(known.joined(separator: ", "))")
                )
            }
        }
        // Behind the two dashes a value is never an option.
        return path + ["--output=json", "--quiet"] + given + ["--"]
            + operands.flatMap { name -> [String] in
                guard let value = values[name] else { return [] }
                return name == "words" ? value.split(separator: " ").map(String.init) : [value]
            }
    }
}
