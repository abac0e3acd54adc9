import FoundationEssentials
import RedisClient

/// One value of a document that somebody else may have written: a text, a whole number, or anything
/// else, which no field of ours is.
enum JSONScalar: Decodable {
    case text(String)
    case number(Int64)
    case other

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do { self = .number(try container.decode(Int64.self)) } catch {
            do { self = .text(try container.decode(String.self)) } catch { self = .other }
        }
    }

    /// A text that is not empty.
    var text: String? {
        if case .text(let text) = self, !text.isEmpty { text } else { nil }
    }

    /// A whole number, or a text that is one.
    var number: Int64? {
        switch self {
        case .number(let number): number
        case .text(let text): Int64(text)
        case .other: nil
        }
    }

    /// The first value at each path of a reply of JSON.GET over several paths; nil where the reply
    /// is none.
    static func values(_ reply: RedisValue) -> [String: JSONScalar]? {
        guard let bytes = reply.bytes else { return nil }
        do {
            let found = try JSONDecoder().decode([String: [JSONScalar]].self, from: Data(bytes))
            return found.compactMapValues(\.first)
        } catch {
            return nil
        }
    }
}
