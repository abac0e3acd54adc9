import Glibc
import Metrics

/// The process' own figures, by the names that every Prometheus client gives them.
///
/// - Source: Prometheus, "Writing client libraries", process metrics; proc(5).
enum ProcessFigures {
    /// Reads them from `/proc`, which never waits for a disk.
    static func write(into text: inout MetricsText) {
        // Behind the name in brackets, which may hold anything.
        let stat = read("/proc/self/stat")
        let fields = (stat.lastIndex(of: ")").map { stat[stat.index(after: $0)...] } ?? "")
            .split(separator: " ").map { Double($0) ?? 0 }
        guard fields.count > 21 else { return }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        text.counter(
            "process_cpu_seconds_total", "User and system CPU time.",
            (fields[11] + fields[12]) / ticks)
        text.gauge("process_resident_memory_bytes", "Resident memory.", fields[21] * page)
        text.gauge("process_virtual_memory_bytes", "Virtual memory.", fields[20])
        text.gauge(
            "process_start_time_seconds", "When the process began, since 1970.",
            bootTime.map { $0 + fields[19] / ticks })
        text.gauge("process_open_fds", "Open descriptors.", openDescriptors)
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            text.gauge("process_max_fds", "Most descriptors there may be.", Double(limit.rlim_cur))
        }
    }

    private static let bootTime: Double? = {
        let line = read("/proc/stat").split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst(6)) }
    }()

    private static var openDescriptors: Double? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        // Two of them are the folder's own names, one the folder.
        var count = -3
        while readdir(folder) != nil { count += 1 }
        return Double(count)
    }

    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
