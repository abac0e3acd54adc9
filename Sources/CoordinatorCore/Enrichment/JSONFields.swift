/// Finds the texts at some paths of a JSON value, in one pass over its bytes and without a tree:
/// what an API answers may be anything.
///
/// - Source: RFC 8259.
struct JSONFields {
    /// Deeper nesting is refused: each level costs stack.
    private static let deepest = 64

    private let bytes: [UInt8]
    private var place = 0
    private let paths: [[[UInt8]]]
    private var found: [String?]

    /// The texts at the paths, nil where there is none or something else; nil as a whole when the
    /// bytes are not one JSON value. Of two members of one name the last counts.
    static func read(_ bytes: [UInt8], _ paths: [[[UInt8]]]) -> [String?]? {
        var reader = JSONFields(bytes: bytes, paths: paths)
        guard reader.value(Array(paths.indices), depth: 0) else { return nil }
        reader.skipSpace()
        return reader.place == bytes.count ? reader.found : nil
    }

    private init(bytes: [UInt8], paths: [[[UInt8]]]) {
        self.bytes = bytes
        self.paths = paths
        found = [String?](repeating: nil, count: paths.count)
    }

    /// Reads one value; `live` are the paths that lead into it, `depth` steps of each taken.
    private mutating func value(_ live: [Int], depth: Int) -> Bool {
        skipSpace()
        guard depth < Self.deepest, place < bytes.count else { return false }
        // What was found under an earlier member of the same name counts no more.
        for path in live { found[path] = nil }
        switch bytes[place] {
        case UInt8(ascii: "{"): return object(live, depth)
        case UInt8(ascii: "["): return array(live, depth)
        case UInt8(ascii: "\""):
            let ends = live.filter { paths[$0].count == depth }
            guard let text = string(isWanted: !ends.isEmpty) else { return false }
            for path in ends { found[path] = String(decoding: text, as: UTF8.self) }
            return true
        case UInt8(ascii: "t"): return word("true")
        case UInt8(ascii: "f"): return word("false")
        case UInt8(ascii: "n"): return word("null")
        default: return number()
        }
    }

    private mutating func object(_ live: [Int], _ depth: Int) -> Bool {
        place += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return true }
        while true {
            skipSpace()
            guard let name = string(isWanted: !live.isEmpty) else { return false }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { return false }
            let inside = live.filter { paths[$0].count > depth && paths[$0][depth] == name }
            guard value(inside, depth: depth + 1) else { return false }
            skipSpace()
            if take(UInt8(ascii: "}")) { return true }
            guard take(UInt8(ascii: ",")) else { return false }
        }
    }

    private mutating func array(_ live: [Int], _ depth: Int) -> Bool {
        place += 1
        skipSpace()
        if take(UInt8(ascii: "]")) { return true }
        var index = 0
        while true {
            let inside = live.filter {
                paths[$0].count > depth && paths[$0][depth].elementsEqual(String(index).utf8)
            }
            guard value(inside, depth: depth + 1) else { return false }
            index += 1
            skipSpace()
            if take(UInt8(ascii: "]")) { return true }
            guard take(UInt8(ascii: ",")) else { return false }
        }
    }

    /// The bytes that a string stands for; empty when they are not wanted.
    private mutating func string(isWanted: Bool) -> [UInt8]? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        var text: [UInt8] = []
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"):
                guard let scalar = escape() else { return nil }
                if isWanted { text.append(contentsOf: Array(String(scalar).utf8)) }
            case ..<0x20: return nil
            default: if isWanted { text.append(byte) }
            }
        }
        return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
        guard place < bytes.count else { return nil }
        let byte = bytes[place]
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return unicode()
        default: return nil
        }
    }

    /// `\u` and four digits, twice for what needs two; half a pair becomes the replacement
    /// character.
    private mutating func unicode() -> Unicode.Scalar? {
        guard let first = fourDigits() else { return nil }
        guard (0xD800..<0xDC00).contains(first) else {
            return Unicode.Scalar(first) ?? "\u{FFFD}"
        }
        let before = place
        if take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")), let second = fourDigits(),
            (0xDC00..<0xE000).contains(second)
        {
            return Unicode.Scalar(0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00))
        }
        place = before
        return "\u{FFFD}"
    }

    private mutating func fourDigits() -> UInt32? {
        guard bytes.count - place >= 4 else { return nil }
        let digits = String(decoding: bytes[place..<place + 4], as: UTF8.self)
        guard digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let value = UInt32(digits, radix: 16)
        else { return nil }
        place += 4
        return value
    }

    private mutating func word(_ word: String) -> Bool {
        guard bytes[place...].starts(with: word.utf8) else { return false }
        place += word.utf8.count
        return true
    }

    private mutating func number() -> Bool {
        _ = take(UInt8(ascii: "-"))
        let isZero = place < bytes.count && bytes[place] == UInt8(ascii: "0")
        let digits = digits()
        guard digits > 0, !isZero || digits == 1 else { return false }
        if take(UInt8(ascii: ".")), self.digits() == 0 { return false }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            if self.digits() == 0 { return false }
        }
        return true
    }

    private mutating func digits() -> Int {
        let start = place
        while place < bytes.count, bytes[place] &- UInt8(ascii: "0") <= 9 { place += 1 }
        return place - start
    }

    private mutating func skipSpace() {
        while place < bytes.count {
            switch bytes[place] {
            case 0x20, 0x09, 0x0A, 0x0D: place += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard place < bytes.count, bytes[place] == byte else { return false }
        place += 1
        return true
    }
}
