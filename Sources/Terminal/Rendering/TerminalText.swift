/// Text for a terminal: how wide it is, and what of it may be shown at all.
public enum TerminalText {
    /// The columns that `text` takes on a terminal.
    ///
    /// - Source: Unicode Standard Annex 11 (East Asian Width), wide and fullwidth; combining marks
    ///   take none.
    public static func width(of text: String) -> Int {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text.utf8.count }
        return text.reduce(0) { $0 + width(of: $1) }
    }

    static func width(of character: Character) -> Int {
        var widest = 0
        for scalar in character.unicodeScalars {
            if scalar.value == emojiSelector { return 2 }
            widest = max(widest, width(of: scalar))
        }
        return widest
    }

    private static let emojiSelector: UInt32 = 0xFE0F

    private static func width(of scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x7F { return scalar.value < 0x20 ? 0 : 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        return isWide(scalar) ? 2 : 1
    }

    private static let wideRanges: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF,
        0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19,
        0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18CFF, 0x1AFF0...0x1B2FF,
        0x1F200...0x1F2FF, 0x20000...0x3FFFD,
    ]

    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x1100 {
            return scalar.value >= 0x231A && scalar.properties.isEmojiPresentation
        }
        return scalar.properties.isEmojiPresentation
            || wideRanges.contains { $0.contains(scalar.value) }
    }

    /// The text with everything that could move the cursor, colour the screen, reorder or hide text
    /// shown as `\u{…}`.
    ///
    /// URLs and titles come from outside: a terminal must show them, never obey them. Joiners stay,
    /// scripts need them.
    public static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isDangerous) else { return text }
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isDangerous(scalar) {
                let code = String(scalar.value, radix: 16, uppercase: true)
                shown.append(contentsOf: "\\u{\(code)}".unicodeScalars)
            } else {
                shown.append(scalar)
            }
        }
        return String(shown)
    }

    /// Whether a scalar is a control character, a bidirectional control, or another invisible
    /// format character.
    static func isDangerous(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value >= 0x20, scalar.value < 0x7F { return false }
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: return true
        case .format: return scalar.value != 0x200C && scalar.value != 0x200D
        default: return false
        }
    }

    /// The text cut to so many columns, the last of them an ellipsis where something was cut.
    public static func shortened(_ text: String, toWidth limit: Int) -> String {
        guard width(of: text) > limit else { return text }
        var kept = ""
        var used = 0
        for character in text {
            let next = width(of: character)
            if used + next > limit - 1 { break }
            kept.append(character)
            used += next
        }
        return limit > 0 ? kept + "…" : ""
    }
}
