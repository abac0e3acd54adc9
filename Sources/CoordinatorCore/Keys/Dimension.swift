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
    /// A device; of the convention. Figures by device are not kept: they would grow with every
    /// device there is, and show what one person read.
    case device = "D"
    /// An audio, by the id that its player gives it.
    case audio = "A"
    /// A video, by the id that its player gives it.
    case video = "V"
    /// A podcast, by the id that its player gives it.
    case podcast = "PC"
    /// A metric; of the convention, not counted here.
    case metric = "M"

    /// The dimensions that a page view counts in, once in each: their sums are the same.
    public static let viewed: [Dimension] = [.website, .section, .page]
    /// The dimensions of plays: a play counts in one of them, and in no other dimension.
    public static let played: [Dimension] = [.audio, .video, .podcast]
    /// The dimensions that events are counted in: everything that goes through them goes through
    /// this table. Websites come before sections before pages, as their documents are written.
    public static let counted: [Dimension] = viewed + played

    /// What the field `kind` says of an event of this dimension; nil where none says it.
    public var kind: String? {
        switch self {
        case .audio: "audio"
        case .video: "video"
        case .podcast: "podcast"
        case .website, .section, .page, .device, .metric: nil
        }
    }

    /// The dimension that the field `kind` names, byte by byte; nil for any other text.
    public init?(kind: UnsafeRawBufferPointer) {
        let found = Self.played.first { $0.kind?.utf8.elementsEqual(kind) == true }
        guard let found else { return nil }
        self = found
    }

    /// Whether events of their own count here, and in no other dimension.
    public var isPlayed: Bool { kind != nil }

    /// Whether an event counts here exactly once if it counts at all, and in no other such
    /// dimension: the ledger adds these up.
    public var isTallied: Bool { self == .website || isPlayed }

    /// The place in `counted`; −1 for those that are not counted.
    public var row: Int {
        switch self {
        case .website: 0
        case .section: 1
        case .page: 2
        case .audio: 3
        case .video: 4
        case .podcast: 5
        case .device, .metric: -1
        }
    }
}
