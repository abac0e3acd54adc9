import CoordinatorCore
import CoordinatorService
import ImportFormats
import RedisClient
import Terminal

/// Why a command ended without its result: a sentence, and the exit code.
struct CommandError: Error {
    let code: ExitCode
    let message: String

    init(_ code: ExitCode, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: ServiceError) {
        message = "\(error)"
        switch error {
        case .redis(let error): code = Self.code(error)
        case .notInitialised, .settings, .settingsDiffer, .otherSettings, .deviceKey:
            code = .configuration
        case .unreadable: code = .redisError
        case .fenced: code = .unexpected
        case .question: code = .usage
        case .timedOut: code = .unreachable
        }
    }

    init(_ error: RedisError) {
        self.init(ServiceError.redis(error))
    }

    init(_ error: SettingsError) {
        self.init(.configuration, "\(error)")
    }

    init(_ error: ImportError) {
        self.init(.unexpected, "\(error)")
    }

    private static func code(_ error: RedisError) -> ExitCode {
        switch error {
        case .unreachable, .timedOut, .outcomeUnknown, .overloaded, .closed: .unreachable
        case .authentication, .untrusted, .permission: .refused
        case .server, .clusterDown, .protocolViolation: .redisError
        case .configuration: .configuration
        }
    }
}
