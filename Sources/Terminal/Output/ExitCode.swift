/// The exit codes of the program; scripts rely on them.
public enum ExitCode: Int32, CaseIterable, Sendable {
    /// Done; also a node that ended by a SIGTERM as it should.
    case done = 0
    /// Something that was not foreseen.
    case unexpected = 1
    /// Redis is not reachable, or did not answer in time.
    case unreachable = 2
    /// Refused by authentication or by the access rules.
    case refused = 3
    /// Redis answered with an error.
    case redisError = 4
    /// Reached, but not healthy.
    case unhealthy = 5
    /// Some masters did not answer; what is printed is valid and says so.
    case partial = 6
    /// Wrong usage.
    case usage = 64
    /// Wrong configuration.
    case configuration = 78

    /// What the code means, for the help.
    public var meaning: String {
        switch self {
        case .done: return "done"
        case .unexpected: return "unexpected"
        case .unreachable: return "Redis not reachable, or timed out"
        case .refused: return "refused by authentication or ACL"
        case .redisError: return "Redis answered with an error"
        case .unhealthy: return "reached, but not healthy"
        case .partial: return "partial data: some masters did not answer"
        case .usage: return "wrong usage"
        case .configuration: return "wrong configuration"
        }
    }

    /// The table for the end of the program's help.
    public static var helpTable: String {
        allCases.map { code in
            let number = String(code.rawValue)
            return "  " + number + String(repeating: " ", count: 4 - number.utf8.count)
                + code.meaning
        }.joined(separator: "\n")
    }
}
