import Foundation
import Glibc

/// `Tests/ArticleAPI/api.py`, a process of its own on this machine's loopback.
///
/// It ends with the test process, whatever that one's end is.
final class ArticleServer: Sendable {
    let port: UInt16

    struct Trouble: Error {
        let what: String
    }

    /// One for all tests.
    static let shared = Task { try ArticleServer() }

    init() throws {
        var package = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { package.deleteLastPathComponent() }
        let script = package.path + "/Tests/ArticleAPI/api.py"
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Trouble(what: "pipe: \(errno)") }
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        let program: [String] = ["/usr/bin/env", "python3", script]
        let environment: [String] = ["PATH=\(String(cString: getenv("PATH")))"]
        let words = program.map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        defer { for text in words + variables { free(text) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, "/usr/bin/env", &actions, nil, words, variables)
        close(ends[1])
        defer { close(ends[0]) }
        guard status == 0 else { throw Trouble(what: "python3 cannot be started: \(status)") }
        var text = ""
        var byte: UInt8 = 0
        while read(ends[0], &byte, 1) == 1, byte != 10 { text.unicodeScalars.append(.init(byte)) }
        guard let port = text.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw Trouble(what: "the server said: \(text)")
        }
        self.port = port
    }
}
