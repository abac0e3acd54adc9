public import CoordinatorCore
import EventLoop
import RedisClient

/// One thing that happened: an entry of `ST:AUDIT::{control}::`.
public struct HistoryEntry: Sendable {
    /// What happened.
    public enum Kind: String, Sendable, CaseIterable {
        case elected
        case steppedDown = "stepped-down"
        case expired, map, joined, left, run, order
    }

    /// When, by the server's clock, and in which order.
    public let id: StreamID
    public let kind: Kind
    /// A node's id, or what else it is about.
    public let subject: String
    public let term: FencingToken?
    public let mapVersion: FencingToken?
    public let reason: String

    private static let upTo = ", up to "

    /// The reason for people: a run's time is written as `format` writes it, and comes before what
    /// a narrow terminal may cut.
    ///
    /// - Shape: a run's reason is `<tier>: <what>, up to <ms since 1970>`.
    public func sentence(_ format: (Int64) -> String) -> String {
        let words = reason.split(separator: " ")
        guard kind == .run, let tier = words.first, tier.hasSuffix(":"), let last = words.last,
            let time = Int64(last), reason.hasSuffix(Self.upTo + last)
        else { return reason }
        let what = reason.dropFirst(tier.count).dropLast(Self.upTo.count + last.count)
        return "\(tier.dropLast()) up to \(format(time)):\(what)"
    }

    /// When, ms.
    public var at: Int64 { Int64(clamping: id.milliseconds) }

    /// An entry of its parts.
    init(
        id: StreamID, kind: Kind, subject: String, term: FencingToken? = nil,
        mapVersion: FencingToken? = nil, reason: String
    ) {
        self.id = id
        self.kind = kind
        self.subject = subject
        self.term = term
        self.mapVersion = mapVersion
        self.reason = reason
    }

    /// Reads an entry; nil for one of a kind that a newer version writes.
    init?(_ entry: RedisValue) {
        guard let parts = entry.items, parts.count == 2,
            let id = parts[0].text.flatMap({ StreamID($0) }), let fields = parts[1].items
        else { return nil }
        var values: [String: String] = [:]
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].text else { continue }
            values[name] = fields[index + 1].text
        }
        guard let kind = values["kind"].flatMap(Kind.init) else { return nil }
        self.id = id
        self.kind = kind
        subject = values["node"] ?? ""
        term = values["term"].flatMap { FencingToken($0) }
        mapVersion = values["map"].flatMap { FencingToken($0) }
        reason = values["reason"] ?? ""
    }
}

extension Deployment {
    /// What happened last, the newest first.
    public func history(_ count: Int64) async throws(ServiceError) -> [HistoryEntry] {
        let reply = try await cluster.ask(
            ["XREVRANGE", .init(RedisKeys.audit), "+", "-", "COUNT", .init(count)],
            slot: Deployment.controlSlot)
        return (reply.items ?? []).compactMap(HistoryEntry.init)
    }
}

/// Waits for the next thing that happens, on a connection of its own.
///
/// A blocking read of the stream rather than a subscription: nothing that happens between two reads
/// is missed, entries say what it was, and one mechanism serves people and nodes.
///
/// - Thread: loop only.
@LoopActor final class HistoryWatch {
    /// Below the silence after which the connection would be taken for dead.
    private static let block: Duration = .seconds(5)
    private static let slack: Duration = .seconds(3)

    private let cluster: RedisCluster
    private var last: String?

    init(_ cluster: RedisCluster) {
        self.cluster = cluster
    }

    /// The bounds of a client whose connection is silent while it waits.
    static var limits: RedisLimits {
        var limits = RedisLimits()
        limits.owedPingInterval = block + slack
        return limits
    }

    /// The entries since the last call; none when nothing happened for some seconds.
    func next() async throws(ServiceError) -> [HistoryEntry] {
        guard let from = last else {
            last = try await newest()
            return []
        }
        let reply = try await cluster.ask(
            [
                "XREAD", "COUNT", "64", "BLOCK", .init(Self.block.wholeMilliseconds), "STREAMS",
                .init(RedisKeys.audit), .init(from),
            ], slot: Deployment.controlSlot, timeout: Self.block + Self.slack)
        let entries = reply.items?.first?.items?.last?.items ?? []
        // Nothing for a while: a failover may have made the stream shorter than what was read.
        last = entries.isEmpty ? try await newest() : entries.last?.items?.first?.text ?? from
        return entries.compactMap(HistoryEntry.init)
    }

    /// The id of the last entry there is.
    private func newest() async throws(ServiceError) -> String {
        let newest = try await cluster.ask(
            ["XREVRANGE", .init(RedisKeys.audit), "+", "-", "COUNT", "1"],
            slot: Deployment.controlSlot)
        return newest.items?.first?.items?.first?.text ?? "0-0"
    }
}
