import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator acl`: the least that Redis has to allow, as commands to paste.
@LoopActor enum AclCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let arguments = context.arguments
        let sources = try SettingsArguments.sources(context)
        let given = arguments.operand("role").flatMap(RedisPermissions.Role.init(rawValue:))
        let roles = given.map { [$0] } ?? RedisPermissions.Role.allCases
        let name = arguments.text("as")
        if let name {
            guard roles.count == 1 else {
                throw CommandError(.usage, "--as names one user: say daemon or reader, too")
            }
            let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
            guard isPlain else {
                throw CommandError(.usage, "--as: a user's name has no spaces: write another")
            }
        }
        var table = Table([TableColumn("ROLE", isName: true), TableColumn("COMMAND")])
        let values = roles.map { role in
            let permissions = RedisPermissions(role, sources: sources)
            let user = name ?? role.userName
            let command = "ACL SETUSER \(user) \(permissions.rules)"
            table.append([TableCell(role.rawValue), TableCell(command)])
            return JSONValue.object([
                .init("role", .string(role.rawValue)), .init("user", .string(user)),
                .init("rules", .string(permissions.rules)),
                .init("commands", .array(permissions.commands.map { .string($0) })),
                .init("keys", .array(permissions.keys.map { .string($0) })),
            ])
        }
        guard context.style.format == .table else {
            context.show(Document(.array(values), table: table))
            return .done
        }
        // Not a table: lines of this length are for pasting.
        for role in roles {
            let rules = RedisPermissions(role, sources: sources).rules
            context.output.write("ACL SETUSER \(name ?? role.userName) \(rules)\n")
        }
        context.note(
            "on every master and replica; then a password: ACL SETUSER \(name ?? roles[0].userName)"
                + " '>…', and ACL SAVE or CONFIG REWRITE")
        return .done
    }
}
