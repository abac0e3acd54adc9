/// What a figure or a document is about: the third segment of a key.
///
/// - Source: semantics.md §1.
public enum Dimension: String, CaseIterable, Sendable {
    /// A website, under the name that the site table gives it.
    case website = "W"
    /// A section of a website.
    case section = "S"
    /// A page, by its normalised URL.
    case page = "P"
    /// A device; of the convention, not counted here.
    case device = "D"
    /// An audio; of the convention, not counted here.
    case audio = "A"
    /// A video; of the convention, not counted here.
    case video = "V"
    /// A podcast; of the convention, not counted here.
    case podcast = "PC"
    /// A metric; of the convention, not counted here.
    case metric = "M"

    /// The dimensions that events are counted in.
    public static let counted: [Dimension] = [.website, .section, .page]
}
