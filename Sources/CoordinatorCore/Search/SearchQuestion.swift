/// What is searched for, and how it is written for Redis.
///
/// Words hold letters and digits alone, and everything else travels as a parameter beside the
/// query, so no text of a user is ever part of the query's syntax.
///
/// - Source: Redis "Query syntax", dialect 2, and `FT.SEARCH … PARAMS`.
public struct SearchQuestion: Hashable, Sendable {
    /// Why a question cannot be put; each is a sentence for the user.
    public enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// Neither a word nor a filter.
        case empty
        /// A text with neither letters nor digits.
        case noWords(String)
        /// More words than are looked for at once.
        case tooManyWords(Int)
        /// A section or level that is empty or too deep.
        case path(String)
        /// A level, asked of what has none.
        case levelOfWebsite

        /// One lower-case sentence with the way out.
        public var description: String {
            switch self {
            case .empty:
                "nothing to look for: give words, or --website, --section, --level or --since"
            case .noWords(let text):
                "there is no word in \(text): words are made of letters and digits"
            case .tooManyWords(let count):
                "\(count) words are too many: give at most \(SearchQuestion.maximumWords)"
            case .path(let text):
                "\(text) is no path of levels: write one to \(PageAddress.maximumLevels) of them, "
                    + "such as actu or actu/monde"
            case .levelOfWebsite:
                "websites have no levels: --section finds those that have a section"
            }
        }
    }

    /// A question as Redis reads it.
    public struct Query: Sendable {
        /// In dialect 2; nothing in it is of the user's own syntax.
        public let text: String
        /// What the text calls `$name`.
        public let parameters: [(name: String, value: String)]
    }

    /// A level by its name, at its place or at any.
    public struct Level: Hashable, Sendable {
        /// 0 for the first; nil for any.
        public let place: Int?
        /// As the document has it.
        public let name: String

        /// Reads `NAME`, or `0=NAME` for one place.
        ///
        /// - Errors: `.path` for a place that documents do not hold, or no name.
        public init(_ text: String) throws(Refusal) {
            let parts = text.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, let place = Decimal.unsigned(parts[0].utf8) {
                guard place < PageAddress.maximumLevels, !parts[1].isEmpty else {
                    throw .path(text)
                }
                self.place = Int(place)
                name = String(parts[1])
            } else {
                guard !text.isEmpty else { throw .path(text) }
                place = nil
                name = text
            }
        }
    }

    /// More words make a query slower and no more precise.
    public static let maximumWords = 16
    /// Shorter ones begin too many words: Redis looks at the first 200 that a prefix has.
    private static let shortestPrefix = 3

    /// What is looked for: pages, sections or websites.
    public let dimension: Dimension
    /// What they are looked for by; all of them must hold.
    public private(set) var words: [String] = []
    private var website: RecordID?
    private var section: [String] = []
    private var levels: [Level] = []
    private var since: Int64?

    /// A question for words; an empty text asks for all.
    ///
    /// - Errors: `.noWords`, `.tooManyWords`.
    public init(_ dimension: Dimension = .page, words text: String) throws(Refusal) {
        precondition(Dimension.viewed.contains(dimension), "there is no index of \(dimension)")
        self.dimension = dimension
        words = SearchWords.words(of: text)
        let isBlank = text.unicodeScalars.allSatisfy { $0.properties.isWhitespace }
        guard !words.isEmpty || isBlank else { throw .noWords(text) }
        guard words.count <= Self.maximumWords else { throw .tooManyWords(words.count) }
    }

    /// Only what belongs to this website, or only the website itself.
    public mutating func keep(website id: RecordID) { website = id }

    /// Only what is in this section and below it: `actu` finds `actu/monde`. Of websites, those
    /// that have it or one below it.
    ///
    /// - Errors: `.path` when it is no path.
    public mutating func keep(section name: String) throws(Refusal) {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= PageAddress.maximumLevels, parts.allSatisfy({ !$0.isEmpty }) else {
            throw .path(name)
        }
        section = parts
    }

    /// The question again, each time of a longer while before now, and at last as it was put.
    ///
    /// Whoever wants the newest of very many finds them in the first one that has enough; Redis
    /// sorts everything that a question finds.
    ///
    /// - Units: ms since 1970.
    public func narrowed(now: Int64) -> [SearchQuestion] {
        let minute: Int64 = 60_000
        let starts = [1, 10, 100, 1_000, 10_000].map { now - $0 * minute }
        return starts.filter { $0 > since ?? .min }.map { start in
            var question = self
            question.since = start
            return question
        } + [self]
    }

    /// Only what has this level; several must all hold.
    ///
    /// - Errors: `.levelOfWebsite`.
    public mutating func keep(level: Level) throws(Refusal) {
        guard dimension != .website else { throw .levelOfWebsite }
        levels.append(level)
    }

    /// Only what was visited at or after this time, ms since 1970.
    public mutating func keep(since milliseconds: Int64) { since = milliseconds }

    /// The query and its parameters, in the order of their names.
    ///
    /// - Errors: `.empty` when it would find everything.
    public func query() throws(Refusal) -> Query {
        var writer = Writer()
        if let website {
            let field = dimension == .website ? "id" : "website_id"
            writer.add("@\(field):{\(writer.parameter(website.hex))}")
        }
        addSection(to: &writer)
        for level in levels {
            let value = writer.parameter(level.name)
            let places = level.place.map { [$0] } ?? Array(0..<PageAddress.maximumLevels)
            let parts = places.map { "@\(levelField($0)):{\(value)}" }
            writer.add("(" + parts.joined(separator: "|") + ")")
        }
        if let since { writer.add("@last_visited:[\(since) +inf]") }
        for word in words {
            // A number that begins another one is another article.
            let hasPrefix =
                word.unicodeScalars.count >= Self.shortestPrefix
                && Decimal.unsigned(word.utf8) == nil
            writer.add("\(texts):(\(word)" + (hasPrefix ? "|\(word)*)" : ")"))
        }
        guard !writer.parts.isEmpty else { throw .empty }
        return Query(text: writer.parts.joined(separator: " "), parameters: writer.parameters)
    }

    private var texts: String {
        dimension == .page ? "@words|title_words|url|title|kicker" : "@words"
    }

    /// A page's levels are those of its path; a section's, those of its name.
    private func levelField(_ place: Int) -> String {
        (dimension == .page ? "section_level_" : "level_") + "\(place)"
    }

    /// The name of a section is its first two levels, but for `(home)`, which has none, and a level
    /// that itself holds a slash. Deeper paths are levels of pages.
    private func addSection(to writer: inout Writer) {
        guard !section.isEmpty else { return }
        guard dimension != .website else {
            let whole = writer.parameter(section.joined(separator: "/"))
            let below = writer.parameter(section.joined(separator: "/") + "/")
            return writer.add("@section_name:{\(whole)|\(below)*}")
        }
        let name = dimension == .page ? "section_name" : "name"
        let values = section.map { writer.parameter($0) }
        let below = values.enumerated().map { "@\(levelField($0.offset)):{\($0.element)}" }
        let named = values.prefix(2).map { "@\(name):{\($0)}" }
        guard section.count > 1 else {
            let home = section[0] == PageAddress.homeSection
            return writer.add(home ? named[0] : below[0])
        }
        guard section.count == 2 else { return writer.add(below.joined(separator: " ")) }
        let whole = writer.parameter(section.joined(separator: "/"))
        writer.add(named.joined(separator: " "))
        writer.add("((\(below.joined(separator: " ")))|@\(levelField(0)):{\(whole)})")
    }

    private struct Writer {
        var parts: [String] = []
        var parameters: [(name: String, value: String)] = []

        mutating func add(_ part: String) { parts.append(part) }

        mutating func parameter(_ value: String) -> String {
            let name = "p\(parameters.count)"
            parameters.append((name, value))
            return "$" + name
        }
    }
}
