/// What the lease's key says.
public struct LeaseAnswer: Hashable, Sendable {
    /// Who holds the lease, and under which term.
    public struct Holder: Hashable, Sendable {
        /// The term.
        public let token: FencingToken
        /// The node.
        public let node: NodeID

        /// A holder of its parts.
        public init(token: FencingToken, node: NodeID) {
            self.token = token
            self.node = node
        }

        /// Reads `<token> <node id>`, as the key holds it.
        public init?(_ value: String) {
            let parts = value.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, let token = FencingToken(String(parts[0])),
                let node = NodeID(String(parts[1]))
            else { return nil }
            self.init(token: token, node: node)
        }
    }

    /// The holder; nil when the lease is free.
    public let holder: Holder?
    /// How long the key lives, as the server says.
    public let remaining: Duration

    /// An answer of its parts.
    public init(holder: Holder?, remaining: Duration) {
        self.holder = holder
        self.remaining = remaining
    }
}
