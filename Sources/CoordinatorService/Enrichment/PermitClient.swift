import CoordinatorCore
import EventLoop
import Hashing
import RedisClient

/// Asks the control slot for places in the sequence of requests of all nodes.
///
/// A bucket in the control slot, and not a share for each node: shares follow from who is there,
/// and while nodes come and go two of them may see different nodes. The slot gives each place once,
/// whoever asks. A grant counts only when a replica holds it, where there is one: else a master
/// that was replaced could give places that its successor gives, too.
///
/// - Not guaranteed: that nothing is granted twice when a master without a replica loses its data,
///   or when the clock of the control slot's master jumps ahead.
/// - Thread: loop only.
@LoopActor final class PermitClient {
    /// A grant that takes longer is of no use.
    private static let timeout: Duration = .seconds(1)
    private static let confirmWithin: Duration = .milliseconds(500)
    /// A slot is not to be over before the answer is there: this many times the last answer's way.
    private static let leadFactor: Int64 = 2
    private static let longestLead: Duration = .milliseconds(500)
    /// A permit of a node that died outlives its request by this.
    private static let margin: Duration = .seconds(2)

    private let cluster: RedisCluster
    private let settings: EnrichmentSettings
    private let nonce: String
    private let keys: [String]
    private var count: UInt64 = 0
    private var lastWay: Duration = .milliseconds(5)

    init(_ cluster: RedisCluster, _ settings: EnrichmentSettings, nonce: String) {
        self.cluster = cluster
        self.settings = settings
        self.nonce = nonce
        let place = "\(settings.template.host):\(settings.template.port)"
        let id = Array(place.utf8).withUnsafeBytes { SHA1Hasher().recordID(of: $0) }
        keys = [
            RedisKeys.requestSequence(id), RedisKeys.requestPermits(id), RedisKeys.nodes,
            RedisKeys.controlGuard,
        ]
    }

    /// Gives permits back and asks for others.
    ///
    /// - Errors: a grant that no replica confirmed is none.
    func ask(
        _ wanted: Int, released: [RequestPermit.ID]
    ) async throws(ServiceError) -> PermitGrant {
        let slot = Deployment.controlSlot
        let waits = (cluster.master(of: slot)?.replicaCount ?? 0) > 0
        count += 1
        let prefix = "\(nonce)-\(count)-"
        let sentAt = loopNow()
        let answer: (reply: RedisValue, acknowledged: Int)
        do throws(RedisError) {
            answer = try await cluster.runDurably(
                ScriptLibrary.permit, keys: keys,
                arguments: arguments(prefix, wanted, released), slot: slot,
                waitReplicas: waits && wanted > 0 ? 1 : 0, waitTimeout: Self.confirmWithin,
                timeout: Self.timeout)
        } catch {
            throw .redis(error)
        }
        let receivedAt = loopNow()
        guard let items = answer.reply.items, items.count == 4, let granted = items[0].int,
            let first = items[1].int, let again = items[2].int, let online = items[3].int
        else {
            throw .redis(
                .protocolViolation(endpoint: keys[0], reason: "unexpected reply of a script"))
        }
        if granted > 0 { try await confirm(waits, answer.acknowledged, online) }
        lastWay = receivedAt - sentAt
        return PermitGrant(
            sentAt: sentAt, receivedAt: receivedAt, firstAfter: first,
            permits: (0..<granted).map { RequestPermit.ID("\(prefix)\($0)") },
            askAgainAfter: .milliseconds(again))
    }

    private func confirm(
        _ waits: Bool, _ acknowledged: Int, _ online: Int64
    ) async throws(ServiceError) {
        guard waits ? acknowledged < 1 : online > 0 else { return }
        do throws(RedisError) { try await cluster.refreshTopology() } catch {
            throw .redis(error)
        }
        throw .redis(
            .clusterDown(
                message: "no replica of the control slot's master confirmed permits for requests"))
    }

    private func arguments(
        _ prefix: String, _ wanted: Int, _ released: [RequestPermit.ID]
    ) -> [RedisArgument] {
        var names = MessagePackWriter()
        names.array(released.count)
        for permit in released { names.text(permit.text) }
        let rate = settings.rate
        let width = Duration.microseconds(rate.slotMicroseconds)
        let lead = min(Self.longestLead, lastWay * Int(Self.leadFactor))
        let life = width + settings.timeout + Self.margin
        return [
            .init(prefix), .init(wanted), .init(rate.periodMicroseconds),
            .init(settings.concurrency), .init(Int64(lead / .microseconds(1))),
            .init(life.wholeMilliseconds), .init(names.bytes),
        ]
    }
}
