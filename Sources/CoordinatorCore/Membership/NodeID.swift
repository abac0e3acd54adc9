/// One start of one node: its name, and a nonce that is new at every start.
///
/// - Shape: `<name>/<first 8 digits of the nonce>` as text; a name holds no slash and no space.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// How much of the nonce is shown: enough to tell the starts of one name apart.
    public static let shownDigits = 8

    /// The id as text.
    public let text: String

    /// The id of a start.
    public init(name: String, nonce: String) {
        text = "\(name)/\(nonce.prefix(Self.shownDigits))"
    }

    /// Reads an id as written; nil unless it has a name and a nonce.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        self.text = text
    }

    /// What the node is called, whichever start it is.
    public var name: String { String(text.prefix { $0 != "/" }) }

    /// The id as text.
    public var description: String { text }

    /// Orders by the bytes of the text.
    public static func < (left: NodeID, right: NodeID) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}
