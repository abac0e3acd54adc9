/// Where the answer's JSON holds what a page's document takes from it.
public struct ArticleFields: Hashable, Sendable {
    /// What one answer gave.
    public struct Values: Hashable, Sendable {
        /// Never empty.
        public let title: String
        /// Nil where the answer has none.
        public let kicker: String?
        /// Milliseconds since 1970; nil where the answer has none that can be read.
        public let displayDate: Int64?

        /// Values of an answer.
        public init(title: String, kicker: String?, displayDate: Int64?) {
            self.title = title
            self.kicker = kicker
            self.displayDate = displayDate
        }
    }

    /// An answer of status 200 that is not what was asked for: a sentence.
    public struct Unreadable: Error, Hashable, Sendable {
        /// The sentence.
        public let reason: String
        /// It is JSON, so that the API itself has answered and nothing before it.
        public let isJSON: Bool
    }

    /// Longer texts are cut: they are shown in tables and indexed.
    public static let maximumTextBytes = 1_024
    private static let maximumSteps = 8

    private let paths: [[[UInt8]]]
    private let titlePath: String

    /// Paths as `title` or `data.attributes.title`; a step into an array is its index.
    ///
    /// - Errors: a path that is empty, has an empty step or more than eight.
    public init(title: String, kicker: String, displayDate: String) throws(EnrichmentError) {
        titlePath = title
        paths = [
            try Self.steps(title, "--enrich-title"), try Self.steps(kicker, "--enrich-kicker"),
            try Self.steps(displayDate, "--enrich-display-date"),
        ]
    }

    /// Reads an answer's body.
    ///
    /// - Errors: why it is not the JSON of an article.
    public func read(_ body: [UInt8]) throws(Unreadable) -> Values {
        let isText = body.withUnsafeBytes { UTF8Check.isValid($0) }
        guard isText, var found = JSONFields.read(body, paths) else {
            throw Unreadable(reason: "the answer is not JSON", isJSON: false)
        }
        guard let title = Self.text(found.removeFirst()) else {
            throw Unreadable(reason: "the answer has no text at \(titlePath)", isJSON: true)
        }
        return Values(
            title: title, kicker: Self.text(found[0]),
            displayDate: Self.text(found[1]).flatMap { Timestamp(iso8601: $0)?.milliseconds })
    }

    private static func steps(
        _ path: String, _ option: String
    ) throws(EnrichmentError) -> [[UInt8]] {
        let steps = path.split(separator: ".", omittingEmptySubsequences: false)
        guard steps.count <= maximumSteps, steps.allSatisfy({ !$0.isEmpty }) else {
            throw EnrichmentError(
                "\(option) must be a path such as title or data.title, of at most "
                    + "\(maximumSteps) steps, not '\(path)'")
        }
        return steps.map { Array($0.utf8) }
    }

    /// Without white space around; nil when nothing is left. Cut where a character ends.
    private static func text(_ found: String?) -> String? {
        guard let found else { return nil }
        let scalars = found.unicodeScalars
        let isSpace: (Unicode.Scalar) -> Bool = { $0.properties.isWhitespace }
        guard let first = scalars.firstIndex(where: { !isSpace($0) }),
            let last = scalars.lastIndex(where: { !isSpace($0) })
        else { return nil }
        let trimmed = found[first...last]
        guard trimmed.utf8.count > maximumTextBytes else { return String(trimmed) }
        var cut = String.UnicodeScalarView()
        var bytes = 0
        for scalar in trimmed.unicodeScalars {
            bytes += scalar.utf8.count
            guard bytes <= maximumTextBytes else { break }
            cut.append(scalar)
        }
        return String(cut)
    }
}
