/// A function or initialiser with a body.
struct FunctionSpan {
    let name: String
    let firstLine: Int
    let lastLine: Int

    var length: Int { lastLine - firstLine + 1 }
}

/// Finds the functions of a file by their braces.
enum DeclarationScan {
    private static let keywords = ["func", "init", "deinit", "subscript"]

    static func functions(in lines: [SourceLine]) -> [FunctionSpan] {
        var found: [FunctionSpan] = []
        var open: [(name: String, line: Int, depth: Int)] = []
        var awaiting: (name: String, line: Int)?
        var depth = 0
        for line in lines {
            if let name = declaration(line) {
                awaiting = (name, line.number)
            } else if line.code.allSatisfy({ $0 == 0x20 }) {
                // A requirement of a protocol has no body: the next brace is somebody else's.
                awaiting = nil
            }
            for byte in line.code {
                if byte == 0x7B {
                    if let (name, first) = awaiting {
                        open.append((name, first, depth))
                        awaiting = nil
                    }
                    depth += 1
                } else if byte == 0x7D {
                    awaiting = nil
                    depth -= 1
                    if let last = open.last, last.depth == depth {
                        open.removeLast()
                        found.append(
                            FunctionSpan(
                                name: last.name, firstLine: last.line, lastLine: line.number))
                    }
                }
            }
        }
        return found
    }

    /// The name of the function that a line declares, if it does.
    private static func declaration(_ line: SourceLine) -> String? {
        let code = String(decoding: line.code, as: UTF8.self)
        let words = code.split { $0 == " " }
        for (index, word) in words.enumerated() {
            let name = word.prefix { $0.isLetter }
            if keywords.contains(String(name)) {
                // `init` also is called: a call stands behind a dot or in an expression, a
                // declaration at the line's start.
                let isAtStart = words[..<index].allSatisfy {
                    $0.allSatisfy { $0.isLetter || "@()_".contains($0) }
                }
                return isAtStart ? code.drop { $0 == " " }.description : nil
            }
        }
        return nil
    }
}
