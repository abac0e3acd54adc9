import CoordinatorCore
import EventLoop
import RedisClient

/// Keeps the search indexes complete, for as long as its node leads.
///
/// It looks every five seconds, and at once when the client has learnt another topology: one
/// command to each master when nothing changed. Two nodes that both believe to lead do no harm, see
/// ``IndexPlanner``.
///
/// - Not guaranteed: an index at every moment. After a failover or a migration questions may be
///   answered without some pages for as long as Redis takes to index them; they say so.
/// - Thread: loop only.
@LoopActor final class IndexKeeper {
    /// The definition of an index is gone or useless only after somebody changed the cluster.
    private static let settledInterval: Duration = .seconds(5)
    /// While something is missing or being filled.
    private static let busyInterval: Duration = .milliseconds(500)
    /// Making an index begins a scan and returns.
    private static let timeout: Duration = .seconds(5)

    private let cluster: RedisCluster
    private let log: NodeLog
    private var isLooking = false
    private var isSettled = false
    private var lookedAt: MonotonicInstant?
    private var seen: [RedisMaster] = []
    /// Indexes that held everything when they were asked, by the master's own id.
    private var complete: Set<Complete> = []

    private struct Complete: Hashable {
        let master: String
        let name: SearchIndexName
    }

    init(_ cluster: RedisCluster, log: NodeLog) {
        self.cluster = cluster
        self.log = log
    }

    /// Called with each heartbeat of a leader; looks when it is time to.
    func look() {
        guard !isLooking else { return }
        let interval = isSettled ? Self.settledInterval : Self.busyInterval
        let isDue = lookedAt.map { loopNow() - $0 >= interval } ?? true
        guard isDue || cluster.masters != seen else { return }
        isLooking = true
        spawn {
            await self.reconcile()
            self.lookedAt = loopNow()
            self.isLooking = false
        }
    }

    private func reconcile() async {
        do throws(RedisError) {
            // A slot without a shard may have moved, which no other request would notice.
            try await cluster.refreshTopology()
        } catch {
            isSettled = false
            return log.change("indexes", "topology", "\(error)")
        }
        seen = cluster.masters
        let known = complete
        let survey = await IndexSurvey.make(cluster) { master, name in
            known.contains(Complete(master: master.redisNodeID, name: name))
        }
        for sentence in survey.missing { log.change("indexes", "survey", sentence) }
        let (plan, masters) = survey.plan
        var isDone = survey.missing.isEmpty
        for directive in plan.directives where await !carryOut(directive, masters) {
            isDone = false
        }
        note(survey, plan, masters)
        isSettled = isDone && plan.isSettled
    }

    /// - Returns: whether it was done, or need not be done any more.
    private func carryOut(
        _ directive: IndexPlanner.Directive, _ masters: [RedisMaster]
    ) async -> Bool {
        let (name, number, command): (SearchIndexName, Int, [RedisArgument]) =
            switch directive {
            case .create(let name, let master):
                (name, master, IndexDefinition.creation(name))
            case .drop(let name, let master):
                (name, master, ["FT.DROPINDEX", .init(name.text)])
            }
        let endpoint = masters[number].endpoint
        let event = command[0] == "FT.CREATE" ? "index-made" : "index-dropped"
        do throws(RedisError) {
            _ = try await cluster.call(command, on: endpoint, lane: .reading, timeout: Self.timeout)
            log.event(.info, event, [("index", name.text), ("master", "\(endpoint)")])
            return true
        } catch .server(_, let message, _) where Self.isDoneAlready(message) {
            return true
        } catch {
            log.change("indexes", "\(name) at \(endpoint)", "\(error)")
            return false
        }
    }

    /// Another leader was faster.
    private static func isDoneAlready(_ message: String) -> Bool {
        let text = message.lowercased()
        return text.contains("already exists") || text.contains("unknown index")
    }

    private func note(
        _ survey: IndexSurvey, _ plan: IndexPlanner.Plan, _ masters: [RedisMaster]
    ) {
        for master in survey.masters {
            for index in master.indexes ?? [] where index.filled == 1 {
                let entry = Complete(master: master.master.redisNodeID, name: index.name)
                guard complete.insert(entry).inserted else { continue }
                log.event(
                    .info, "index-complete",
                    [
                        ("index", index.name.text), ("master", "\(master.master.endpoint)"),
                        ("documents", index.documents.map { "\($0)" } ?? "unknown"),
                    ])
            }
        }
        // Dropped and made again, it begins empty.
        let listed = Set(
            survey.masters.flatMap { master in
                (master.indexes ?? []).map {
                    Complete(master: master.master.redisNodeID, name: $0.name)
                }
            })
        let silent = Set(survey.masters.filter { $0.indexes == nil }.map(\.master.redisNodeID))
        complete = complete.filter { listed.contains($0) || silent.contains($0.master) }
        for case .drop(let name, let number) in plan.stranded {
            log.change(
                "indexes", name.text,
                "no longer used at \(masters[number].endpoint), and Redis drops it only when slot "
                    + "\(name.slot) is back there")
        }
    }
}
