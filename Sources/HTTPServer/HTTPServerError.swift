/// Why a server cannot begin.
public enum HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is no address to listen on.
    case address(String)
    /// Another program listens there.
    case inUse(String)
    /// The system refused; `function` is the call, `reason` the system's own words.
    case refused(address: String, function: String, reason: String)

    /// One lower-case line that names the way out.
    public var description: String {
        switch self {
        case .address(let text):
            "'\(text)' is no address to listen on: write ADDRESS:PORT with a numeric address, such "
                + "as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080"
        case .inUse(let address):
            "another program listens on \(address): give this node a port of its own"
        case .refused(let address, let function, let reason):
            "cannot listen on \(address): \(function): \(reason)"
        }
    }
}
