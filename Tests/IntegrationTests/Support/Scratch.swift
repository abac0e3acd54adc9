import Foundation
import Glibc

/// The folder that everything of this run lies in: clusters, files, the output of programs.
///
/// A watch, a process of its own, waits for the end of the test process, whatever that end is, and
/// then ends the programs and clusters that are left, and removes the folder. A handler at exit
/// would not run when the test process is killed.
enum Scratch {
    /// Below TMPDIR, where `Deploy/test` looks for clusters, too.
    static let root: String = make()

    /// A new folder below the root.
    static func folder(_ name: String) throws -> String {
        let path = root + "/" + name + "-" + String(numbers.next())
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// A path for a file that is not there yet.
    static func path(_ name: String) -> String {
        root + "/" + String(numbers.next()) + "-" + name
    }

    /// A file with this content.
    static func file(_ name: String, _ content: [UInt8]) throws -> String {
        let path = path(name)
        try Data(content).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Notes a program that the watch ends if the tests do not.
    static func note(_ pid: pid_t) {
        let descriptor = open("\(root)/pids/\(pid)", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        if descriptor >= 0 { close(descriptor) }
    }

    static func forget(_ pid: pid_t) {
        unlink("\(root)/pids/\(pid)")
    }

    private static let numbers = Counter()

    private static func make() -> String {
        let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? P_tmpdir
        var template = Array("\(base)/coordinator-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("mkdtemp in \(base): errno \(errno)") }
        let path = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        mkdir(path + "/pids", 0o700)
        startWatch(path)
        return path
    }

    private static let watch = """
        cat >/dev/null
        for file in "$1"/pids/*; do
            pid="${file##*/}"
            case "$(readlink "/proc/$pid/exe")" in */coordinator) kill -9 "$pid" ;; esac
        done
        find "$1" -name cluster.json | while read -r file; do
            "$2" stop --dir "${file%/cluster.json}"
        done
        rm -rf "$1"
        """

    private static func startWatch(_ folder: String) {
        var ends: [Int32] = [0, 0]
        // Our end is closed by the kernel when this process ends, and no child of ours inherits it.
        guard pipe(&ends) == 0 else { fatalError("pipe: errno \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        do {
            _ = try Child.spawn(
                ["/bin/sh", "-c", watch, "watch", folder, Package.root + "/Deploy/cluster"],
                environment: Package.environment, input: ends[0], output: "/dev/null",
                errors: "/dev/null", ownSession: true)
        } catch {
            fatalError("the watch could not be started: \(error)")
        }
        close(ends[0])
    }
}

/// Numbers for names, one after the other.
final class Counter: @unchecked Sendable {
    // Safe: every access is under the lock.
    private let lock = NSLock()
    private var value = 0

    func next() -> Int {
        lock.withLock {
            value += 1
            return value
        }
    }
}

/// Where the package and what was built of it lie.
enum Package {
    /// The folder of `Package.swift`, four levels above this file.
    static let root: String = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { url.deleteLastPathComponent() }
        return url.path
    }()

    /// The program under test, built beside the test bundle.
    static let program: String = {
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appendingPathComponent("coordinator").path
    }()

    /// What programs inherit: nothing of ours that could name another Redis.
    static let environment: [String: String] = {
        let kept = ["PATH", "HOME", "TMPDIR", "COORDINATOR_REDIS_STACK", "LD_LIBRARY_PATH"]
        return ProcessInfo.processInfo.environment.filter { kept.contains($0.key) }
    }()

    /// A number that somebody set by hand.
    static func number(_ variable: String) -> Int? {
        ProcessInfo.processInfo.environment[variable].flatMap { Int($0) }
    }

    /// Whether tests against servers run: always where a missing server is a failure.
    static let hasServer: Bool = {
        let environment = ProcessInfo.processInfo.environment
        if environment["COORDINATOR_REQUIRE_CLUSTER"] == "1" { return true }
        let stack = environment["COORDINATOR_REDIS_STACK"] ?? root + "/.build/redis-stack"
        return access(stack + "/bin/redis-server", X_OK) == 0
    }()
}
