/// Where the articles' metadata are: a URL with a place for the article's number.
///
/// - Shape: `https://host[:port]/…{article_id}…`, ASCII only, without user and fragment.
public struct ArticleTemplate: Hashable, Sendable {
    /// What stands for the article's number.
    public static let placeholder = "{article_id}"
    /// Longer ones are no URL that anybody meant.
    private static let maximumBytes = 1_024

    /// The host: a name or a numeric address, an IPv6 one without brackets; lower case.
    public let host: String
    /// The port that is dialled.
    public let port: UInt16
    private let pieces: [String]

    /// Reads a template.
    ///
    /// - Errors: what is wrong, and the way out.
    public init(parsing text: String) throws(EnrichmentError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumBytes, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw EnrichmentError(
                "--enrich-url must be printable ASCII without spaces, at most "
                    + "\(Self.maximumBytes) bytes: write other characters as %xx, a host as xn--…")
        }
        let (rest, isSecure) = try Self.withoutScheme(text)
        let end = rest.firstIndex { "/?".contains($0) } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.contains("{") else {
            throw EnrichmentError("--enrich-url must name one host: {…} is for the path or query")
        }
        (host, port) = try Self.place(String(authority), isSecure: isSecure)
        guard !text.contains("#") else {
            throw EnrichmentError("--enrich-url has a fragment (#…), which is never sent: drop it")
        }
        let parts = Self.split(text)
        guard parts.count > 1 else {
            throw EnrichmentError(
                "--enrich-url has no {article_id}: write it where the article's number belongs")
        }
        guard !parts.contains(where: { $0.contains("{") || $0.contains("}") }) else {
            throw EnrichmentError("--enrich-url: {article_id} is the only placeholder there is")
        }
        pieces = parts
    }

    /// The URL of one article.
    public func url(of article: UInt64) -> String {
        pieces.joined(separator: String(article))
    }

    private static func withoutScheme(
        _ text: String
    ) throws(EnrichmentError) -> (Substring, isSecure: Bool) {
        let lowered = text.lowercased()
        for (scheme, isSecure) in [("https://", true), ("http://", false)]
        where lowered.hasPrefix(scheme) {
            return (text.dropFirst(scheme.count), isSecure)
        }
        throw EnrichmentError("--enrich-url must begin with https:// or http://")
    }

    private static func place(
        _ authority: String, isSecure: Bool
    ) throws(EnrichmentError) -> (String, UInt16) {
        guard !authority.contains("@") else {
            throw EnrichmentError(
                "--enrich-url must not hold a user or password: drop what is before @")
        }
        var name = authority[...]
        var digits: Substring?
        if authority.hasPrefix("["), let close = authority.firstIndex(of: "]") {
            name = authority[authority.index(after: authority.startIndex)..<close]
            let tail = authority[authority.index(after: close)...]
            digits = tail.isEmpty ? nil : tail.hasPrefix(":") ? tail.dropFirst() : ""
        } else if let colon = authority.lastIndex(of: ":") {
            name = authority[..<colon]
            digits = authority[authority.index(after: colon)...]
        }
        let host = name.lowercased()
        let isBracketed = authority.hasPrefix("[")
        let isName = host.utf8.allSatisfy { byte in
            byte.isASCIILetterOrDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "_") || (isBracketed && byte == UInt8(ascii: ":"))
        }
        guard !host.isEmpty, isName, !host.hasSuffix("."), host.utf8.count <= 253 else {
            throw EnrichmentError("--enrich-url names no usable host: '\(authority)'")
        }
        guard let digits else { return (host, isSecure ? 443 : 80) }
        guard let port = UInt16(digits), port > 0 else {
            throw EnrichmentError("--enrich-url: the port must be from 1 to 65535")
        }
        return (host, port)
    }

    private static func split(_ text: String) -> [String] {
        var parts: [String] = []
        var rest = text[...]
        while let found = range(of: placeholder, in: rest) {
            parts.append(String(rest[..<found.lowerBound]))
            rest = rest[found.upperBound...]
        }
        return parts + [String(rest)]
    }

    private static func range(of word: String, in text: Substring) -> Range<Substring.Index>? {
        var start = text.startIndex
        while start < text.endIndex {
            if text[start...].hasPrefix(word) {
                return start..<text.index(start, offsetBy: word.count)
            }
            start = text.index(after: start)
        }
        return nil
    }
}

extension UInt8 {
    /// 0-9, a-z, A-Z.
    fileprivate var isASCIILetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }
}
