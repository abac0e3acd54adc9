/// What an event's URL stands for: a page, its section and its website, with their ids.
///
/// - Source: semantics.md §3.
public struct PageAddress: Hashable, Sendable {
    /// The most levels that documents hold.
    public static let maximumLevels = 5
    /// The section of a website's root.
    public static let homeSection = "(home)"

    /// The website's name.
    public let website: String
    /// The SHA-1 of the website's name.
    public let websiteID: RecordID
    /// The section's name: the first level, or the first two.
    public let section: String
    /// The SHA-1 of website name, slash, section name.
    public let sectionID: RecordID
    /// The path's segments as people read them, the first five.
    public let levels: [String]
    /// The page's URL: host, port if unusual, path, kept query; no scheme.
    public let url: String
    /// The SHA-1 of `url`.
    public let pageID: RecordID
    /// The last level, kept or not, if it is all digits and fits.
    public let articleID: UInt64?
}
