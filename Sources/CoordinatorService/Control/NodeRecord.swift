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
        /// Time to live of this node, ms.
        var ttl: Int64?
        /// How often it says that it is there, and as a leader renews a lease of which length, ms.
        var every: Int64?
        var renew: Int64?
        var lease: Int64?
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

    /// How often it says that it is there; nil of a version that does not tell.
    public var heartbeatEveryMilliseconds: Int64? { Self.plausible(statement.every) }
    /// The lease that it takes as a leader, and how often it renews it; nil of a version that does
    /// not tell.
    public var leaseMilliseconds: Int64? { Self.plausible(statement.lease) }
    /// See `leaseMilliseconds`.
    public var renewEveryMilliseconds: Int64? { Self.plausible(statement.renew) }

    /// A span that a node may really have: what another version wrote must not trap here.
    private static func plausible(_ milliseconds: Int64?) -> Int64? {
        milliseconds.flatMap { (1...3_600_000).contains($0) ? $0 : nil }
    }

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

    /// What the server wrote down, whatever the node says of itself.
    struct Header: Sendable {
        /// The field: the node's name.
        let name: String
        let heartbeatAt: Int64
        let joinedAt: Int64
        let nonce: String
        let followsLoss: Bool

        /// Nil when the text is not of this form.
        init?(_ name: String, _ parts: [ArraySlice<UInt8>]) {
            guard parts.count == 5, let heartbeatAt = Self.time(parts[0]),
                let joinedAt = Self.time(parts[1])
            else { return nil }
            self.name = name
            self.heartbeatAt = heartbeatAt
            self.joinedAt = joinedAt
            nonce = String(decoding: parts[2], as: UTF8.self)
            followsLoss = parts[3].elementsEqual("1".utf8)
        }

        /// Within some thousand years of 1970: differences are far from overflow.
        private static func time(_ text: ArraySlice<UInt8>) -> Int64? {
            Int64(String(decoding: text, as: UTF8.self)).flatMap {
                (0...Self.latest).contains($0) ? $0 : nil
            }
        }

        private static let latest: Int64 = 1 << 48
    }

    /// Nil when this version does not understand what the node says of itself.
    init?(_ header: Header, _ text: ArraySlice<UInt8>) {
        do {
            statement = try JSONDecoder().decode(Statement.self, from: Data(text))
        } catch {
            return nil
        }
        guard let id = NodeID(statement.node), id.name == header.name,
            (0...HashSlot.count).contains(statement.shards)
        else { return nil }
        self.id = id
        heartbeatAt = header.heartbeatAt
        joinedAt = header.joinedAt
        nonce = header.nonce
        followsLoss = header.followsLoss
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

    /// Of all records whose times can be read.
    let headers: [NodeRecord.Header]

    /// Reads a reply of HGETALL.
    init(_ reply: [RedisValue]) {
        var records: [NodeRecord] = []
        var unreadable: [String] = []
        var headers: [NodeRecord.Header] = []
        for index in stride(from: 1, to: reply.count, by: 2) {
            let name = reply[index - 1].text ?? ""
            let parts = (reply[index].bytes ?? []).split(separator: UInt8(ascii: " "), maxSplits: 4)
            let header = NodeRecord.Header(name, parts)
            if let header { headers.append(header) }
            if let header, let record = NodeRecord(header, parts[4]) {
                records.append(record)
            } else {
                unreadable.append(name)
            }
        }
        self.records = records.sorted { $0.id < $1.id }
        self.unreadable = unreadable.sorted()
        self.headers = headers
    }
}
