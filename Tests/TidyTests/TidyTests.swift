import Foundation
import Testing

/// Reads the sources and holds them to the house rules that no compiler knows.
///
/// Each failure names file, line and the way out.
@Suite("House rules")
struct TidyTests {
    @Test("the sources are found")
    func found() {
        #expect(SourceTree.swiftSources.count > 20, "looked below \(SourceTree.root.path)")
        #expect(!SourceTree.scripts.isEmpty)
    }

    @Test("the core knows no library, no clock and no randomness of its own")
    func pureCore() {
        let imports = [
            "Foundation", "FoundationEssentials", "Glibc", "Dispatch", "Synchronization",
        ]
        let words = [
            "ContinuousClock", "SuspendingClock", "SystemRandomNumberGenerator", "clock_gettime",
            "gettimeofday",
        ]
        var findings = Findings()
        for file in SourceTree.swiftSources where file.module == "CoordinatorCore" {
            for line in file.lines {
                if let name = importedModule(line), imports.contains(name) || name.hasPrefix("C") {
                    findings.add(
                        file, line.number,
                        "imports \(name): the core stands on the standard library alone")
                }
                for word in words where line.hasCode(word: word) {
                    findings.add(
                        file, line.number, "\(word): time and randomness come in as values")
                }
                if isUnseeded(line) {
                    findings.add(
                        file, line.number, "unseeded randomness: pass a generator with using:")
                }
            }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("loop, client, formats and terminal stand on no Foundation")
    func foundation() {
        let modules = [
            "EventLoop", "HTTPClient", "HTTPServer", "RedisClient", "Hashing", "SecureStream",
            "Terminal",
            "TrafficGenerator",
        ]
        var findings = Findings()
        for file in SourceTree.swiftSources {
            for line in file.lines {
                guard let name = importedModule(line) else { continue }
                if name == "Foundation" {
                    findings.add(
                        file, line.number, "Foundation adds 50 MB: FoundationEssentials at most")
                } else if name == "FoundationEssentials", modules.contains(file.module) {
                    findings.add(
                        file, line.number, "\(file.module) does without FoundationEssentials")
                }
            }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("each C library has one owner, which shares none of it")
    func owners() {
        let owners = [
            "CLibuv": "EventLoop", "CHiredis": "RedisClient", "CZlib": "ImportFormats",
            "CCairo": "Pictures", "CCrypto": "Hashing", "CMicrohttpd": "HTTPServer",
            "CSSL": "SecureStream", "CLinux": "HTTPServer",
            "CCurl": "HTTPClient", "CBuild": "CoordinatorService",
        ]
        var findings = Findings()
        for file in SourceTree.swiftSources {
            for line in file.lines {
                guard let name = importedModule(line), let owner = owners[name] else { continue }
                if file.module != owner {
                    findings.add(file, line.number, "\(name) is imported by \(owner) alone")
                }
                if line.hasCode(word: "public") {
                    findings.add(
                        file, line.number, "\(name) must not show in the interface of \(owner)")
                }
            }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("nothing traps or swallows an error by a mark")
    func forced() {
        let marks = ["try!", "try?", "as!"]
        var findings = Findings()
        for file in SourceTree.swiftSources {
            for line in file.lines where !line.hasComment("proof:") {
                for mark in marks where line.hasCode(word: mark) {
                    findings.add(
                        file, line.number,
                        "\(mark): handle the error, or prove it safe with '// proof: …'")
                }
                if hasForcedUnwrap(line.code) {
                    findings.add(
                        file, line.number,
                        "forced unwrap: use guard, or prove it safe with '// proof: …'")
                }
            }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("tasks start by the one helper, and nothing blocks or leaves the loop")
    func tasks() {
        let banned = [
            ("Task {", "start tasks with spawn"), ("Task.detached", "start tasks with spawn"),
            ("Task.sleep", "sleep with loopSleep"), ("Task.yield", "a turn of the loop is a timer"),
            ("Dispatch", "the loop is the only queue"),
            ("@concurrent", "everything runs on the loop"),
            ("Thread.sleep", "sleep with loopSleep"),
        ]
        let bannedWords = [
            ("usleep(", "sleep with loopSleep"), ("nanosleep(", "sleep with loopSleep"),
        ]
        var findings = Findings()
        for file in SourceTree.swiftSources {
            for line in file.lines {
                for (text, way) in banned where line.hasCode(text) {
                    findings.add(file, line.number, "\(text): \(way)")
                }
                for (word, way) in bannedWords where line.hasCode(word: word) {
                    findings.add(file, line.number, "\(word)…): \(way)")
                }
            }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("a checked promise to the compiler says why it holds")
    func unchecked() {
        var findings = Findings()
        for file in SourceTree.swiftSources {
            let lines = file.lines
            for (index, line) in lines.enumerated() {
                let isPromise =
                    line.hasCode("@unchecked Sendable") || line.hasCode("nonisolated(unsafe)")
                guard isPromise else { continue }
                let explains = lines[max(0, index - 6)...index].contains { !$0.comment.isEmpty }
                if !explains { findings.add(file, line.number, "say above it why this is safe") }
            }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("files, functions and lines keep to their sizes")
    func sizes() {
        let longestFunction = 70
        let longestLine = 100
        var findings = Findings()
        for (files, limit) in [(SourceTree.swiftSources, 400), (SourceTree.swiftTests, 800)] {
            for file in files {
                let lines = file.lines
                if lines.count > limit {
                    findings.add(
                        file, lines.count, "\(lines.count) lines: split it, \(limit) is the end")
                }
                for line in lines where line.text.count > longestLine {
                    findings.add(
                        file, line.number, "\(line.text.count) columns, \(longestLine) is the end")
                }
                for function in DeclarationScan.functions(in: lines)
                where function.length > longestFunction {
                    findings.add(
                        file, function.firstLine,
                        "\(function.length) lines, \(longestFunction) is the end: "
                            + function.name.prefix(60))
                }
            }
        }
        for file in SourceTree.scripts {
            let count = file.text.split(separator: "\n", omittingEmptySubsequences: false).count
            if count > 400 { findings.add(file, count, "\(count) lines: split it, 400 is the end") }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("what is shared is explained")
    func documentation() {
        // Stored properties may be explained by their type's comment.
        let kinds = [
            "func", "struct", "enum", "class", "actor", "protocol", "init", "typealias",
            "subscript",
        ]
        var findings = Findings()
        for file in SourceTree.swiftSources {
            var isDocumented = false
            for line in file.lines {
                let comment = String(decoding: line.comment, as: UTF8.self)
                let code = String(decoding: line.code, as: UTF8.self).drop { $0 == " " }
                if code.isEmpty {
                    isDocumented = comment.hasPrefix("///")
                    continue
                }
                if code.hasPrefix("@"), !line.hasCode(word: "public") { continue }
                let words = code.split(separator: " ").prefix(5).map { $0.prefix { $0.isLetter } }
                let isDeclaration =
                    line.hasCode(word: "public") && words.contains { kinds.contains(String($0)) }
                if isDeclaration, !isDocumented {
                    findings.add(file, line.number, "say in a /// comment what this is")
                }
                isDocumented = false
            }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("nothing is left for later, and nothing names the machine it was written on")
    func leftovers() {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
        let folders = ["/wo" + "rk/", "/ro" + "ot/"]
        var findings = Findings()
        for file in SourceTree.swiftSources + SourceTree.swiftTests {
            for line in file.lines {
                // L:…:: is a key's name, not a mark.
                for mark in marks where line.hasComment(mark) && !line.hasComment(mark + "::") {
                    findings.add(file, line.number, "\(mark): do it now, or write an issue")
                }
                for folder in folders where line.text.contains(folder) {
                    findings.add(file, line.number, "\(folder) is a place on one machine only")
                }
            }
        }
        for file in SourceTree.scripts {
            let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
            for (index, line) in lines.enumerated() {
                guard let dashes = line.range(of: "--") else { continue }
                let comment = line[dashes.upperBound...]
                for mark in marks where comment.contains(mark) && !comment.contains(mark + "::") {
                    findings.add(file, index + 1, "\(mark): do it now, or write an issue")
                }
            }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("every script says at its top what it does, what it takes and what it answers")
    func scriptHeaders() {
        var findings = Findings()
        for file in SourceTree.scripts {
            let header = file.text.split(separator: "\n").prefix { $0.hasPrefix("--") }.joined(
                separator: "\n")
            if header.isEmpty {
                findings.add(file, 1, "begin with a comment that says what the script does")
            }
            // These are put in front of others: they take nothing and answer nothing of their own.
            if ["/prelude.lua", "/bounded.lua"].contains(where: file.path.hasSuffix) { continue }
            for part in ["KEYS", "ARGV", "Reply"] where !header.contains(part) {
                findings.add(file, 1, "the comment at the top does not say \(part)")
            }
        }
        #expect(findings.isEmpty, "\(findings)")
    }

    private func importedModule(_ line: SourceLine) -> String? {
        let words = String(decoding: line.code, as: UTF8.self).split(separator: " ")
        guard let place = words.firstIndex(of: "import"), words.count > place + 1,
            words[..<place].allSatisfy({
                $0.hasPrefix("@") || $0.hasSuffix("al") || $0 == "public" || $0 == "private"
            })
        else { return nil }
        let path =
            words[place + 1] == "func" || words[place + 1] == "struct"
            ? words.last : words[place + 1]
        return path.flatMap { $0.split(separator: ".").first }.map(String.init)
    }

    private func isUnseeded(_ line: SourceLine) -> Bool {
        let isRandom = [".random(", ".randomElement(", ".shuffled(", ".shuffle("].contains {
            line.hasCode($0)
        }
        return isRandom && !line.hasCode("using:")
    }

    /// An exclamation mark behind a name or a bracket, that is no `!=` and no type of a
    /// declaration.
    private func hasForcedUnwrap(_ code: [UInt8]) -> Bool {
        code.indices.dropFirst().contains { index in
            guard code[index] == UInt8(ascii: "!") else { return false }
            let before = code[index - 1]
            let after = index + 1 < code.count ? code[index + 1] : 0x20
            let follows = SourceLine.isName(before) || [0x29, 0x5D].contains(before)
            let isMark = ["try", "as"].contains { word in
                index >= word.utf8.count
                    && code[(index - word.utf8.count)..<index].elementsEqual(word.utf8)
            }
            return follows && !isMark && after != UInt8(ascii: "=")
        }
    }
}
