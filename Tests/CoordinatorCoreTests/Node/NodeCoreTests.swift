import CoordinatorCore
import Testing

/// A node's core, told what happened at which moment: milliseconds on its own clock.
private struct Bench {
    static let me = "a/00000001"
    static let other = "b/00000002"
    var core: NodeCore
    private(set) var said: [NodeDirective] = []

    init() throws {
        core = NodeCore(
            id: try #require(NodeID(Self.me)), timing: try NodeTiming(lease: .seconds(3)),
            shardCount: 2, seed: 1, now: Self.instant(0))
    }

    static func instant(_ milliseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: 1_000_000_000_000 + milliseconds * 1_000_000)
    }

    static func token(_ number: UInt64, _ nonce: String = "0000000000000001") throws -> FencingToken
    {
        try #require(FencingToken(epoch: 1, microseconds: number, nonce: nonce))
    }

    mutating func tell(_ event: NodeEvent, at milliseconds: UInt64) {
        said = core.step(event, now: Self.instant(milliseconds))
    }

    /// The request of the first directive for which this gives one.
    func request(_ pick: (NodeDirective) -> RequestID?) throws -> RequestID {
        try #require(said.lazy.compactMap(pick).first, "\(said)")
    }

    func heartbeatRequest() throws -> RequestID {
        try request { if case .sendHeartbeat(let request, _) = $0 { request } else { nil } }
    }

    func leaseRequest() throws -> RequestID {
        try request {
            switch $0 {
            case .requestLease(let request, _), .renewLease(let request): request
            default: nil
            }
        }
    }

    static func lease(_ node: String?, _ token: FencingToken, _ remaining: Int = 3_000) throws
        -> LeaseAnswer
    {
        LeaseAnswer(
            holder: try node.map { .init(token: token, node: try #require(NodeID($0))) },
            remaining: .milliseconds(remaining))
    }

    /// Becomes leader of itself alone, with the map published: worked on with token 20.
    mutating func lead() throws {
        tell(.timePassed, at: 0)
        let beat = try heartbeatRequest()
        tell(.heartbeatAnswered(beat, try answer(holder: nil, nodes: nil)), at: 1)
        let grant = try leaseRequest()
        tell(
            .leaseAnswered(
                grant, sentAt: Self.instant(1), try Self.lease(Self.me, try Self.token(10))), at: 2)
        let tokens = try request {
            if case .readTokens(let request, _) = $0 { request } else { nil }
        }
        let look = try heartbeatRequest()
        tell(.tokensRead(tokens, [:]), at: 3)
        tell(
            .heartbeatAnswered(look, try answer(holder: Self.me, nodes: [try report(Self.me)])),
            at: 4)
        let publication = try request {
            if case .publishMap(let request, _, _, _, _) = $0 { request } else { nil }
        }
        tell(.mapPublished(publication, version: try Self.token(20)), at: 5)
        for directive in said {
            guard case .claimShard(let request, _, _) = directive else { continue }
            tell(.shardClaimed(request), at: 6)
        }
    }

    func report(_ node: String, heartbeatAt: Int64 = 100_000) throws -> NodeReport {
        NodeReport(id: try #require(NodeID(node)), heartbeatAt: heartbeatAt, joinedAt: 1)
    }

    func answer(holder: String?, nodes: [NodeReport]?, map: ShardMap? = nil) throws
        -> HeartbeatAnswer
    {
        HeartbeatAnswer(
            serverTime: 100_000, lease: try Self.lease(holder, try Self.token(10)),
            mapVersion: core.map?.version, map: map, nodes: nodes)
    }

    func has(_ matches: (NodeDirective) throws -> Bool) rethrows -> Bool {
        try said.contains(where: matches)
    }
}

@Suite("A node's core")
struct NodeCoreTests {
    @Test("a node alone asks, is granted, publishes, claims and works")
    func alone() throws {
        var bench = try Bench()
        try bench.lead()
        #expect(bench.core.isLeading(Bench.instant(7)))
        #expect(bench.core.working.count == 2)
        #expect(try bench.core.working.values.allSatisfy { try $0 == Bench.token(20) })
    }

    @Test("a leader past its lease steps down without asking, counted from before it asked")
    func pastLease() throws {
        var bench = try Bench()
        try bench.lead()
        // Granted at 1 ms for 3 s, less the margin of a fiftieth.
        #expect(bench.core.isLeading(Bench.instant(2_940)))
        #expect(!bench.core.isLeading(Bench.instant(2_941)))
        bench.tell(.timePassed, at: 60_000)
        #expect(bench.has { if case .endLeading = $0 { true } else { false } })
        #expect(!bench.has { if case .releaseLease = $0 { true } else { false } })
        #expect(bench.core.working.count == 2, "shards stay: their slots say who may write")
    }

    @Test("a renewal that is lost is tried again; one that another answers ends the term")
    func renewal() throws {
        var bench = try Bench()
        try bench.lead()
        bench.tell(.timePassed, at: 800)
        bench.tell(.requestFailed(try bench.leaseRequest()), at: 900)
        bench.tell(.timePassed, at: 1_200)
        let renewal = try bench.leaseRequest()
        bench.tell(
            .leaseAnswered(
                renewal, sentAt: Bench.instant(1_200),
                try Bench.lease(Bench.other, try Bench.token(15))), at: 1_210)
        #expect(bench.has { if case .endLeading = $0 { true } else { false } })
        #expect(!bench.core.isLeading(Bench.instant(1_211)))
    }

    @Test("an answer to a request that is over changes nothing")
    func stale() throws {
        var bench = try Bench()
        try bench.lead()
        for number in 0..<40 {
            let request = RequestID(rawValue: UInt64(number) + 1_000)
            let answer = try Bench.lease(Bench.other, try Bench.token(99))
            bench.tell(.leaseAnswered(request, sentAt: Bench.instant(6), answer), at: 7)
            bench.tell(.mapPublished(request, version: try Bench.token(99)), at: 7)
            bench.tell(.claimRefused(request, by: try Bench.token(99)), at: 7)
            #expect(bench.core.isLeading(Bench.instant(7)))
            #expect(bench.core.working.count == 2)
        }
    }

    @Test("work refused by a smaller token is claimed again, by a greater one given up and told")
    func fenced() throws {
        var bench = try Bench()
        try bench.lead()
        let shard = ShardID(rawValue: 1)
        let held = try Bench.token(20)
        bench.tell(.shardFenced(shard, shown: held, by: try Bench.token(5)), at: 8)
        #expect(
            bench.has {
                if case .claimShard(_, shard, held) = $0 { true } else { false }
            })
        #expect(bench.core.working.count == 2)
        bench.tell(.shardFenced(shard, shown: held, by: try Bench.token(30)), at: 9)
        #expect(bench.core.working.count == 1)
        #expect(bench.has { if case .endShard(shard, _) = $0 { true } else { false } })
        bench.tell(.timePassed, at: 40)
        #expect(
            try bench.has {
                guard case .sendHeartbeat(_, let heartbeat) = $0 else { return false }
                return try heartbeat.refused[shard] == Bench.token(30)
            })
    }

    @Test("a shard that is to move is worked on until its next owner has claimed it")
    func handOver() throws {
        var bench = try Bench()
        try bench.lead()
        let other = try #require(NodeID(Bench.other))
        let shard = ShardID(rawValue: 0)
        let map = ShardMap(
            version: try Bench.token(50),
            entries: [
                .init(owner: other, token: try Bench.token(50)),
                .init(owner: NodeID(Bench.me), token: try Bench.token(20)),
            ])
        bench.tell(.timePassed, at: 1_003)
        let beat = try bench.heartbeatRequest()
        bench.tell(
            .heartbeatAnswered(
                beat,
                try bench.answer(
                    holder: Bench.me,
                    nodes: [bench.report(Bench.me), bench.report(Bench.other)], map: map)),
            at: 1_004)
        #expect(bench.core.working.count == 2)
        bench.tell(.timePassed, at: 1_030)
        let poll = try bench.request {
            if case .readTokens(let request, [shard]) = $0 { request } else { nil }
        }
        bench.tell(.tokensRead(poll, [shard: try Bench.token(20)]), at: 1_031)
        #expect(bench.core.working.count == 2)
        bench.tell(.timePassed, at: 1_060)
        let again = try bench.request {
            if case .readTokens(let request, [shard]) = $0 { request } else { nil }
        }
        bench.tell(.tokensRead(again, [shard: try Bench.token(50)]), at: 1_061)
        #expect(Array(bench.core.working.keys) == [ShardID(rawValue: 1)])
    }

    @Test("a node that stops gives the lead back, waits for heirs, and leaves at once without them")
    func stopping() throws {
        var bench = try Bench()
        try bench.lead()
        bench.tell(.stopRequested, at: 100)
        #expect(bench.has { if case .releaseLease = $0 { true } else { false } })
        let beat = try bench.heartbeatRequest()
        #expect(bench.core.working.count == 2)
        bench.tell(
            .heartbeatAnswered(
                beat, try bench.answer(holder: nil, nodes: [bench.report(Bench.me)])),
            at: 101)
        let leaving = try bench.request {
            if case .leave(let request) = $0 { request } else { nil }
        }
        #expect(bench.core.working.isEmpty)
        bench.tell(.left(leaving), at: 102)
        #expect(bench.has { if case .finish(.stopped) = $0 { true } else { false } })
        bench.tell(.timePassed, at: 103)
        #expect(bench.said.isEmpty, "what has ended says nothing more")
    }

    @Test("a node whose place another start took steps aside, asks on, and ends if that one lives")
    func superseded() throws {
        var bench = try Bench()
        try bench.lead()
        bench.tell(.timePassed, at: 1_003)
        bench.tell(.superseded(try bench.heartbeatRequest()), at: 1_004)
        #expect(bench.has { if case .releaseLease = $0 { true } else { false } })
        #expect(bench.core.working.isEmpty)
        #expect(!bench.core.isLeading(Bench.instant(1_005)))
        var asked = 0
        for second in 2..<20 {
            bench.tell(.timePassed, at: UInt64(second) * 1_000 + 100)
            #expect(!bench.has { if case .requestLease = $0 { true } else { false } })
            guard let beat = try? bench.heartbeatRequest() else { break }
            asked += 1
            bench.tell(.superseded(beat), at: UInt64(second) * 1_000 + 101)
            if bench.has({ if case .finish(.superseded) = $0 { true } else { false } }) { break }
        }
        // For the time to live of 3 s and two heartbeats more.
        #expect(asked == 5)
        bench.tell(.timePassed, at: 60_000)
        #expect(bench.said.isEmpty, "what has ended says nothing more")
    }

    @Test("a node whose place a dead start took has it back when that one has been silent")
    func placeGivenBack() throws {
        var bench = try Bench()
        try bench.lead()
        let map = try #require(bench.core.map)
        bench.tell(.timePassed, at: 1_003)
        bench.tell(.superseded(try bench.heartbeatRequest()), at: 1_004)
        bench.tell(.timePassed, at: 2_100)
        let beat = try bench.heartbeatRequest()
        var answer = try bench.answer(holder: nil, nodes: nil, map: map)
        answer.mapVersion = map.version
        bench.tell(.heartbeatAnswered(beat, answer), at: 2_101)
        let claims = bench.said.count { if case .claimShard = $0 { true } else { false } }
        #expect(claims == 2, "by the map that is still in force")
        #expect(bench.has { if case .requestLease = $0 { true } else { false } })
    }

    @Test("an order for balance is carried out once a term, for who was there when it was given")
    func rebalance() throws {
        func member(_ joinedAt: Int64) throws -> Membership {
            var membership = Membership(try NodeTiming(holdDown: .seconds(600)))
            let back = NodeReport(
                id: try #require(NodeID(Bench.other)), heartbeatAt: 100_000, joinedAt: joinedAt,
                followsLoss: true)
            let mine = try Bench().report(Bench.me)
            membership.observe([mine, back], serverTime: 100_000, now: Bench.instant(0))
            return membership
        }
        for (joinedAt, orderedAt, count) in [(90_000, 95_000, 2), (90_000, 80_000, 1)] {
            var membership = try member(Int64(joinedAt))
            func able() -> Int {
                membership.eligible(drained: [], owners: [], now: Bench.instant(1)).count
            }
            #expect(able() == 1)
            membership.endHoldDowns(orderedAt: Int64(orderedAt))
            #expect(able() == count)
        }
    }

    @Test(
        "who joined is new for a while, beside owners who were there long before",
        arguments: [
            // joined, the owner joined, looked at; all in seconds of one clock.
            (90, 10, 91, true), (90, 10, 104, true), (90, 10, 105, false), (90, 10, 300, false),
            (90, 75, 91, true), (90, 76, 91, false), (90, 95, 91, false),
        ] as [(Int64, Int64, Int64, Bool)])
    func new(joined: Int64, owner: Int64, at: Int64, isNew: Bool) throws {
        func report(_ node: String, _ second: Int64) throws -> NodeReport {
            NodeReport(
                id: try #require(NodeID(node)), heartbeatAt: at * 1_000, joinedAt: second * 1_000)
        }
        var membership = Membership(try NodeTiming(joinDelay: .seconds(15)))
        membership.observe(
            [try report(Bench.me, owner), try report(Bench.other, joined)],
            serverTime: at * 1_000, now: Bench.instant(0))
        func seen(after milliseconds: UInt64, owners: Set<NodeID>) -> [Bool] {
            membership.eligible(drained: [], owners: owners, now: Bench.instant(milliseconds))
                .filter { $0.id.text == Bench.other }.map(\.isNew)
        }
        let me = try #require(NodeID(Bench.me))
        #expect(seen(after: 0, owners: [me]) == [isNew])
        #expect(seen(after: 15_000, owners: [me]) == [false], "by the leader's own clock")
        #expect(seen(after: 0, owners: []) == [false], "nobody is waited for")
        membership.endHoldDowns(orderedAt: at * 1_000)
        #expect(seen(after: 0, owners: [me]) == [false], "an order ends it")
    }

    @Test("a lease that names nobody is asked for again after a pause, not at once")
    func unreadableLease() throws {
        var bench = try Bench()
        bench.tell(.timePassed, at: 0)
        let beat = try bench.heartbeatRequest()
        bench.tell(.heartbeatAnswered(beat, try bench.answer(holder: nil, nodes: nil)), at: 1)
        let nobody = LeaseAnswer(holder: nil, remaining: .milliseconds(2_000))
        bench.tell(
            .leaseAnswered(try bench.leaseRequest(), sentAt: Bench.instant(1), nobody), at: 2)
        #expect(!bench.has { if case .requestLease = $0 { true } else { false } })
        bench.tell(.timePassed, at: 1_900)
        #expect(!bench.has { if case .requestLease = $0 { true } else { false } })
        bench.tell(.timePassed, at: 2_100)
        #expect(bench.has { if case .requestLease = $0 { true } else { false } })
    }

    @Test("who was asked to step down waits, unless the next one steps down as well")
    func steppedDown() throws {
        var bench = try Bench()
        try bench.lead()
        var asked = NodeOrders()
        asked.stepDown = try Bench.token(10)
        bench.tell(.timePassed, at: 1_003)
        let beat = try bench.heartbeatRequest()
        var answer = try bench.answer(holder: Bench.me, nodes: [bench.report(Bench.me)])
        answer.orders = asked
        bench.tell(.heartbeatAnswered(beat, answer), at: 1_004)
        #expect(bench.has { if case .releaseLease = $0 { true } else { false } })
        bench.tell(.timePassed, at: 3_900)
        #expect(!bench.has { if case .requestLease = $0 { true } else { false } })
        bench.tell(.leaseFreed, at: 3_901)
        #expect(bench.has { if case .requestLease = $0 { true } else { false } })
    }

    @Test("spans that cannot work together are refused with the reason")
    func timing() {
        let rows: [(() throws -> NodeTiming, String)] = [
            ({ try NodeTiming(lease: .milliseconds(100)) }, "--lease"),
            ({ try NodeTiming(lease: .seconds(1), renew: .milliseconds(500)) }, "--renew-interval"),
            (
                { try NodeTiming(heartbeat: .seconds(2), nodeTTL: .seconds(3)) },
                "--heartbeat-interval"
            ),
            ({ try NodeTiming(nodeTTL: .seconds(601)) }, "--node-ttl"),
        ]
        for (make, name) in rows {
            let error = #expect(throws: NodeTimingError.self) { try make() }
            #expect(error?.description.contains(name) == true)
        }
    }
}
