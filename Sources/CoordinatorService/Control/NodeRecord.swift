public import CoordinatorCore
import FoundationEssentials
import RedisClient

/// A node as it says of itself, once a second, with what the server noted beside it.
///
/// - Shape: a field of `H:NODES::{control}::`, named by the node's name:
///   `<heartbeat at> <joined at> <nonce> <1 when the start before it ended without a word> <JSON>`.
///   What follows the nonce may grow in a newer version only inside the JSON.
public struct NodeRecord: Sendable {
    /// How far a node's shards are in one tier, ms.
    public struct Progress: Codable, Hashable, Sendable {
        /// The end of the last window that any of them sealed.
        public let sealedTo: Int64
        /// The end of the last window that all of them merged.
        public let doneTo: Int64
    }

    /// The JSON. Unknown members are left for newer versions, missing ones have a default: nodes of
    /// two versions work side by side while one replaces the other.
    struct Statement: Codable, Sendable {
        var node: String
        var host: String
        var version: String
        var role: String
        var state: String?
        var shards: Int
        var weight: Int?
        /// Time to live and lease of this node, ms.
        var ttl: Int64?
        var refused: [String: String]?
        /// The version of the map that it has.
        var map: String?
        var progress: [String: Progress]?
        var enrichment: EnrichmentReport?
    }

    /// A lost node is taken off the list after this.
    static let forgottenAfterMilliseconds: Int64 = 600_000

    let statement: Statement
    let nonce: String
    let followsLoss: Bool
    /// Server time, ms.
    public let heartbeatAt: Int64
    public let joinedAt: Int64
    public let id: NodeID

    public var host: String { statement.host }
    public var version: String { statement.version }
    /// `leader` or `follower`, as the node believes.
    public var role: String { statement.role }
    /// Shards that it works on.
    public var shards: Int { statement.shards }
    public var isDraining: Bool { statement.state == "draining" }
    public var progress: [String: Progress] { statement.progress ?? [:] }
    /// What it asked of the article API; nil where enrichment is off.
    public var enrichment: EnrichmentReport? { statement.enrichment }

    /// A node that has not been heard of for this long is lost, by its own settings.
    public var timeToLiveMilliseconds: Int64 { statement.ttl ?? 3_000 }

    /// How a node is; the raw value is what people and scripts read.
    public enum State: String, Sendable {
        case ready, draining
        /// It has not been heard of for its time to live.
        case lost
    }

    /// How the node is at a time of the server, ms.
    public func state(now: Int64) -> State {
        now - heartbeatAt > timeToLiveMilliseconds ? .lost : isDraining ? .draining : .ready
    }

    init(_ value: [UInt8]) throws(ServiceError) {
        let parts = value.split(separator: UInt8(ascii: " "), maxSplits: 4)
        guard parts.count == 5,
            let heartbeatAt = Int64(String(decoding: parts[0], as: UTF8.self)),
            let joinedAt = Int64(String(decoding: parts[1], as: UTF8.self))
        else { throw .unreadable(key: RedisKeys.nodes, detail: "a record without its times") }
        do {
            statement = try JSONDecoder().decode(Statement.self, from: Data(parts[4]))
        } catch {
            throw .unreadable(key: RedisKeys.nodes, detail: "\(error)")
        }
        guard let id = NodeID(statement.node) else {
            throw .unreadable(key: RedisKeys.nodes, detail: "\(statement.node) is no node's id")
        }
        self.id = id
        self.heartbeatAt = heartbeatAt
        self.joinedAt = joinedAt
        nonce = String(decoding: parts[2], as: UTF8.self)
        followsLoss = parts[3].elementsEqual("1".utf8)
    }

    /// What a leader decides by.
    var report: NodeReport {
        var refused: [ShardID: FencingToken] = [:]
        for (number, text) in statement.refused ?? [:] {
            guard let number = Int(number), number >= 0, let token = FencingToken(text) else {
                continue
            }
            refused[ShardID(rawValue: number)] = token
        }
        return NodeReport(
            id: id, heartbeatAt: heartbeatAt, joinedAt: joinedAt, followsLoss: followsLoss,
            isDraining: isDraining, weight: statement.weight ?? 1, refused: refused,
            mapVersion: statement.map.flatMap { FencingToken($0) })
    }

}

/// The nodes as the control slot lists them.
struct NodeList: Sendable {
    /// By id.
    let records: [NodeRecord]
    /// Names of those whose record this version does not understand: one such must not keep the
    /// others from working.
    let unreadable: [String]

    /// Reads a reply of HGETALL.
    init(_ reply: [RedisValue]) {
        var records: [NodeRecord] = []
        var unreadable: [String] = []
        for index in stride(from: 1, to: reply.count, by: 2) {
            do throws(ServiceError) {
                records.append(try NodeRecord(reply[index].bytes ?? []))
            } catch {
                unreadable.append(reply[index - 1].text ?? "?")
            }
        }
        self.records = records.sorted { $0.id < $1.id }
        self.unreadable = unreadable.sorted()
    }
}
