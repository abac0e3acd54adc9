import CoordinatorCore
import FoundationEssentials
import RedisClient

/// What lists show of a record's document.
struct RecordDocument: Sendable {
    /// A page's URL, else the name.
    let name: String
    let website: String
    let section: String

    /// The paths that are asked for.
    static func paths(_ dimension: Dimension) -> [String] {
        switch dimension {
        case .website: ["$.name"]
        case .section: ["$.name", "$.website.name"]
        default: ["$.url", "$.website.name", "$.section.name"]
        }
    }

    /// Reads the reply of JSON.GET over `paths`: an object of arrays, or one array for one path.
    init?(_ reply: RedisValue, _ dimension: Dimension) {
        guard let bytes = reply.bytes else { return nil }
        let values: [String: [String]]
        do {
            let data = Data(bytes)
            values =
                dimension == .website
                ? ["$.name": try JSONDecoder().decode([String].self, from: data)]
                : try JSONDecoder().decode([String: [String]].self, from: data)
        } catch {
            // A document that somebody else wrote: it has no name that could be shown.
            return nil
        }
        func first(_ path: String) -> String { values[path]?.first ?? "" }
        switch dimension {
        case .website:
            name = first("$.name")
            website = name
            section = ""
        case .section:
            name = first("$.name")
            website = first("$.website.name")
            section = name
        default:
            name = first("$.url")
            website = first("$.website.name")
            section = first("$.section.name")
        }
    }
}
