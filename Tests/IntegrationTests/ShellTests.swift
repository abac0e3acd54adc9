import Foundation
import Glibc
import Testing

/// What shells and manual readers make of the program, tried with those themselves.
@Suite("Shells and the manual page", .serialized)
struct ShellTests {
    private struct Pressed: Decodable {
        let line: String
        let buffer: String
        let listed: String
    }

    private static func isThere(_ program: String) -> Bool {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.contains { access("\($0)/\(program)", X_OK) == 0 }
    }

    /// At a desk what is not installed is not tried; in continuous integration it is.
    private static func canTry(_ program: String) -> Bool {
        isThere(program)
            || ProcessInfo.processInfo.environment["COORDINATOR_REQUIRE_CLUSTER"] != nil
    }

    private static let lines: [(typed: String, completed: String)] = [
        ("coordinator sta", "coordinator status "),
        ("coordinator config v", "coordinator config validate "),
        ("coordinator top s", "coordinator top sections "),
        ("coordinator top pages --la", "coordinator top pages --last "),
        ("coordinator top pages --last=tod", "coordinator top pages --last=today "),
        ("coordinator top pages -o ndj", "coordinator top pages -o ndjson "),
        ("coordinator pause 5M", "coordinator pause 5MINUTES "),
        ("coordinator -q help conf", "coordinator -q help config "),
        ("coordinator import acc", "coordinator import access.log "),
        ("coordinator run --device-key-file=a.", "coordinator run --device-key-file=a.key "),
        // An option given already, and one that belongs to another command.
        ("coordinator top pages --by devices --b", "coordinator top pages --by devices --b"),
        ("coordinator nodes --comp", "coordinator nodes --comp"),
    ]

    @Test("the tab key completes commands, options, choices and files", arguments: ["bash", "zsh"])
    func completed(shell: String) async throws {
        guard Self.canTry(shell) else { return }
        let pressed = try await press(
            shell, Self.lines.map(\.typed) + ["coordinator top pages --by "])
        #expect(pressed.count == Self.lines.count + 1)
        for (answer, expected) in zip(pressed, Self.lines) {
            #expect(answer.buffer == expected.completed, "\(shell): \(answer)")
        }
        let listed = try #require(pressed.last).listed
        #expect(listed.contains("devices") && listed.contains("pageviews"), "\(listed)")
    }

    @Test("fish offers the same, with what each is")
    func fish() async throws {
        guard Self.canTry("fish") else { return }
        let pressed = try await press("fish", Self.lines.map(\.typed) + ["coordinator top "])
        #expect(pressed.count == Self.lines.count + 1)
        for (answer, expected) in zip(pressed, Self.lines) {
            let isCompleted = expected.completed != expected.typed
            let word = expected.completed.split(separator: " ").last.map(String.init)
            #expect(answer.buffer == (isCompleted ? word : ""), "\(answer)")
        }
        #expect(pressed.first?.listed.contains("\tleader, nodes") == true)
        #expect(try #require(pressed.last).listed.split(separator: "\n").count > 3)
    }

    private func press(_ shell: String, _ lines: [String]) async throws -> [Pressed] {
        let folder = try Scratch.folder("shell-\(shell)")
        for name in ["access.log", "a.key"] {
            try Data().write(to: URL(fileURLWithPath: folder + "/" + name))
        }
        let finished = try await Child(
            ["/usr/bin/env", "python3", Package.root + "/Tests/Shells/complete.py", shell]
                + [Package.program, folder] + lines
        ).finish(within: .seconds(120))
        #expect(finished.code == 0, "\(finished.errors)")
        return try finished.output.split(separator: "\n").map {
            try JSONDecoder().decode(Pressed.self, from: Data($0.utf8))
        }
    }

    @Test("the manual page has nothing that its readers object to, and every command and variable")
    func manual() async throws {
        let page = try await Child([Package.program, "help", "--man"]).finish()
        #expect(page.code == 0)
        let file = try Scratch.file("coordinator.1", Array(page.output.utf8))
        for (program, words) in [
            ("mandoc", ["-T", "lint", file]),
            ("man", ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", file]),
        ] where Self.canTry(program) {
            let read = try await Child(["/usr/bin/env", program] + words).finish()
            let said = program == "man" ? read.errors : read.output + read.errors
            #expect(read.code == 0 && said.isEmpty, "\(program): \(said.prefix(2_000))")
        }
        for word in [
            "coordinator dead-letters replay", "device-key-file", "COORDINATOR_ADMIN_TOKEN",
            "EXIT STATUS", "78", "EXAMPLES", "sites.json",
        ] {
            #expect(page.output.contains(word), "\(word)")
        }
        #expect(!page.output.contains("__complete"))
    }
}
