import CoordinatorCore
import EventLoop
import Metrics

/// Counting what a node's requests brought.
extension Node {
    /// Asks for the lease and counts what came of it: this node holds it, another one does, or
    /// nobody answered.
    func counted(
        _ family: ReferenceWritableKeyPath<NodeMetrics, CounterFamily>,
        _ body: @LoopActor () async throws(ServiceError) -> LeaseAnswer
    ) async throws(ServiceError) -> LeaseAnswer {
        do throws(ServiceError) {
            let answer = try await body()
            let won = family == \NodeMetrics.elections ? "won" : "ok"
            metrics[keyPath: family].add(answer.holder?.node == id ? won : "lost")
            return answer
        } catch {
            metrics[keyPath: family].add("failed")
            throw error
        }
    }

    /// Publishes a map and counts what came of it.
    func countedPublication(
        _ body: @LoopActor () async throws(ServiceError) -> FencingToken?
    ) async throws(ServiceError) -> FencingToken? {
        do throws(ServiceError) {
            let version = try await body()
            metrics.publications.add(version == nil ? "refused" : "published")
            if version == nil { metrics.fenced.add("publish") }
            return version
        } catch {
            metrics.publications.add("failed")
            throw error
        }
    }

    /// Sends a heartbeat and counts one that was not answered.
    func countedBeat(
        _ body: @LoopActor () async throws(ServiceError) -> ControlClient.HeartbeatReply
    ) async throws(ServiceError) -> ControlClient.HeartbeatReply {
        do throws(ServiceError) { return try await body() } catch {
            metrics.heartbeats.add("failed")
            throw error
        }
    }

    /// Keeps what a heartbeat said for probes and figures.
    func remember(_ beat: ControlClient.Beat) {
        metrics.heartbeats.add("ok")
        lastBeat = LastBeat(
            at: loopNow(), serverTime: beat.answer.serverTime,
            isDrained: beat.answer.orders.drained.contains(options.name),
            term: beat.answer.lease.holder?.token, nodes: beat.nodes.records,
            pausedTiers: beat.pausedTiers)
    }

    /// Counts a map that is another than before.
    func noteMap(since version: FencingToken?) {
        guard let now = map?.version, now != version else { return }
        mapLearntAt = loopNow()
        metrics.mapChanges.add()
    }
}
