public import CoordinatorCore
public import EventLoop
import FoundationEssentials
public import Hashing
public import RedisClient

/// A deployment as one process sees it: the cluster, the settings that hold in it, and the keys and
/// arguments that follow from them.
///
/// - Thread: loop only.
@LoopActor public final class Deployment {
    /// What is stored under `K:SETTINGS::{control}::`.
    struct Stored: Codable {
        let settings: DeploymentSettings
        /// Server time of `init`, ms; `--start now` means this moment.
        let initialisedAt: Int64
    }

    /// Figures of series are kept this long: a week can be compared with the week before, for a
    /// month.
    static let seriesRetentionMilliseconds: Int64 = 35 * 86_400_000
    /// Most records have few samples, and a chunk is taken whole: measured 1.5 KB against 4.6 KB a
    /// series.
    static let seriesChunkBytes: Int64 = 128
    /// Series of coarse tiers have few samples for as long as they are kept: half of that is
    /// measured a tenth less memory where there are up to 24, and not more before some hundred.
    static let shortSeriesChunkBytes: Int64 = 64
    /// From so many windows on a series is no short one.
    static let shortSeriesWindows: Int64 = 1_000

    public let cluster: RedisCluster
    public let settings: DeploymentSettings
    public let layout: ShardLayout
    public let ladder: Ladder
    public let initialisedAt: Int64
    let rules: EventRules
    /// The settings' digest as every shard stores it.
    let stamp: String
    /// The key under which device ids are stored; nil before ``use(_:)``, or without one.
    private var deviceKey: DeviceKey?
    let packedLadder: [UInt8]
    let packedSeries: [UInt8]

    static let controlSlot = HashSlot(key: RedisKeys.settings)

    /// Reads the deployment's settings.
    ///
    /// - Errors: `.notInitialised`, `.unreadable`, `.redis`.
    public init(_ cluster: RedisCluster) async throws(ServiceError) {
        let reply = try await cluster.ask(
            ["GET", .init(RedisKeys.settings)], slot: Self.controlSlot)
        guard case .string(let bytes) = reply else { throw .notInitialised }
        let stored = try Self.decode(bytes)
        do throws(SettingsError) {
            settings = try stored.settings.validated()
            layout = try settings.layout()
            ladder = try settings.ladder()
            rules = try settings.eventRules(hasher: SHA1Hasher())
        } catch {
            throw .settings(error)
        }
        self.cluster = cluster
        initialisedAt = stored.initialisedAt
        stamp = settings.digest(by: SHA1Hasher()).hex
        packedLadder = Self.pack(ladder, settings)
        packedSeries = Self.packSeries(ladder, settings)
    }

    /// Makes this process store device ids as the deployment does; before it writes any.
    ///
    /// - Errors: `.deviceKey` when the deployment has another key, or one where none is given, or
    ///   none where one is.
    public func use(_ key: DeviceKey?) throws(ServiceError) {
        guard key?.name == settings.deviceKey else {
            throw .deviceKey(given: key?.name, stored: settings.deviceKey)
        }
        deviceKey = key
    }

    /// What replaces the device ids of a source; nil where they are stored as they stand there.
    ///
    /// Only trackers write ids as they are: imports, copies and dead letters were keyed on their
    /// way in, and keying them again would make every device another one.
    func deviceHasher(for kind: SourceRecord.Kind) -> DeviceHasher? {
        kind == .live ? deviceHasher : nil
    }

    /// What replaces device ids on their way in.
    var deviceHasher: DeviceHasher? {
        precondition(
            settings.deviceKey == deviceKey?.name,
            "device ids are written before their key is known")
        return deviceKey.map { DeviceHasher($0) }
    }

