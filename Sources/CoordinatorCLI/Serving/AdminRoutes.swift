import CoordinatorService
import EventLoop
import HTTPServer
import RedisClient
import Terminal

/// Orders over HTTP: the commands that change something, each with a line in the log.
///
/// - Shape: `POST /api/v1/<command>` with a JSON object; the answer is the command's `-o json`.
/// - Thread: loop only.
@LoopActor final class AdminRoutes {
    /// What a command takes from the body.
    private struct Route {
        /// The member that is the operand; nil where there is none.
        var operand: String?
        /// Members that are flags, and the flags.
        var flags: [String: String] = ["dryRun": "dry-run"]
    }

    private static let routes: [String: Route] = [
        "drain": Route(operand: "node", flags: ["dryRun": "dry-run", "undo": "undo"]),
        "step-down": Route(), "rebalance": Route(), "pause": Route(operand: "tier"),
        "resume": Route(operand: "tier"),
    ]
    private static let prefix = "/api/v1/"

    private let desk: QuestionDesk
    private let token: BearerToken
    private let log: NodeLog

    init(_ desk: QuestionDesk, token: BearerToken, log: NodeLog) {
        self.desk = desk
        self.token = token
        self.log = log
    }

    /// Takes one order.
    func handle(_ request: HTTPRequest, _ reply: HTTPReply) {
        // Before anything else: who may not give orders learns nothing from the answer either.
        guard token.isShown(by: request.header("authorization")) else {
            log.event(
                .warning, "order-refused",
                [("from", request.peer), ("path", request.target.path), ("reason", "token")])
            return reply.send(
                .problem(
                    401, "Unauthorized", "an order needs the admin token",
                    headers: [("WWW-Authenticate", "Bearer realm=\"coordinator\"")]))
        }
        guard request.target.path.hasPrefix(Self.prefix),
            let route = Self.routes[String(request.target.path.dropFirst(Self.prefix.count))]
        else {
            let names = Self.routes.keys.sorted().map { Self.prefix + $0 }
            return reply.send(
                .problem(404, "Not Found", "there are \(names.joined(separator: ", "))"))
        }
        guard request.method == "POST" else {
            return reply.send(
                .problem(
                    405, "Method Not Allowed", "orders are given with POST",
                    headers: [("Allow", "POST")]))
        }
        do throws(CommandError) { carryOut(try words(request, route), request, reply) } catch {
            reply.send(QuestionDesk.problem(error))
        }
    }

    private func words(_ request: HTTPRequest, _ route: Route) throws(CommandError) -> [String] {
        guard request.target.parameters.isEmpty else {
            throw CommandError(.usage, "an order has its parts in the body, not in the path")
        }
        // A page of another origin can send a form, but no JSON without being asked first.
        let type = (request.header("content-type") ?? "").prefix { $0 != ";" && $0 != " " }
        guard type.lowercased() == "application/json",
            case .object(let members)? = JSONReader.value(
                String(decoding: request.body, as: UTF8.self))
        else { throw CommandError(.usage, "send a JSON object as application/json") }
        var options: [String] = []
        var operands: [String] = []
        for member in members {
            if member.key == route.operand, case .string(let text) = member.value {
                operands.append(text)
            } else if let flag = route.flags[member.key], case .bool(let isSet) = member.value {
                if isSet { options.append("--\(flag)") }
            } else {
                let known = [route.operand].compactMap { $0 } + route.flags.keys.sorted()
                throw CommandError(
                    .usage,
                    "'\(TerminalText.escaped(member.key))' is none of "
                        + "\(known.joined(separator: ", ")), or of another type")
            }
        }
        let command = String(request.target.path.dropFirst(Self.prefix.count))
        return [command, "--output=json", "--quiet", "--yes"] + options + ["--"] + operands
    }

    private func carryOut(_ words: [String], _ request: HTTPRequest, _ reply: HTTPReply) {
        let order = words.filter { !["--output=json", "--quiet", "--yes", "--"].contains($0) }
        // Never from what is kept: the same order again is looked at again.
        desk.answer(words, lifetime: .zero, isUrgent: true) { [log] response in
            log.event(
                .info, "order",
                [
                    ("from", request.peer), ("order", order.joined(separator: " ")),
                    ("status", "\(response.status)"),
                ])
            reply.send(response)
        }
    }
}
