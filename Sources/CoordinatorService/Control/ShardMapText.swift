import CoordinatorCore
import FoundationEssentials

/// A shard map as the control slot holds it, beside its version.
///
/// - Shape: JSON; an owner is an index into `nodes`, −1 for nobody; a token is an index into
///   `tokens`, −1 for the map's own version, which the server makes when it stores the text.
struct ShardMapText: Codable {
    private let nodes: [String]
    private let tokens: [String]
    private let owners: [Int]
    private let claims: [Int]

    init(_ draft: ShardMapDraft) {
        var nodeNumbers = Numbering()
        var tokenNumbers = Numbering()
        owners = draft.owners.map { $0.map { nodeNumbers.number($0.text) } ?? -1 }
        claims = draft.kept.map { $0.map { tokenNumbers.number($0.text) } ?? -1 }
        nodes = nodeNumbers.texts
        tokens = tokenNumbers.texts
    }

    /// The map; nil when the text is none.
    func map(version: FencingToken) -> ShardMap? {
        guard owners.count == claims.count else { return nil }
        var entries: [ShardMap.Entry] = []
        for (owner, claim) in zip(owners, claims) {
            guard owner < nodes.count, claim < tokens.count else { return nil }
            let node = owner < 0 ? nil : NodeID(nodes[owner])
            if owner >= 0, node == nil { return nil }
            guard let token = claim < 0 ? version : FencingToken(tokens[claim]) else { return nil }
            entries.append(.init(owner: node, token: token))
        }
        return ShardMap(version: version, entries: entries)
    }

    func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(self)) } catch {
            preconditionFailure("a map could not be encoded: \(error)")
        }
    }

    static func decode(_ body: [UInt8], version: FencingToken) throws(ServiceError) -> ShardMap {
        do {
            let text = try JSONDecoder().decode(ShardMapText.self, from: Data(body))
            if let map = text.map(version: version) { return map }
        } catch {
            throw .unreadable(key: RedisKeys.map, detail: "\(error)")
        }
        throw .unreadable(key: RedisKeys.map, detail: "indexes beyond its lists")
    }

    private struct Numbering {
        private(set) var texts: [String] = []
        private var numbers: [String: Int] = [:]

        mutating func number(_ text: String) -> Int {
            if let known = numbers[text] { return known }
            texts.append(text)
            numbers[text] = texts.count - 1
            return texts.count - 1
        }
    }
}
