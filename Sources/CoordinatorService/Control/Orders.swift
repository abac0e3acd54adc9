public import CoordinatorCore
import EventLoop
import RedisClient

/// What operators asked for: the hash `H:ORDERS::{control}::`.
public struct Orders: Sendable {
    private static let drain = "drain:"
    private static let pause = "pause:"
    private static let stepDown = "step-down"
    private static let rebalance = "rebalance"

    /// What nodes are to do.
    public private(set) var ofNodes = NodeOrders()
    /// Names of tiers of which no window is sealed, in order.
    public private(set) var pausedTiers: [String] = []

    /// Reads a reply of HGETALL.
    init(_ fields: [RedisValue]) {
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let field = fields[index].text, let value = fields[index + 1].text else {
                continue
            }
            if field.hasPrefix(Self.drain) {
                ofNodes.drained.insert(String(field.dropFirst(Self.drain.count)))
            } else if field.hasPrefix(Self.pause) {
                pausedTiers.append(String(field.dropFirst(Self.pause.count)))
            } else if field == Self.stepDown {
                ofNodes.stepDown = FencingToken(value)
            } else if field == Self.rebalance {
                ofNodes.rebalance = value
            }
        }
        pausedTiers.sort()
    }
}

/// One thing that an operator may ask for.
public enum Order: Sendable {
    /// The node of this name is to have no shards, or may have some again.
    case drain(String, Bool)
    /// No window of the tier is to be sealed, or they may be again.
    case pause(Tier, Bool)
    /// This term is to end.
    case stepDown(LeaderReport)
    /// Nodes that are held down are to get their shards now.
    case rebalance
}

extension Deployment {
    /// What operators have asked for so far.
    public func orders() async throws(ServiceError) -> Orders {
        let reply = try await cluster.ask(
            ["HGETALL", .init(RedisKeys.orders)], slot: Deployment.controlSlot)
        return Orders(reply.items ?? [])
    }

    /// Writes down what an operator asks for; nodes learn it with their next heartbeat, which this
    /// wakes.
    ///
    /// - Returns: whether that changed something.
    /// - Errors: `.question` when the term that is to end has ended.
    public func give(_ order: Order) async throws(ServiceError) -> Bool {
        let now = try await serverTime()
        let call: (action: String, field: String, value: String, term: String, String, String) =
            switch order {
            case .drain(let name, let isOn):
                (
                    isOn ? "set" : "clear", "drain:\(name)", "1", "", name,
                    isOn ? "asked to drain" : "asked to take shards again"
                )
            case .pause(let tier, let isOn):
                (
                    isOn ? "set" : "clear", "pause:\(tier.name)", "1", "", "",
                    isOn ? "\(tier.name) paused" : "\(tier.name) resumed"
                )
            case .stepDown(let leader):
                ("set", "step-down", leader.term, leader.term, leader.node, "asked to step down")
            case .rebalance:
                ("set", "rebalance", String(now), "", "", "asked for balance at once")
            }
        let reply: RedisValue
        do throws(RedisError) {
            reply = try await cluster.run(
                ScriptLibrary.order,
                keys: [
                    RedisKeys.orders, RedisKeys.lease, RedisKeys.audit, RedisKeys.controlGuard,
                ],
                arguments: [
                    .init(call.action), .init(call.field), .init(call.value), .init(call.term),
                    .init(call.4), .init(call.5),
                ], slot: Deployment.controlSlot)
        } catch {
            throw .redis(error)
        }
        guard let outcome = reply.items?.first?.int else {
            throw .redis(
                .protocolViolation(
                    endpoint: RedisKeys.orders, reason: "unexpected reply of a script"))
        }
        if outcome < 0 {
            throw .question("that term has ended already: nothing was changed")
        }
        return outcome == 1
    }
}
