import CoordinatorCore
public import EventLoop
import FoundationEssentials
import RedisClient

/// A node's log: one logfmt line for each transition, on stderr.
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

    private let node: String
    private let lowest: Level
    private let write: @LoopActor (String) -> Void
    private var last: [String: String] = [:]
    /// Topics whose last reason is remembered; beyond, all are forgotten and may be said again.
    private static let maximumTopics = 10_000

    /// A log whose lines go to `write`, each with its line feed.
    public init(node: String, lowest: Level = .info, write: @escaping @LoopActor (String) -> Void) {
        self.node = node
        self.lowest = lowest
        self.write = write
    }

    /// One line about something that happened.
    public func event(_ level: Level = .info, _ event: String, _ fields: [(String, String)] = []) {
        guard level.rawValue >= lowest.rawValue else { return }
        var line =
            "time=\(Self.now()) level=\(level) node=\(Self.quoted(node))"
            + " event=\(Self.quoted(event))"
        for (name, value) in fields { line += " \(name)=\(Self.quoted(value))" }
        write(line + "\n")
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
        event(level, topic, [("subject", subject), ("reason", reason)])
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
        event(.info, topic, [("subject", subject), ("reason", "over")])
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
