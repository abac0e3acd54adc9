/// A node as it says of itself, once a second.
///
/// - Shape: a field of `H:NODES::{control}::`, named by the node's id, as JSON.
public struct NodeRecord: Codable, Sendable {
    /// Name and the nonce of this start.
    public let node: String
    public let host: String
    public let version: String
    /// `leader` or `follower`.
    public var role: String
    /// Shards that it has claimed.
    public var shards: Int
    /// Server time, ms.
    public var heartbeatAt: Int64

    /// A node that has not been heard of for this long is lost.
    public static let timeToLiveMilliseconds: Int64 = 3_000
    /// A lost node is taken off the list after this.
    static let forgottenAfterMilliseconds: Int64 = 600_000
}
