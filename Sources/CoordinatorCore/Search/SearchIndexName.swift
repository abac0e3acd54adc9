/// The name of one search index of ours: a dimension, a master, a version of the definition.
///
/// - Shape: `I::P:{tag}2::`. The tag lies in a slot that the master serves, because Redis sends
///   commands about an index to the master of its name's slot. The ID is the number of the
///   definition, so that two versions of the program can have theirs side by side.
/// - Invariant: `SearchIndexName(parsing: name.text) == name`.
/// - Source: semantics.md §1 and §5.
public struct SearchIndexName: Hashable, Sendable, CustomStringConvertible {
    /// The number of the definitions that this program makes; a change of any field counts it up.
    public static let currentDefinition = 2

    /// What its documents are about.
    public let dimension: Dimension
    /// The tag, without braces.
    public let tag: String
    /// Which definition it was made with.
    public let definition: Int

    /// A name with the definition of this program.
    public init(_ dimension: Dimension, tag: String) {
        self.dimension = dimension
        self.tag = tag
        definition = Self.currentDefinition
    }

    /// Reads a name; nil for what is not one of ours, which is nobody's business here.
    public init?(parsing text: String) {
        guard let key = RedisKey(parsing: text), key.type == .index, key.name.isEmpty,
            let dimension = key.dimension, Dimension.viewed.contains(dimension),
            let tag = key.tag, key.timestamp == nil, key.metric == nil,
            let number = Decimal.unsigned(key.id), number > 0,
            let definition = Int(exactly: number),
            String(definition).utf8.elementsEqual(key.id)
        else { return nil }
        self.dimension = dimension
        self.tag = String(decoding: tag, as: UTF8.self)
        self.definition = definition
    }

    /// The name as Redis has it.
    public var text: String { RedisKeys.index(dimension, tag, definition: definition) }

    /// The name as Redis has it.
    public var description: String { text }

    /// The slot whose master answers for the index.
    public var slot: HashSlot { HashSlot(key: text) }

    /// Whether this program made it, or would make it the same.
    public var isCurrent: Bool { definition == Self.currentDefinition }
}
