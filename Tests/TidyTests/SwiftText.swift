/// One line of a source file, its code and its comment told apart.
struct SourceLine {
    /// Counted from 1.
    let number: Int
    /// The line as it is.
    let text: String
    /// The code, what is inside string literals left out.
    let code: [UInt8]
    /// The comment.
    let comment: [UInt8]

    /// Whether the code holds a word: what stands before and after it cannot be part of a name.
    func hasCode(word: String) -> Bool {
        Self.places(of: Array(word.utf8), in: code).contains(where: isWord(word))
    }

    /// Whether the code holds this text, anywhere.
    func hasCode(_ text: String) -> Bool { !Self.places(of: Array(text.utf8), in: code).isEmpty }

    /// Whether the comment holds this text, anywhere.
    func hasComment(_ text: String) -> Bool {
        !Self.places(of: Array(text.utf8), in: comment).isEmpty
    }

    private func isWord(_ word: String) -> (Int) -> Bool {
        { place in
            let after = place + word.utf8.count
            let begins = place == 0 || !Self.isName(code[place - 1])
            return begins
                && (after >= code.count || !Self.isName(code[after])
                    || !Self.isName(code[after - 1]))
        }
    }

    static func isName(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == 0x5F || byte >= 0x80
    }

    static func places(of needle: [UInt8], in haystack: [UInt8]) -> [Int] {
        guard !needle.isEmpty, haystack.count >= needle.count else { return [] }
        return (0...(haystack.count - needle.count)).filter { start in
            haystack[start] == needle[0]
                && haystack[start..<(start + needle.count)].elementsEqual(needle)
        }
    }
}

/// Tells code, comments and string literals of Swift apart: what is banned in code may be named in
/// a comment.
struct SwiftText {
    private enum Mode {
        /// Code, to the end of the file or of an interpolation; the number of open parentheses in
        /// it.
        case code(parentheses: Int)
        /// A string literal with so many `#` around it.
        case string(hashes: Int, isMultiline: Bool)
        case comment(depth: Int)
    }

    private let bytes: [UInt8]
    private var position = 0
    private var modes: [Mode] = [.code(parentheses: 0)]
    private var code: [UInt8] = []
    private var comment: [UInt8] = []
    private var lines: [SourceLine] = []
    private var lineStart = 0

    private init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// The lines of a file.
    static func lines(of text: String) -> [SourceLine] {
        var scanner = SwiftText(text)
        scanner.scan()
        return scanner.lines
    }

    private mutating func scan() {
        while position < bytes.count {
            if bytes[position] == 0x0A {
                endLine()
                position += 1
                continue
            }
            switch modes[modes.count - 1] {
            case .code(let parentheses): scanCode(parentheses)
            case .string(let hashes, let isMultiline): scanString(hashes, isMultiline)
            case .comment(let depth): scanComment(depth)
            }
        }
        if lineStart < bytes.count { endLine() }
    }

    private mutating func endLine() {
        let text = String(decoding: bytes[lineStart..<position], as: UTF8.self)
        lines.append(SourceLine(number: lines.count + 1, text: text, code: code, comment: comment))
        code = []
        comment = []
        lineStart = position + 1
    }

    private func looksAt(_ text: String) -> Bool { bytes[position...].starts(with: text.utf8) }

    private mutating func scanCode(_ parentheses: Int) {
        let byte = bytes[position]
        if looksAt("//") {
            while position < bytes.count, bytes[position] != 0x0A {
                comment.append(bytes[position])
                position += 1
            }
        } else if looksAt("/*") {
            position += 2
            modes.append(.comment(depth: 1))
        } else if byte == 0x22 || byte == 0x23, let opened = stringStart() {
            modes.append(opened)
        } else {
            if byte == 0x28 { modes[modes.count - 1] = .code(parentheses: parentheses + 1) }
            if byte == 0x29 {
                if parentheses == 0, modes.count > 1 {
                    modes.removeLast()
                    position += 1
                    return
                }
                modes[modes.count - 1] = .code(parentheses: parentheses - 1)
            }
            code.append(byte)
            position += 1
        }
    }

    /// Passes the opening of a string literal, if there is one here.
    private mutating func stringStart() -> Mode? {
        var end = position
        while end < bytes.count, bytes[end] == 0x23 { end += 1 }
        guard end < bytes.count, bytes[end] == 0x22 else { return nil }
        let hashes = end - position
        let isMultiline = bytes[end...].starts(with: "\"\"\"".utf8)
        position = end + (isMultiline ? 3 : 1)
        code.append(0x22)
        return .string(hashes: hashes, isMultiline: isMultiline)
    }

    private mutating func scanString(_ hashes: Int, _ isMultiline: Bool) {
        let marks = String(repeating: "#", count: hashes)
        let end = (isMultiline ? "\"\"\"" : "\"") + marks
        if looksAt(end) {
            position += end.utf8.count
            modes.removeLast()
            code.append(0x22)
        } else if looksAt("\\" + marks + "(") {
            position += 2 + hashes
            modes.append(.code(parentheses: 0))
        } else if looksAt("\\" + marks) {
            position = min(position + 2 + hashes, bytes.count)
        } else {
            position += 1
        }
    }

    private mutating func scanComment(_ depth: Int) {
        if looksAt("*/") {
            position += 2
            if depth == 1 {
                modes.removeLast()
            } else {
                modes[modes.count - 1] = .comment(depth: depth - 1)
            }
        } else if looksAt("/*") {
            position += 2
            modes[modes.count - 1] = .comment(depth: depth + 1)
        } else {
            comment.append(bytes[position])
            position += 1
        }
    }
}
