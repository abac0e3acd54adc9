import CoordinatorCore
import RedisClient

/// A page's document as the original wrote it, in either of its shapes.
///
/// Its sections have a `name` in the last version and a `pretty_name` before, and `last_visited` is
/// a text until the second visit and a number from then on. Neither matters here: website, section
/// and levels are made anew from the URL, by the rules of the deployment.
struct OriginalPage {
    let url: String
    /// ms since 1970; 0 where it is not readable.
    let lastVisited: Int64
    let websiteID: String
    let sectionID: String
    let title: String?
    let kicker: String?
    /// ms since 1970.
    let displayDate: Int64?

    /// The part of a document that is asked for: a page's document may be of any size.
    static let paths: [RedisArgument] = [
        "$.url", "$.last_visited", "$.website.id", "$.section.id", "$.metadata.title",
        "$.metadata.kicker", "$.metadata.display_date", "$.metadata.display_data",
    ]
    /// A longer title is no title.
    private static let longestText = 2_048

    /// Reads the reply of JSON.GET over `paths`; nil where it is no page's document.
    init?(_ reply: RedisValue) {
        guard let found = JSONScalar.values(reply) else { return nil }
        func text(_ path: String) -> String? {
            found[path]?.text.flatMap { $0.utf8.count <= Self.longestText ? $0 : nil }
        }
        func time(_ path: String) -> Int64? {
            found[path]?.number.flatMap { $0 > 0 ? $0 : nil }
        }
        guard let url = text("$.url") else { return nil }
        self.url = url
        lastVisited = time("$.last_visited") ?? 0
        websiteID = text("$.website.id") ?? ""
        sectionID = text("$.section.id") ?? ""
        title = text("$.metadata.title")
        kicker = text("$.metadata.kicker")
        displayDate = time("$.metadata.display_date") ?? time("$.metadata.display_data")
    }

    var hasMetadata: Bool { title != nil || kicker != nil || displayDate != nil }
}
