public import CoordinatorCore
public import EventLoop
public import RedisClient

/// One `coordinator run` process: waits for the lease, works while it holds it, and stops by
/// itself.
///
/// - Thread: loop only.
@LoopActor public final class Node {
    /// What a node is told when it starts.
    public struct Options: Sendable {
        public var name: String
        public var host: String
        public var lease: Duration = .seconds(3)
        /// Settings to write when Redis holds none (`--init`).
        public var settings: DeploymentSettings?
        public var sources: [String] = []

        /// Options with the documented defaults.
        public init(name: String, host: String) {
            self.name = name
            self.host = host
        }
    }

    private let cluster: RedisCluster
    private let options: Options
    private let log: NodeLog
    private let nonce: String
    private var office: Office?
    private var isStopping = false
    private var nap: LoopNap?

    /// A node that has not begun; the cluster stays the caller's.
    public init(_ cluster: RedisCluster, _ options: Options, log: NodeLog) {
        self.cluster = cluster
        self.options = options
        self.log = log
        nonce = Self.randomNonce()
    }

    /// Name and incarnation: a node started twice with one name is two nodes.
    public var id: String { "\(options.name)/\(nonce.prefix(8))" }

    /// Ends the work in an orderly way: no new work, what is in flight ends, the lease is given
    /// back.
    public func stop() {
        isStopping = true
        office?.stop()
        nap?.wake()
    }

    /// Works until stopped. Redis being away is no reason to exit.
    ///
    /// - Errors: only what no waiting mends: other settings, unreadable settings, wrong password.
    public func run() async throws(ServiceError) {
        log.event(.info, "started", [("id", id), ("version", Version.text)])
        guard let deployment = try await findDeployment() else { return }
        let lease = Lease(cluster: cluster, node: id, nonce: nonce, duration: options.lease)
        var above: FencingToken?
        var pause = Backoff()
        while !isStopping {
            do throws(ServiceError) {
                let sentAt = loopNow()
                switch try await lease.grant(above: above) {
                case .others(let holder):
                    log.change("standby", "lease", holder?.node ?? "nobody", level: .info)
                    await sleep(
                        .milliseconds(holder?.remainingMilliseconds ?? 100)
                            * Double.random(in: 1...1.1))
                case .mine(let held):
                    pause.reset()
                    above = try await work(deployment, lease, held, grantedAt: sentAt)
                }
            } catch {
                guard Self.isPassing(error) else { throw error }
                log.change("redis", "lease", "\(error)")
                await sleep(pause.next())
            }
        }
        log.event(.info, "stopped", [("id", id)])
    }

    /// Works under one term. Returns the token to be above when a shard was found held by a greater
    /// one.
    private func work(
        _ deployment: Deployment, _ lease: Lease, _ held: Lease.Held, grantedAt: MonotonicInstant
    ) async throws(ServiceError) -> FencingToken? {
        log.event(.info, "elected", [("token", held.token.text)])
        let office = Office(
            deployment, lease, held.token, node: id, host: options.host, log: log,
            grantedAt: grantedAt)
        self.office = office
        defer { self.office = nil }
        if isStopping { office.stop() }
        let outcome = await office.run()
        log.event(.info, "stepped-down", [("reason", outcome.reason)])
        if let fatal = outcome.error, !Self.isPassing(fatal) { throw fatal }
        return outcome.greaterToken
    }

    private func findDeployment() async throws(ServiceError) -> Deployment? {
        var pause = Backoff()
        while !isStopping {
            do throws(ServiceError) {
                if let settings = options.settings {
                    let written = try await Deployment.initialise(
                        cluster, settings, sources: options.sources)
                    if written { log.event(.info, "initialised") }
                }
                return try await Deployment(cluster)
            } catch {
                guard Self.isPassing(error) else { throw error }
                log.change("waiting", "deployment", "\(error)")
                await sleep(pause.next())
            }
        }
        return nil
    }

    private static func isPassing(_ error: ServiceError) -> Bool {
        switch error {
        case .notInitialised, .fenced, .timedOut: true
        case .redis(let error):
            switch error {
            case .authentication, .permission, .configuration: false
            default: true
            }
        case .settings, .settingsDiffer, .unreadable, .otherSettings, .question: false
        }
    }

    private func sleep(_ duration: Duration) async {
        guard !isStopping else { return }
        let nap = LoopNap()
        self.nap = nap
        await nap.sleep(duration)
        self.nap = nil
    }

    private static func randomNonce() -> String {
        let text = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: FencingToken.nonceLength - text.count) + text
    }
}
