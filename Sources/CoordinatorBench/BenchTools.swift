import CoordinatorCore
import EventLoop
import FoundationEssentials
import Glibc
import RedisClient
import SecureStream
import Terminal

/// The cluster under measurement.
@LoopActor struct BenchCluster {
    let cluster: RedisCluster

    /// Connects, and makes sure that nothing of anybody's is overwritten.
    init(_ arguments: ParsedArguments) async throws(BenchError) {
        do throws(RedisError) {
            let urls = arguments.texts("redis-url")
            guard !urls.isEmpty else {
                throw RedisError.configuration("name the cluster with --redis-url or REDIS_URL")
            }
            var configuration = try RedisConfiguration(urls: urls)
            if configuration.tls != nil {
                var options = TLSOptions()
                options.authorityFile = arguments.text("cacert")
                configuration.tls = try RedisConfiguration.secure(options)
            }
            configuration.commandTimeout = .seconds(60)
            cluster = RedisCluster(configuration)
            try await cluster.start()
            if arguments.flag("flush") {
                try await flush()
            } else {
                for master in cluster.masters {
                    let size = try await cluster.call("DBSIZE", on: master.endpoint)
                    guard size.int == 0 else {
                        throw RedisError.configuration(
                            "\(master.endpoint) is not empty: --flush empties the cluster")
                    }
                }
            }
        } catch {
            throw BenchError(message: "\(error)")
        }
    }

    func flush() async throws(RedisError) {
        for master in cluster.masters {
            _ = try await cluster.call("FLUSHALL", on: master.endpoint)
        }
    }

    /// The clock of one master, ms: windows of recent traffic are kept, those of old traffic
    /// expire.
    func serverTime() async throws(BenchError) -> Int64 {
        guard let master = cluster.masters.first else { throw BenchError(message: "no master") }
        do throws(RedisError) {
            let time = try await cluster.call("TIME", on: master.endpoint).items ?? []
            return (time.first?.int ?? 0) * 1_000
        } catch {
            throw BenchError(message: "\(error)")
        }
    }

    /// CPU that all masters have used, in seconds.
    func redisCPU() async throws(BenchError) -> Double {
        try await info("cpu", ["used_cpu_sys", "used_cpu_user"])
    }

    /// Memory that all masters use, in bytes.
    func redisMemory() async throws(BenchError) -> Int64 {
        Int64(try await info("memory", ["used_memory"]))
    }

    /// The sum of some figures of INFO over all masters.
    private func info(_ section: String, _ names: Set<String>) async throws(BenchError) -> Double {
        var total = 0.0
        for master in cluster.masters {
            let reply: RedisValue
            do throws(RedisError) {
                reply = try await cluster.call("INFO", .init(section), on: master.endpoint)
            } catch {
                throw BenchError(message: "\(error)")
            }
            for line in (reply.text ?? "").split(separator: "\r\n") {
                let parts = line.split(separator: ":")
                guard parts.count == 2, names.contains(String(parts[0])) else { continue }
                total += Double(parts[1]) ?? 0
            }
        }
        return total
    }

    /// Runs a body and measures wall time, this process's and Redis's CPU, in seconds.
    func measure(_ body: @LoopActor () async throws(BenchError) -> Void) async throws(BenchError)
        -> Cost
    {
        let redis = try await redisCPU()
        let own = ProcessCost.cpu()
        let began = loopNow()
        try await body()
        let wall = seconds(loopNow() - began)
        return Cost(wall: wall, own: ProcessCost.cpu() - own, redis: try await redisCPU() - redis)
    }

    struct Cost {
        let wall: Double
        let own: Double
        let redis: Double
    }

    /// Sends commands without waiting for each, at most `depth` under way.
    func pipeline(
        _ count: Int, depth: Int = 4_000,
        _ command: @escaping @LoopActor (Int) -> (RedisCommand, HashSlot)
    ) async throws(BenchError) {
        let box = PipelineBox()
        var next = 0
        while next < count {
            while box.underWay >= depth {
                await withCheckedContinuation { box.waiter = $0 }
            }
            let (bytes, slot) = command(next)
            next += 1
            box.underWay += 1
            cluster.send(bytes, slot: slot) { result in
                box.underWay -= 1
                if case .failure(let error) = result, box.failure == nil {
                    box.failure = "\(error)"
                }
                if case .success(let reply) = result, reply.kind == .error, box.failure == nil {
                    box.failure = "\(reply.decoded())"
                }
                if box.underWay <= depth / 2 { box.wake() }
            }
        }
        while box.underWay > 0 { await withCheckedContinuation { box.waiter = $0 } }
        if let failure = box.failure { throw BenchError(message: failure) }
    }

    private final class PipelineBox {
        var underWay = 0
        var waiter: CheckedContinuation<Void, Never>?
        var failure: String?

        func wake() {
            waiter?.resume()
            waiter = nil
        }
    }

    nonisolated func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}

/// What this process used.
enum ProcessCost {
    /// CPU seconds, user and system.
    static func cpu() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// The most memory it had, bytes.
    static func peakMemory() -> Int64 {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Int64(usage.ru_maxrss) * 1_024
    }
}

/// A result as a table for people and one JSON document for programs.
struct BenchReport {
    private(set) var rows: [(name: String, value: Double, unit: String, remark: String)] = []

    mutating func add(_ name: String, _ value: Double, _ unit: String, _ remark: String = "") {
        rows.append((name, value, unit, remark))
    }

    func show(_ arguments: ParsedArguments) {
        var table = Table([
            TableColumn("MEASURED", isElastic: true), TableColumn("FIGURE", .trailing),
            TableColumn("UNIT"),
            TableColumn("REMARK", isElastic: true),
        ])
        for row in rows {
            let digits =
                row.value >= 1_000
                ? NumberText.grouped(Int64(row.value)) : NumberText.decimal(row.value)
            table.append([
                TableCell(row.name), TableCell(digits), TableCell(row.unit), TableCell(row.remark),
            ])
        }
        let value = JSONValue.object(
            rows.map {
                .init(
                    $0.name,
                    .object([.init("value", .number($0.value)), .init("unit", .string($0.unit))]))
            })
        let terminal = TerminalInfo(
            descriptor: STDOUT_FILENO, environment: ProcessEnvironment.read())
        let style = RenderingStyle(
            format: OutputFormat(rawValue: arguments.requiredText("output")) ?? .table,
            width: max(100, terminal.width))
        CoordinatorBench.write(Document(value, table: table).text(style), to: .standardOutput())
    }
}
