import CoordinatorCore

/// What an error reply asks the client to do. In every case but ``none`` the command has not run.
enum Redirection: Equatable {
    /// The slot lives there for good.
    case moved(HashSlot, RedisEndpoint)
    /// This once there, after `ASKING`.
    case ask(RedisEndpoint)
    /// The slot's keys are divided between two servers: again in a few milliseconds.
    case tryAgain
    /// The server does not know the script.
    case noScript
    /// A script is running there and does not end.
    case busy
    /// The server cannot serve now (`CLUSTERDOWN`, `LOADING`, `MASTERDOWN`) or no longer is the
    /// master (`READONLY`): look at the topology and try again.
    case notNow
    /// An error of the command itself.
    case none

    /// Reads an error; `server` answered it.
    ///
    /// An empty host in a redirection means the host of the server that answered.
    init(_ error: RedisServerError, from server: RedisEndpoint) {
        switch error.code {
        case "MOVED": self = Self.move(error.message, server).map { .moved($0, $1) } ?? .none
        case "ASK": self = Self.move(error.message, server).map { .ask($1) } ?? .none
        case "TRYAGAIN": self = .tryAgain
        case "NOSCRIPT": self = .noScript
        case "BUSY": self = .busy
        case "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY": self = .notNow
        default: self = .none
        }
    }

    private static func move(
        _ message: String, _ server: RedisEndpoint
    ) -> (HashSlot, RedisEndpoint)? {
        let parts = message.split(separator: " ")
        guard parts.count >= 2, let number = UInt16(parts[0]),
            let slot = HashSlot(rawValue: number),
            let endpoint = RedisEndpoint(parts[1])
        else { return nil }
        // "?" is Redis's word for a host it was not told.
        let isSame = endpoint.host.isEmpty || endpoint.host == "?"
        return (slot, isSame ? RedisEndpoint(host: server.host, port: endpoint.port) : endpoint)
    }
}
