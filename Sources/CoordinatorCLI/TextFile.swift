import Glibc
import Terminal

/// Small files that people write: settings, secrets.
enum TextFile {
    /// Reads a whole file of at most `limit` bytes.
    static func read(_ path: String, limit: Int) throws(CommandError) -> String {
        guard let text = String(validating: try bytes(path, limit: limit), as: UTF8.self) else {
            throw CommandError(.configuration, "\(path) is not UTF-8 text")
        }
        return text
    }

    /// The same, whatever it holds.
    static func bytes(_ path: String, limit: Int) throws(CommandError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var length = 0
        while length < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress.map { $0 + length }, $0.count - length)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw failure(path) }
            if got == 0 { break }
            length += got
        }
        guard length <= limit else {
            throw CommandError(
                .configuration, "\(path) is over \(limit) bytes: give the right file")
        }
        return Array(bytes[..<length])
    }

    private static func failure(_ path: String) -> CommandError {
        CommandError(.configuration, "cannot read \(path): \(String(cString: strerror(errno)))")
    }
}

/// Asks for a password on the terminal, without showing it.
enum PasswordPrompt {
    /// - Returns: nil where there is no terminal.
    /// - Source: getpass(3).
    static func read(_ prompt: String) -> String? {
        guard let typed = getpass(prompt) else { return nil }
        return String(cString: typed)
    }
}
