import CoordinatorCore
import RedisClient

/// What is indexed of the documents of each dimension.
///
/// Any change here counts `SearchIndexName.currentDefinition` up: the leader then makes the new
/// indexes beside the old ones, and drops those when the new ones hold everything.
///
/// - Source: semantics.md §5; Redis `FT.CREATE`.
enum IndexDefinition {
    /// The command that makes an index.
    ///
    /// `STOPWORDS 0`: "not", "will" and "the" are words of headlines. `NOSTEM`: the only stemmer
    /// that could be meant is English, and pages are in several languages. `NOOFFSETS`: nobody asks
    /// where in a text a word stands, and the places are half of such an index.
    static func creation(_ name: SearchIndexName) -> [RedisArgument] {
        let head: [RedisArgument] = [
            "FT.CREATE", .init(name.text), "ON", "JSON", "PREFIX", "1",
            .init("J::\(name.dimension.rawValue):"), "NOOFFSETS", "STOPWORDS", "0", "SCHEMA",
        ]
        return head + schema(name.dimension).flatMap { $0.map { RedisArgument($0) } }
    }

    private static func schema(_ dimension: Dimension) -> [[String]] {
        switch dimension {
        case .website:
            [
                tag("id"), tag("name"), text("words"), visited,
                tag("sections[*].id", as: "section_id"),
                tag("sections[*].name", as: "section_name"), tag("pages[*].id", as: "page_id"),
            ]
        case .section:
            [tag("id"), tag("name") + ["SEPARATOR", "/"], text("words"), visited] + website
                + levels.map { tag("levels.\($0)", as: $0) }
        default:
            [
                tag("id"), text("url"), text("words"),
                text("metadata.title", as: "title") + ["WEIGHT", "4"],
                text("metadata.kicker", as: "kicker") + ["WEIGHT", "2"],
                text("metadata.words", as: "title_words") + ["WEIGHT", "4"],
                visited, tag("section.id", as: "section_id"),
                tag("section.name", as: "section_name") + ["SEPARATOR", "/"],
            ] + website + levels.map { tag("section.levels.\($0)", as: "section_\($0)") }
        }
    }

    private static let visited = ["$.last_visited", "AS", "last_visited", "NUMERIC", "SORTABLE"]
    private static let website = [
        tag("website.id", as: "website_id"), tag("website.name", as: "website_name"),
    ]
    private static let levels = (0..<PageAddress.maximumLevels).map { "level_\($0)" }

    private static func tag(_ path: String, as name: String? = nil) -> [String] {
        ["$.\(path)", "AS", name ?? path, "TAG"]
    }

    private static func text(_ path: String, as name: String? = nil) -> [String] {
        ["$.\(path)", "AS", name ?? path, "TEXT", "NOSTEM"]
    }
}