    /// Writes settings where there are none; the same again is no change.
    ///
    /// - Returns: whether this call wrote them.
    /// - Errors: `.settingsDiffer` with a sentence for each difference; nothing is changed then.
    public static func initialise(
        _ cluster: RedisCluster, _ wanted: DeploymentSettings, sources: [String]
    ) async throws(ServiceError) -> Bool {
        let settings: DeploymentSettings
        do throws(SettingsError) { settings = try wanted.validated() } catch {
            throw .settings(error)
        }
        let now = try await serverTime(cluster)
        let text = encode(Stored(settings: settings, initialisedAt: now))
        let key = RedisArgument(RedisKeys.settings)
        let reply = try await cluster.ask(["SET", key, .init(text), "NX"], slot: controlSlot)
        if case .null = reply {
            let held = try await cluster.ask(["GET", key], slot: controlSlot)
            guard case .string(let bytes) = held else { throw .notInitialised }
            let differences = settings.differences(from: try decode(bytes).settings)
            guard differences.isEmpty else { throw .settingsDiffer(differences) }
        }
        for source in sources {
            try await SourceRegistry(cluster).add(live: source, at: now)
        }
        if case .null = reply { return false }
        return true
    }

    /// The clock of the control slot's master, ms.
    public func serverTime() async throws(ServiceError) -> Int64 {
        try await Self.serverTime(cluster)
    }

    private static func serverTime(_ cluster: RedisCluster) async throws(ServiceError) -> Int64 {
        try milliseconds(try await cluster.ask(["TIME"], slot: controlSlot))
    }

    /// The time of a reply of TIME, ms.
    static func milliseconds(_ time: RedisValue) throws(ServiceError) -> Int64 {
        guard let parts = time.items, parts.count == 2,
            let seconds = parts[0].text.flatMap(Int64.init),
            let micros = parts[1].text.flatMap(Int64.init)
        else { throw .redis(.protocolViolation(endpoint: "TIME", reason: "two numbers expected")) }
        return seconds * 1_000 + micros / 1_000
    }

    /// The first window that rotation takes, ms; what is earlier is folded.
    var start: Int64 {
        switch settings.start {
        case .now: initialisedAt
        case .oldest: 0
        case .time(let time): time
        }
    }

    /// The shard that keeps a source's ledger: the one that owns the stream's slot.
    func ownShard(of source: String) -> ShardID {
        layout.shard(of: HashSlot(key: source))
    }

    private static func pack(_ ladder: Ladder, _ settings: DeploymentSettings) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.array(1 + ladder.tiers.count * 3)
        writer.integer(settings.outageAllowanceMilliseconds)
        for tier in ladder.tiers {
            writer.text(tier.name)
            writer.integer(tier.lengthMilliseconds)
            writer.integer(tier.keepMilliseconds)
        }
        return writer.bytes
    }

    private static func packSeries(_ ladder: Ladder, _ settings: DeploymentSettings) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.array(3 + ladder.tiers.count * 2)
        writer.integer(seriesRetentionMilliseconds)
        writer.integer(seriesChunkBytes)
        writer.integer(settings.seriesLabels == .compact ? 1 : 0)
        for tier in ladder.tiers {
            writer.text(tier.name)
            let windows = seriesRetentionMilliseconds / tier.lengthMilliseconds
            writer.integer(windows < shortSeriesWindows ? shortSeriesChunkBytes : seriesChunkBytes)
        }
        return writer.bytes
    }

    private static func encode(_ stored: Stored) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(stored)) } catch {
            preconditionFailure("settings could not be encoded: \(error)")
        }
    }

    private static func decode(_ bytes: [UInt8]) throws(ServiceError) -> Stored {
        do { return try JSONDecoder().decode(Stored.self, from: Data(bytes)) } catch {
            throw .unreadable(key: RedisKeys.settings, detail: "\(error)")
        }
    }
}

extension RedisCluster {
    /// A call whose failure is a `ServiceError`, and whose error reply is one, too.
    func ask(
        _ arguments: [RedisArgument], slot: HashSlot, timeout: Duration? = nil
    ) async throws(ServiceError) -> RedisValue {
        do throws(RedisError) {
            return try await call(arguments, slot: slot, timeout: timeout)
        } catch {
            throw .redis(error)
        }
    }
}
