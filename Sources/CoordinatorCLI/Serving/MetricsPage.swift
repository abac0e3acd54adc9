import CoordinatorCore
import CoordinatorService
import EventLoop
import HTTPServer
import Metrics

/// `/metrics`: everything that a node knows, for Prometheus.
///
/// - Thread: loop only.
@LoopActor final class MetricsPage {
    /// A turn of the loop that takes longer than this is late for somebody.
    private static let beat: Duration = .milliseconds(500)
    /// Who asks again within this gets the same: a page takes some ms to write, and whoever asks
    /// more often is no Prometheus.
    private static let lifetime: Duration = .seconds(1)

    private let node: Node
    private let desk: QuestionDesk
    private var lag = HistogramFamily(
        "coordinator_loop_lag_seconds", "How late a timer of the event loop fired.")
    private var requests = CounterFamily(
        "coordinator_http_requests_total", "Requests answered, by route and status.",
        labels: ["route", "code"])
    private var durations = HistogramFamily(
        "coordinator_http_request_duration_seconds", "Time from a request to its answer.")
    private var due = loopNow()
    private var timer: LoopTimer?
    private var kept: (response: HTTPResponse, until: MonotonicInstant)?
    /// The servers whose connections are shown.
    var servers: [HTTPServer] = []

    init(_ node: Node, _ desk: QuestionDesk) {
        self.node = node
        self.desk = desk
        let timer = LoopTimer { [weak self] in self?.tick() }
        self.timer = timer
        due = loopNow() + Self.beat
        timer.start(after: Self.beat)
    }

    func close() {
        timer?.close()
        timer = nil
        servers = []
    }

    private func tick() {
        let now = loopNow()
        lag.observe(span: max(.zero, now - due))
        due = now + Self.beat
        timer?.start(after: Self.beat)
    }

    /// Takes in one answer; routes are those that there are, whatever was asked.
    func note(_ request: HTTPRequest?, _ status: Int, _ span: Duration) {
        let path = request?.target.path ?? ""
        let known =
            QuestionRoute.known[path] != nil || StaticFiles.all[path] != nil
            || ["/livez", "/readyz", "/leader", "/metrics", "/api/v1/live"].contains(path)
        requests.add(known ? path : "other", String(status))
        durations.observe(span: span)
    }

    /// The page, as it is or was just now.
    func response() -> HTTPResponse {
        let now = loopNow()
        if let kept, now < kept.until { return kept.response }
        let response = written()
        kept = (response, now + Self.lifetime)
        return response
    }

    private func written() -> HTTPResponse {
        var text = MetricsText()
        node.writeMetrics(into: &text)
        text.histograms(lag)
        ProcessFigures.write(into: &text)
        text.counters(requests)
        text.histograms(durations)
        writeServers(into: &text)
        return HTTPResponse(
            status: 200, type: MetricsText.contentType, body: Array(text.text.utf8),
            headers: [("Cache-Control", "no-store")])
    }

    private func writeServers(into text: inout MetricsText) {
        func sum(_ part: (HTTPServer) -> Int) -> Double {
            Double(servers.reduce(0) { $0 + part($1) })
        }
        func total(_ part: (HTTPStatistics) -> UInt64) -> UInt64 {
            servers.reduce(0) { $0 &+ part($1.statistics) }
        }
        text.gauge(
            "coordinator_http_connections", "Connections that are open.",
            sum { $0.connectionCount })
        text.gauge(
            "coordinator_http_event_streams", "Event streams that are open.",
            sum { $0.streamCount })
        text.counter(
            "coordinator_http_connections_accepted_total", "Connections taken in.",
            Double(total { $0.accepted }))
        var dropped = CounterFamily(
            "coordinator_http_connections_dropped_total",
            "Connections ended by the node: for room, past a deadline, for not reading.",
            labels: ["reason"])
        dropped.add("room", by: total { $0.evicted })
        dropped.add("deadline", by: total { $0.timedOut })
        dropped.add("slow_stream", by: total { $0.slowStreams })
        text.counters(dropped)
        var rests = CounterFamily(
            "coordinator_http_rests_total",
            "Times a part of HTTP had taken its share of the node's time and had to wait.",
            labels: ["part"])
        rests.add("door", by: total { $0.doorRests })
        rests.add("probes", by: total { $0.probeRests })
        rests.add("requests", by: total { $0.rests })
        rests.add("questions", by: desk.rests)
        text.counters(rests)
    }
}
