public import CoordinatorCore
import EventLoop
import RedisClient

/// What operators asked for: the hash `H:ORDERS::{control}::`.
public struct Orders: Sendable {
    static let drain = "drain:"
    static let pause = "pause:"
    static let stepDown = "step-down"
    static let rebalance = "rebalance"

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
                ofNodes.rebalance = Int64(value)
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

extension Order {
    /// An order as the script `order` takes it.
    struct Entry {
        let isSet: Bool
        let field: String
        var value = "1"
        /// The term that must still be on; empty for any.
        var term = ""
        /// Whom it concerns, for the history.
        var subject = ""
        let reason: String
    }

    /// - Parameter now: Server time, ms: what makes one order differ from the one before.
    func entry(now: Int64) -> Entry {
        switch self {
        case .drain(let name, let isOn):
            Entry(
                isSet: isOn, field: Orders.drain + name, subject: name,
                reason: isOn ? "asked to drain" : "asked to take shards again")
        case .pause(let tier, let isOn):
            Entry(
                isSet: isOn, field: Orders.pause + tier.name,
                reason: isOn ? "\(tier.name) paused" : "\(tier.name) resumed")
        case .stepDown(let leader):
            Entry(
                isSet: true, field: Orders.stepDown, value: leader.term, term: leader.term,
                subject: leader.node, reason: "asked to step down")
        case .rebalance:
            Entry(
                isSet: true, field: Orders.rebalance, value: String(now),
                reason: "asked for balance at once")
        }
    }
}

extension Deployment {
    /// Writes down what an operator asks for; nodes learn it with their next heartbeat, which this
    /// wakes.
    ///
    /// - Returns: whether that changed something.
    /// - Errors: `.question` when the term that is to end has ended.
    public func give(_ order: Order) async throws(ServiceError) -> Bool {
        let entry = order.entry(now: try await serverTime())
        let reply: RedisValue
        do throws(RedisError) {
            reply = try await cluster.run(
                ScriptLibrary.order,
                keys: [
                    RedisKeys.orders, RedisKeys.lease, RedisKeys.audit, RedisKeys.controlGuard,
                ],
                arguments: [
                    .init(entry.isSet ? "set" : "clear"), .init(entry.field), .init(entry.value),
                    .init(entry.term), .init(entry.subject), .init(entry.reason),
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
