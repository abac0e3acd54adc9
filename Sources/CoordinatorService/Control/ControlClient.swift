import CoordinatorCore
import EventLoop
import FoundationEssentials
import RedisClient

/// One node's calls on the control slot: lease, heartbeats, map, what happened.
///
/// It has a client of its own, so that bulk work never delays a renewal.
///
/// - Thread: loop only.
@LoopActor final class ControlClient {
    /// A call that takes longer is no use to a leader or a follower: it is asked again.
    static let timeout: Duration = .seconds(1)

    let cluster: RedisCluster
    let node: NodeID
    let nonce: String
    private let timing: NodeTiming
    private var joinedAt: Int64?
    private var sourcesDigest = ""

    private static let slot = Deployment.controlSlot

    init(_ cluster: RedisCluster, node: NodeID, nonce: String, timing: NodeTiming) {
        self.cluster = cluster
        self.node = node
        self.nonce = nonce
        self.timing = timing
    }

    // MARK: Lease

    /// Takes the lease if it is free, with a token above one.
    func grant(above: FencingToken?) async throws(ServiceError) -> LeaseAnswer {
        try await lease("grant", above?.text ?? "", atMost: timing.leaseDuration)
    }

    /// Keeps it for another lease; answers with the holder when it is another's.
    func renew() async throws(ServiceError) -> LeaseAnswer {
        try await lease("renew", "", atMost: timing.leaseDuration / 2)
    }

    /// Gives it back, if it is still this holder's, and says so: others wait for that word.
    func release(_ token: FencingToken, reason: String) async throws(ServiceError) {
        let answer = try await lease("release", token.text, atMost: Self.timeout)
        // Another one leads already: its word came first.
        if let holder = answer.holder, holder.token != token { return }
        _ = try await cluster.ask(
            [
                "XADD", .init(RedisKeys.audit), "MAXLEN", "~", "10000", "*",
                "kind", .init(HistoryEntry.Kind.steppedDown.rawValue), "node", .init(node.text),
                "term", .init(token.text), "map", "", "reason", .init(reason),
            ], slot: Self.slot, timeout: Self.timeout)
    }

    private func lease(
        _ action: String, _ token: String, atMost: Duration
    ) async throws(ServiceError) -> LeaseAnswer {
        let reply = try await run(
            ScriptLibrary.lease, [RedisKeys.lease],
            [
                .init(action), .init(node.text), .init(nonce),
                .init(timing.leaseDuration.wholeMilliseconds), .init(token),
            ], timeout: min(Self.timeout, atMost))
        guard let items = reply.items, items.count == 3, let value = items[1].text else {
            throw unexpected(RedisKeys.lease)
        }
        return Self.leaseAnswer(value, items[2].int ?? 0)
    }

    private static func leaseAnswer(_ value: String, _ milliseconds: Int64) -> LeaseAnswer {
        LeaseAnswer(
            holder: LeaseAnswer.Holder(value), remaining: .milliseconds(max(0, milliseconds)))
    }

    // MARK: Heartbeat

    /// What a heartbeat brought back.
    struct Beat {
        let answer: HeartbeatAnswer
        /// The sources, when they are others than at the last heartbeat.
        let sources: SourceList?
        let nodes: NodeList
        /// There is a map, of a version that this one cannot read.
        let isMapUnreadable: Bool
        let pausedTiers: [String]
    }

    enum HeartbeatReply {
        case answered(Beat)
        case superseded
    }

    func beat(
        _ heartbeat: Heartbeat, _ statement: NodeRecord.Statement
    ) async throws(ServiceError) -> HeartbeatReply {
        let reply = try await call(
            "beat", statement, wantsNodes: heartbeat.wantsNodes, map: heartbeat.mapVersion)
        guard let items = reply.items, let kind = items.first?.text else {
            throw unexpected(RedisKeys.nodes)
        }
        if kind == "SUPERSEDED" { return .superseded }
        guard kind == "OK", items.count == 11, let now = items[1].text.flatMap(Int64.init),
            let joined = items[2].text.flatMap(Int64.init)
        else { throw unexpected(RedisKeys.nodes) }
        joinedAt = joined
        let version = items[5].text.flatMap { FencingToken($0) }
        var map: ShardMap?
        var isMapUnreadable = false
        if let version, let body = items[6].bytes, !body.isEmpty {
            do throws(ServiceError) {
                map = try ShardMapText.decode(body, version: version)
            } catch {
                isMapUnreadable = true
            }
        }
        var sources: SourceList?
        if let digest = items[7].text, digest != sourcesDigest {
            sources = SourceList(items[8].items ?? [])
            sourcesDigest = digest
        }
        let nodes = NodeList(items[10].items ?? [])
        let orders = Orders(items[9].items ?? [])
        return .answered(
            Beat(
                answer: HeartbeatAnswer(
                    serverTime: now,
                    lease: Self.leaseAnswer(items[3].text ?? "", items[4].int ?? 0),
                    mapVersion: version, map: map,
                    nodes: heartbeat.wantsNodes ? nodes.records.map(\.report) : nil,
                    orders: orders.ofNodes),
                sources: sources, nodes: nodes, isMapUnreadable: isMapUnreadable,
                pausedTiers: orders.pausedTiers))
    }

