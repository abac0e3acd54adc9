import CoordinatorCore
import EventLoop
import Foundation
import Glibc

/// What went wrong with the tests' own tools: a sentence.
struct Trouble: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A program that was started, with its output in files.
///
/// Not Foundation's Process: its pipes have to be emptied while the program runs, and its end is
/// told through a run loop of its own.
final class Child: Sendable {
    /// How a program ended.
    struct Finished: Sendable {
        /// The exit code; 128 + signal when a signal ended it, as a shell says it.
        let code: Int32
        let output: String
        let errors: String
    }

    let pid: pid_t
    private let outputPath: String
    private let errorsPath: String
    private let name: String
    private let ended = Ending()

    private final class Ending: @unchecked Sendable {
        // Safe: every access is under the lock.
        let lock = NSLock()
        var code: Int32?
    }

    init(_ words: [String], environment: [String: String] = [:], input: String? = nil) throws {
        outputPath = Scratch.path("output")
        errorsPath = Scratch.path("errors")
        name = words.dropFirst().prefix(2).joined(separator: " ")
        let descriptor = open(input ?? "/dev/null", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Trouble("\(input ?? ""): errno \(errno)") }
        defer { close(descriptor) }
        pid = try Self.spawn(
            words, environment: Package.environment.merging(environment) { $1 },
            input: descriptor, output: outputPath, errors: errorsPath)
        Scratch.note(pid)
    }

    /// The exit code, once the program has ended.
    var code: Int32? {
        ended.lock.withLock {
            if let code = ended.code { return code }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let signal = status & 0x7F
            ended.code = signal == 0 ? (status >> 8) & 0xFF : 128 + signal
            Scratch.forget(pid)
            return ended.code
        }
    }

    /// What it has written so far.
    var output: String { Self.text(outputPath) }
    var errors: String { Self.text(errorsPath) }
    /// The file that its output goes to, for other programs to read.
    var outputFile: String { outputPath }

    /// The most memory it has had, in KiB; nil when it has ended.
    var peakKilobytes: Int? {
        let status = Self.text("/proc/\(pid)/status")
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line.flatMap { Int($0.filter(\.isNumber)) }
    }

    func send(_ signal: Int32) {
        if code == nil { kill(pid, signal) }
    }

    /// Waits for its end; past the deadline it is killed, and that is an error.
    func finish(within limit: Duration = .seconds(120)) async throws -> Finished {
        do {
            try await eventually("\(name) has ended", within: limit) { code != nil }
        } catch {
            send(SIGKILL)
            throw Trouble("\(error); it wrote: \(output.suffix(2_000))\(errors.suffix(2_000))")
        }
        return Finished(code: code ?? -1, output: output, errors: errors)
    }

    private static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Starts a program.
    static func spawn(
        _ words: [String], environment: [String: String], input: Int32, output: String,
        errors: String, ownSession: Bool = false
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, flags, 0o600)
        // Nothing else is inherited: a socket of another test would stay open with the program.
        for descriptor in Int32(3)..<1_024 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        // 0x80 is POSIX_SPAWN_SETSID, which the headers give to GNU programs only: a Ctrl-C at the
        // terminal is not for the watch.
        let session: Int16 = ownSession ? 0x80 : 0
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | session)
        let arguments = words.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, words[0], &actions, &attributes, arguments, variables)
        guard status == 0 else { throw Trouble("\(words[0]) cannot be started: errno \(status)") }
        return pid
    }
}

/// Looks again and again until something holds. Never waits for a time, always for a condition.
func eventually(
    _ what: String, within limit: Duration = .seconds(60),
    _ holds: () async throws -> Bool
) async throws {
    let deadline = loopNow() + limit
    while true {
        if try await holds() { return }
        guard loopNow() < deadline else { throw Trouble("not within \(limit): \(what)") }
        try await loopSleep(.milliseconds(5))
    }
}
