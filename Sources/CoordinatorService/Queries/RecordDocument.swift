import CoordinatorCore
import FoundationEssentials
import RedisClient

/// What lists show of a record's document, and what they are filtered by.
struct RecordDocument: Sendable {
    /// A page's URL, else the name.
    let name: String
    /// A page's title; nil where nobody told it yet.
    let title: String?
    let website: String
    let websiteID: String
    let sectionID: String

    /// The paths that are asked for.
    static func paths(_ dimension: Dimension) -> [String] {
        switch dimension {
        case .website: ["$.name", "$.id"]
        case .section: ["$.name", "$.id", "$.website.name", "$.website.id"]
        case .audio, .video, .podcast: ["$.name", "$.id"]
        default:
            ["$.url", "$.website.name", "$.website.id", "$.section.id", "$.metadata.title"]
        }
    }

    /// The one path that names a record.
    static func namePath(_ dimension: Dimension) -> String {
        dimension == .page ? "$.url" : "$.name"
    }

    /// Reads the reply of JSON.GET over `paths`: an object of arrays.
    init?(_ reply: RedisValue, _ dimension: Dimension) {
        guard let bytes = reply.bytes else { return nil }
        let values: [String: [String?]]
        do {
            values = try JSONDecoder().decode([String: [String?]].self, from: Data(bytes))
        } catch {
            // A document that somebody else wrote: it has no name that could be shown.
            return nil
        }
        func known(_ path: String) -> String? { values[path]?.first ?? nil }
        func first(_ path: String) -> String { known(path) ?? "" }
        name = first(Self.namePath(dimension))
        title = known("$.metadata.title").flatMap { $0.isEmpty ? nil : $0 }
        switch dimension {
        case .website:
            website = name
            websiteID = first("$.id")
            sectionID = ""
        case .section:
            website = first("$.website.name")
            websiteID = first("$.website.id")
            sectionID = first("$.id")
        case .audio, .video, .podcast:
            // What is played may be played on any website, and outside of them.
            website = ""
            websiteID = ""
            sectionID = ""
        default:
            website = first("$.website.name")
            websiteID = first("$.website.id")
            sectionID = first("$.section.id")
        }
    }

    /// Reads the reply of JSON.GET over `namePath` alone: an array of one text; empty where there
    /// is none.
    static func name(_ reply: RedisValue) -> String {
        guard let bytes = reply.bytes else { return "" }
        do {
            return try JSONDecoder().decode([String].self, from: Data(bytes)).first ?? ""
        } catch {
            return ""
        }
    }
}
