import Glibc

/// A file of option values, one a line: `lease = 3s`. Names are the options' long names.
///
/// Lines that are empty or begin with `#` are skipped. A repeatable option takes several lines. It
/// ranks below the command line and the environment.
public struct ConfigurationFile: Sendable, Equatable {
    /// One setting of the file.
    public struct Entry: Sendable, Equatable {
        /// The long name of an option.
        public let name: String
        /// What stands behind the equals sign, without spaces around it.
        public let value: String
        /// Counted from 1.
        public let line: Int
    }

    /// A settings file is a page or two; more is a wrong path.
    static let maximumBytes = 1 << 20

    /// Where the file lies; for messages.
    public let path: String
    /// The settings, in their order.
    public let entries: [Entry]

    /// Parses the text of a file.
    ///
    /// - Errors: `.invalidFileLine` for the first line that is not `name = value`.
    public init(path: String, text: String) throws(ArgumentError) {
        self.path = path
        var entries: [Entry] = []
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            let trimmed = Self.trimmed(line)
            if trimmed.isEmpty || trimmed.hasPrefix("#") { continue }
            guard let equals = trimmed.firstIndex(of: "=") else {
                throw .invalidFileLine(file: path, line: number, reason: "write name = value")
            }
            let name = Self.trimmed(trimmed[..<equals])
            let value = Self.trimmed(trimmed[trimmed.index(after: equals)...])
            guard !name.isEmpty else {
                throw .invalidFileLine(
                    file: path, line: number, reason: "a name is missing before '='")
            }
            entries.append(Entry(name: String(name), value: String(value), line: number))
        }
        self.entries = entries
    }

    /// Reads and parses a file of at most 1 MiB.
    public static func read(_ path: String) throws(ArgumentError) -> ConfigurationFile {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= maximumBytes {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path) }
            if count == 0 {
                return try ConfigurationFile(
                    path: path, text: String(decoding: bytes, as: UTF8.self))
            }
            bytes += chunk[..<count]
        }
        throw .unsuitable("the configuration file \(path) is over 1 MiB: is it the right file?")
    }

    private static func unreadable(_ path: String) -> ArgumentError {
        .unsuitable(
            "cannot read the configuration file \(path): \(String(cString: strerror(errno)))")
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var rest = text
        while let first = rest.unicodeScalars.first, first.properties.isWhitespace {
            rest = Substring(rest.unicodeScalars.dropFirst())
        }
        while let last = rest.unicodeScalars.last, last.properties.isWhitespace {
            rest = Substring(rest.unicodeScalars.dropLast())
        }
        return rest
    }
}
