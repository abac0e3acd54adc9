import CoordinatorCore
public import EventLoop
import FoundationEssentials
import RedisClient

/// A node's log: one line for each transition, logfmt or JSON, on stderr.
///
/// Every line has the time in UTC, the level, the node and the event; `term` while the node leads;
/// and what it is about by name: `shard`, `tier`, `window`, `source`, `reason`. Nothing of an entry
/// but its id is ever given to it, and no secret.
///
/// A reason is written when it changes, not each time it is met, and once more when it is over: a
/// master that is away for an hour is two lines.
///
/// - Thread: loop only.
@LoopActor public final class NodeLog {
    /// How much a line matters.
    public enum Level: Int, Sendable, CaseIterable {
        case debug, info, warning, error

        /// The level of this name; `info` for any other.
        public init(name: String) {
            self = Self.allCases.first { "\($0)" == name } ?? .info
        }
    }

    /// How a line is written.
    public enum Format: String, Sendable, CaseIterable {
        case logfmt, json
    }

    /// The least important lines that are written; may change at any time.
    public var lowest: Level
    /// How lines are written; may change at any time.
    public var format: Format
    /// The term of this node's leadership, on every line while it has one.
    var term: String?
    private let node: String
    private let write: @LoopActor (String) -> Void
    private var last: [String: String] = [:]
    /// Topics whose last reason is remembered; beyond, all are forgotten and may be said again.
    private static let maximumTopics = 10_000

    /// A log whose lines go to `write`, each with its line feed.
    public init(
        node: String, lowest: Level = .info, format: Format = .logfmt,
        write: @escaping @LoopActor (String) -> Void
    ) {
        self.node = node
        self.lowest = lowest
        self.format = format
        self.write = write
    }

    /// One line about something that happened.
    public func event(_ level: Level = .info, _ event: String, _ fields: [(String, String)] = []) {
        guard level.rawValue >= lowest.rawValue else { return }
        var all = [
            ("time", Self.now()), ("level", "\(level)"), ("node", node), ("event", event),
        ]
        if let term, !fields.contains(where: { $0.0 == "term" }) { all.append(("term", term)) }
        all += fields
        switch format {
        case .logfmt:
            write(all.map { "\($0)=\(Self.quoted($1))" }.joined(separator: " ") + "\n")
        case .json:
            let members = all.map { "\"\($0)\":\(Self.jsonString($1))" }
            write("{" + members.joined(separator: ",") + "}\n")
        }
    }

    /// A line when the reason for `subject` is another than the last one.
    ///
    /// - Parameter identity: what makes the reason another one, where its text says more.
    func change(
        _ topic: String, _ subject: String, _ reason: String, level: Level = .warning,
        identity: String? = nil
    ) {
        let key = Self.key(topic, subject)
        let identity = identity ?? reason
        guard last[key] != identity else { return }
        if last.count >= Self.maximumTopics { last.removeAll() }
        last[key] = identity
        event(level, topic, [Self.field(of: subject), ("reason", reason)])
    }

    /// The same for a failure.
    func change(_ topic: String, _ subject: String, _ error: ServiceError) {
        change(topic, subject, "\(error)", identity: error.identity)
    }

    /// A line when what was wrong with `subject` is over.
    func settle(_ topic: String, _ subject: @autoclosure () -> String) {
        // Asked after every success: as a rule there is nothing to forget.
        guard !last.isEmpty else { return }
        let subject = subject()
        guard last.removeValue(forKey: Self.key(topic, subject)) != nil else { return }
        event(.info, topic, [Self.field(of: subject), ("reason", "over")])
    }

    /// What is about a shard has its number under its own name, for programs.
    private static func field(of subject: String) -> (String, String) {
        subject.hasPrefix("shard ")
            ? ("shard", String(subject.dropFirst(6))) : ("subject", subject)
    }

    private static func key(_ topic: String, _ subject: String) -> String { "\(topic) \(subject)" }

    /// Quoted where logfmt needs it; control and other unprintable characters as escapes.
    static func quoted(_ text: String) -> String {
        var quoted = ""
        var isPlain = !text.isEmpty
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                quoted += "\\\(scalar)"
                isPlain = false
            case " ", "=":
                quoted.unicodeScalars.append(scalar)
                isPlain = false
            case _ where scalar.properties.generalCategory.isUnprintable:
                quoted += "\\u{\(String(scalar.value, radix: 16))}"
                isPlain = false
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return isPlain ? quoted : "\"\(quoted)\""
    }

    /// A JSON string; unprintable characters as escapes here, too: logs are read on terminals.
    static func jsonString(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.properties.generalCategory.isUnprintable:
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func now() -> String {
        let milliseconds = Int64(Date.now.timeIntervalSince1970 * 1_000)
        return Timestamp(milliseconds: milliseconds).iso8601
    }
}

extension ServiceError {
    /// What two failures have in common that are one in the log: how long each took is no matter.
    fileprivate var identity: String {
        guard case .redis(.outcomeUnknown(let operation, let endpoint, _)) = self else {
            return "\(self)"
        }
        return "\(operation) \(endpoint) not answered"
    }
}

extension Unicode.GeneralCategory {
    fileprivate var isUnprintable: Bool {
        switch self {
        case .control, .format, .surrogate, .lineSeparator, .paragraphSeparator, .unassigned,
            .privateUse:
            true
        default: false
        }
    }
}
