/// Takes text apart into the words that are searched for.
///
/// Redis' own tokeniser keeps `_` inside words, does not see the letters behind `%C3%A9`, and
/// lowers ASCII only, so `Élections` is not found by `élections`. Documents therefore carry their
/// words, made here, and the words of a question are made in the same way.
///
/// - Shape: a word is a run of letters and digits, lower-cased, without diacritics: `Covid-19_été`
///   is `covid`, `19`, `ete`. Words hold nothing that has a meaning in a query.
/// - Invariant: `words(of: words(of: text).joined(separator: " ")) == words(of: text)`.
public enum SearchWords {
    /// A longer run is cut: no word of a language is, and a URL may be one run of 2 KiB.
    public static let longestWord = 64
    /// The most words of one text: a URL's path and a title have a tenth of that.
    public static let maximumWords = 128

    /// The different words of a text, in the order of their first place.
    public static func words(of text: some StringProtocol) -> [String] {
        var words: [String] = []
        var known: Set<String> = []
        var word = ""
        var length = 0
        func end() {
            if !word.isEmpty, known.insert(word).inserted { words.append(word) }
            word = ""
            length = 0
        }
        for scalar in text.unicodeScalars {
            switch kind(scalar) {
            case .mark: continue
            case .separator: end()
            case .letter:
                if length < longestWord { fold(scalar, into: &word) }
                length += 1
            }
            if words.count == maximumWords { return words }
        }
        end()
        return words
    }

    /// The words of a page's URL, as it stands in its document: without scheme, percent-encoded.
    public static func words(ofURL url: String) -> [String] {
        let decoded = PercentEncoding.decoded(Array(url.utf8))
        return words(of: String(decoding: decoded, as: UTF8.self))
    }

    private enum Kind { case letter, mark, separator }

    private static func kind(_ scalar: Unicode.Scalar) -> Kind {
        if scalar.isASCII {
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9": return .letter
            default: return .separator
            }
        }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .decimalNumber:
            return .letter
        // A combining accent, and the soft hyphen and joiners, are inside a word.
        case .nonspacingMark, .spacingMark, .enclosingMark, .format: return .mark
        default: return .separator
        }
    }

    private static func fold(_ scalar: Unicode.Scalar, into word: inout String) {
        for lower in scalar.properties.lowercaseMapping.unicodeScalars {
            if let plain = plain[lower] {
                word += plain
            } else if kind(lower) == .letter {
                word.unicodeScalars.append(lower)
            }
        }
    }

    /// Latin letters with diacritics, and those that are two letters elsewhere.
    private static let plain: [Unicode.Scalar: String] = {
        let groups = [
            ("a", "àáâãäåāăąǎạảấầẩẫậắằẳẵặ"), ("c", "çćĉċč"), ("d", "ďđ"),
            ("e", "èéêëēĕėęěẹẻẽếềểễệ"),
            ("g", "ĝğġģ"), ("h", "ĥħ"), ("i", "ìíîïĩīĭįıǐỉị"), ("j", "ĵ"), ("k", "ķ"),
            ("l", "ĺļľŀł"),
            ("n", "ñńņňŉ"), ("o", "òóôõöøōŏőǒọỏốồổỗộớờởỡợơ"), ("r", "ŕŗř"), ("s", "śŝşšș"),
            ("t", "ţťŧț"), ("u", "ùúûüũūŭůűųǔụủứừửữựư"), ("w", "ŵ"), ("y", "ýÿŷỳỵỷỹ"), ("z", "źżž"),
            ("ss", "ß"), ("ae", "æ"), ("oe", "œ"), ("th", "þ"), ("d", "ð"),
        ]
        var table: [Unicode.Scalar: String] = [:]
        for (plain, letters) in groups {
            for letter in letters.unicodeScalars { table[letter] = plain }
        }
        return table
    }()
}
