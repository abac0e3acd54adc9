import Foundation

/// A file of the package.
struct SourceFile {
    /// From the package's root: `Sources/Terminal/Table.swift`.
    let path: String
    let text: String

    /// The module a source file belongs to: the folder below `Sources` or `Tests`.
    var module: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

    /// Lines with code and comment told apart (of Swift; else none), once for all rules.
    let lines: [SourceLine]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        lines = path.hasSuffix(".swift") ? SwiftText.lines(of: text) : []
    }
}

/// The package as it lies on disk.
enum SourceTree {
    /// The folder of `Package.swift`, three levels above this file.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static let swiftSources = files(in: "Sources", suffix: ".swift")
    static let swiftTests = files(in: "Tests", suffix: ".swift")
    static let scripts = files(in: "Sources", suffix: ".lua")

    /// All files below a folder whose names end so, in the order of their paths.
    static func files(in folder: String, suffix: String) -> [SourceFile] {
        let paths = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)
        let names = (paths?.compactMap { $0 as? String } ?? []).filter { $0.hasSuffix(suffix) }
        return names.sorted().compactMap { name in
            let path = folder + "/" + name
            guard
                let data = FileManager.default.contents(
                    atPath: root.appendingPathComponent(path).path)
            else { return nil }
            return SourceFile(path: path, text: String(decoding: data, as: UTF8.self))
        }
    }
}

/// Places that break a rule, one a line, for a test's message.
struct Findings: CustomStringConvertible {
    private(set) var places: [String] = []

    mutating func add(_ file: SourceFile, _ line: Int, _ reason: String) {
        places.append("\(file.path):\(line): \(reason)")
    }

    var isEmpty: Bool { places.isEmpty }
    var description: String { "\n" + places.joined(separator: "\n") }
}
