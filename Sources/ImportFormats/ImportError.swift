import Glibc

/// Why a file cannot be read on. A line that is wrong is never an error: it is counted, and the
/// next one is read.
public enum ImportError: Error, Equatable, Sendable {
    /// The file cannot be opened; `code` is an errno.
    case cannotOpen(name: String, code: Int32)
    /// A folder, a socket or another thing that holds no lines.
    case notAFile(name: String)
    case cannotRead(name: String, offset: Int64, code: Int32)
    /// The compressed data is wrong from about this byte of the stored file on; all lines before
    /// were delivered.
    case corruptGzip(name: String, offset: Int64, reason: String)
    /// The compressed data ends too early; all whole lines before were delivered.
    case truncatedGzip(name: String, offset: Int64)
    /// None of the first lines is of a known format.
    case unknownFormat(name: String)
    /// The lines name no host, and no `--host` was given.
    case hostMissing(name: String, line: UInt64)
    case invalidHost(String)
}

extension ImportError: CustomStringConvertible {
    /// One line that names the file, the place and the way out.
    public var description: String {
        switch self {
        case .cannotOpen(let name, let code):
            return "cannot open \(name): \(Self.text(code))"
        case .notAFile(let name):
            return "\(name) is neither a file nor a pipe: name a log file, or - for standard input"
        case .cannotRead(let name, let offset, let code):
            return "cannot read \(name) at byte \(offset): \(Self.text(code))"
        case .corruptGzip(let name, let offset, let reason):
            return
                "\(name) is damaged near byte \(offset) (\(reason)): the lines before it are read; "
                + "get a whole copy and import it again, nothing is counted twice"
        case .truncatedGzip(let name, let offset):
            return
                "\(name) ends in the middle of its compressed data at byte \(offset): the lines "
                + "before it are read; get a whole copy and import it again, "
                + "nothing is counted twice"
        case .unknownFormat(let name):
            return
                "no line at the start of \(name) is a combined, common or vhost log line or a JSON "
                + "object: name the format with --format"
        case .hostMissing(let name, let line):
            return "line \(line) of \(name) names no host: say whose log it is with --host NAME"
        case .invalidHost(let host):
            return
                "'\(host)' is not a host name: write www.example.org, without scheme and path"
        }
    }

    private static func text(_ code: Int32) -> String {
        String(cString: strerror(code))
    }
}