    /// Takes the node off the list.
    func leave(_ statement: NodeRecord.Statement) async throws(ServiceError) {
        _ = try await call("leave", statement, wantsNodes: false, map: nil)
    }

    private func call(
        _ action: String, _ statement: NodeRecord.Statement, wantsNodes: Bool, map: FencingToken?
    ) async throws(ServiceError) -> RedisValue {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text: [UInt8]
        do { text = Array(try encoder.encode(statement)) } catch {
            preconditionFailure("a node's record could not be encoded: \(error)")
        }
        return try await run(
            ScriptLibrary.heartbeat,
            [
                RedisKeys.nodes, RedisKeys.lease, RedisKeys.map, RedisKeys.orders,
                RedisKeys.sources, RedisKeys.audit, RedisKeys.controlGuard,
            ],
            [
                .init(action), .init(node.text), .init(node.name), .init(nonce),
                .init(joinedAt.map(String.init) ?? ""), .init(text), wantsNodes ? "1" : "",
                .init(map?.text ?? ""), .init(sourcesDigest),
                .init(timing.nodeTTL.wholeMilliseconds),
            ], timeout: timing.heartbeatTimeout)
    }

    // MARK: Leading

    /// Publishes a map; nil when the lease is another's.
    ///
    /// - Errors: after `outcomeUnknown` the stored map says whether it was published.
    func publish(
        _ draft: ShardMapDraft, term: FencingToken, above: FencingToken, reason: String
    ) async throws(ServiceError) -> FencingToken? {
        let reply = try await run(
            ScriptLibrary.publish,
            [RedisKeys.lease, RedisKeys.map, RedisKeys.audit, RedisKeys.controlGuard],
            [
                .init(term.text), .init(node.text), .init(above.text),
                .init(ShardMapText(draft).encoded()), .init(reason),
            ], timeout: Self.timeout, isRepeatable: false)
        guard let items = reply.items, items.count == 2 else { throw unexpected(RedisKeys.map) }
        if items[0].int == 0 { return nil }
        guard let version = items[1].text.flatMap({ FencingToken($0) }) else {
            throw unexpected(RedisKeys.map)
        }
        return version
    }

    /// What a leader writes down under its term.
    struct Notes {
        struct Entry {
            let kind: HistoryEntry.Kind
            let node: NodeID
            let reason: String
        }

        var entries: [Entry] = []
        var runs: [(tier: Tier, progress: NodeRecord.Progress)] = []
        var forgotten: [NodeRecord.Header] = []

        var isEmpty: Bool { entries.isEmpty && runs.isEmpty && forgotten.isEmpty }
    }

    func write(_ notes: Notes) async throws(ServiceError) {
        var entries = MessagePackWriter()
        entries.array(notes.entries.count * 3)
        for entry in notes.entries {
            entries.text(entry.kind.rawValue)
            entries.text(entry.node.text)
            entries.text(entry.reason)
        }
        var runs = MessagePackWriter()
        runs.array(notes.runs.count * 4)
        for run in notes.runs {
            runs.text(run.tier.name)
            runs.integer(run.tier.lengthMilliseconds)
            runs.integer(run.progress.doneTo)
            runs.integer(run.progress.sealedTo)
        }
        var forgotten = MessagePackWriter()
        forgotten.array(notes.forgotten.count * 2)
        for record in notes.forgotten {
            forgotten.text(record.name)
            forgotten.text(record.nonce)
        }
        _ = try await run(
            ScriptLibrary.record,
            [
                RedisKeys.lease, RedisKeys.audit, RedisKeys.runs, RedisKeys.nodes,
                RedisKeys.controlGuard,
            ],
            [
                .init(nonce), .init(node.text), .init(entries.bytes), .init(runs.bytes),
                .init(forgotten.bytes),
            ], timeout: Self.timeout, isRepeatable: false)
    }

    // MARK: Calling

    private func run(
        _ script: RedisScript, _ keys: [String], _ arguments: [RedisArgument], timeout: Duration,
        isRepeatable: Bool = true
    ) async throws(ServiceError) -> RedisValue {
        do throws(RedisError) {
            return try await cluster.run(
                script, keys: keys, arguments: arguments, slot: Self.slot,
                isRepeatable: isRepeatable, timeout: timeout)
        } catch {
            throw .redis(error)
        }
    }

    private func unexpected(_ key: String) -> ServiceError {
        .redis(.protocolViolation(endpoint: key, reason: "unexpected reply of a script"))
    }
}
