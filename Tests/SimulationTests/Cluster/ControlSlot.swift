import CoordinatorCore

/// Who calls: one start of one node.
struct Caller {
    let number: Int
    /// Which name it has.
    let name: Int
    let id: NodeID
    let nonce: String
}

/// The clock and the epoch that a script reads.
struct ServerTime {
    /// µs; may jump.
    let clock: Int64
    let epoch: UInt64
    let mints: Bool

    var milliseconds: Int64 { clock / 1_000 }
}

/// Lease, nodes, map and orders: what the scripts of the control slot do, in Swift.
struct ControlSlot {
    struct Lease {
        let token: FencingToken
        let holder: Int
        let node: NodeID
        /// By the server's clock, which is what PX counts with.
        var endsAt: Int64
    }

    struct Record {
        let owner: Int
        let report: NodeReport
    }

    enum BeatAnswer {
        case superseded
        case answered(HeartbeatAnswer, joinedAt: Int64, joined: Bool)
    }

    private(set) var lease: Lease?
    private(set) var records: [Record?]
    private(set) var map: ShardMap?
    var orders = NodeOrders()
    /// What a token is without the protection: a number.
    private var counter: UInt64 = 0

    init(names: Int) {
        records = [Record?](repeating: nil, count: names)
    }

    func holder(_ time: ServerTime) -> Lease? {
        guard let lease, lease.endsAt > time.clock else { return nil }
        return lease
    }

    // MARK: lease.lua

    mutating func grant(
        _ caller: Caller, above: FencingToken?, lasting: Int64, _ time: ServerTime
    ) -> LeaseAnswer {
        if var held = holder(time), held.holder != caller.number {
            held.endsAt = min(held.endsAt, time.clock + lasting)
            lease = held
            return answer(time)
        }
        let token = mint(caller, above: above, time)
        lease = Lease(
            token: token, holder: caller.number, node: caller.id, endsAt: time.clock + lasting)
        return answer(time)
    }

    mutating func renew(_ caller: Caller, lasting: Int64, _ time: ServerTime) -> LeaseAnswer {
        if holder(time)?.holder == caller.number { lease?.endsAt = time.clock + lasting }
        return answer(time)
    }

    /// Returns whether the lease was the caller's.
    mutating func release(
        _ caller: Caller, only token: FencingToken?, _ time: ServerTime
    ) -> Bool {
        guard let held = holder(time), held.holder == caller.number else { return false }
        if let token, held.token != token { return false }
        lease = nil
        return true
    }

    func answer(_ time: ServerTime) -> LeaseAnswer {
        guard let held = holder(time) else { return LeaseAnswer(holder: nil, remaining: .zero) }
        return LeaseAnswer(
            holder: .init(token: held.token, node: held.node),
            remaining: .milliseconds((held.endsAt - time.clock) / 1_000))
    }

    private mutating func mint(
        _ caller: Caller, above: FencingToken?, _ time: ServerTime
    ) -> FencingToken {
        counter += 1
        guard time.mints else {
            return FencingToken(
                epoch: 1, microseconds: counter, nonce: FencingToken.zero.nonce) ?? .zero
        }
        var (epoch, moment) = (time.epoch, UInt64(time.clock))
        if let above, (epoch, moment) <= (above.epoch, above.microseconds) {
            (epoch, moment) = (above.epoch, above.microseconds + 1)
        }
        return FencingToken(epoch: epoch, microseconds: moment, nonce: caller.nonce) ?? .zero
    }

    // MARK: heartbeat.lua

    mutating func beat(
        _ caller: Caller, _ heartbeat: Heartbeat, joinedAt: Int64?, timeToLive: Int64,
        _ time: ServerTime
    ) -> BeatAnswer {
        let stored = records[caller.name]
        var joined = joinedAt ?? 0
        var followsLoss = false
        var isNew = false
        if let stored, stored.owner == caller.number {
            joined = stored.report.joinedAt
            followsLoss = stored.report.followsLoss
        } else if joinedAt == nil || (stored?.report.joinedAt ?? -1) >= joined {
            if joinedAt != nil, let stored,
                time.milliseconds - stored.report.heartbeatAt <= timeToLive
            {
                return .superseded
            }
            joined = max(time.milliseconds, (stored?.report.joinedAt ?? 0) + 1)
            followsLoss = stored != nil
            isNew = true
        }
        records[caller.name] = Record(
            owner: caller.number,
            report: NodeReport(
                id: caller.id, heartbeatAt: time.milliseconds, joinedAt: joined,
                followsLoss: followsLoss, isDraining: heartbeat.isDraining,
                refused: heartbeat.refused, mapVersion: heartbeat.mapVersion))
        let version = map?.version
        let answer = HeartbeatAnswer(
            serverTime: time.milliseconds, lease: answer(time), mapVersion: version,
            map: version == heartbeat.mapVersion ? nil : map,
            nodes: heartbeat.wantsNodes ? records.compactMap { $0?.report } : nil, orders: orders)
        return .answered(answer, joinedAt: joined, joined: isNew)
    }

    /// Returns whether the record was the caller's.
    mutating func leave(_ caller: Caller) -> Bool {
        guard records[caller.name]?.owner == caller.number else { return false }
        records[caller.name] = nil
        return true
    }

    // MARK: publish.lua

    /// Returns nil when the lease is another's.
    mutating func publish(
        _ caller: Caller, _ draft: ShardMapDraft, term: FencingToken, above: FencingToken,
        checksLease: Bool, _ time: ServerTime
    ) -> FencingToken? {
        guard !checksLease || holder(time)?.token == term else { return nil }
        let version = mint(caller, above: max(above, map?.version ?? .zero), time)
        map = draft.published(as: version)
        return version
    }
}
