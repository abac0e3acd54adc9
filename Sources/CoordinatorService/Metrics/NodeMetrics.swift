import EventLoop
import Metrics

/// What a node counts while it works: each number where it happens.
///
/// - Thread: loop only.
@LoopActor final class NodeMetrics {
    var elections = CounterFamily(
        "coordinator_elections_total", "Attempts to take the lease, by result.",
        labels: ["result"], known: [["won"], ["lost"], ["failed"]])
    var renewals = CounterFamily(
        "coordinator_lease_renewals_total", "Renewals of the lease, by result.",
        labels: ["result"], known: [["ok"], ["lost"], ["failed"]])
    var terms = CounterFamily("coordinator_terms_total", "Terms that this node has begun.")
    var termsEnded = CounterFamily(
        "coordinator_terms_ended_total", "Terms of this node that have ended.")
    var heartbeats = CounterFamily(
        "coordinator_heartbeats_total", "Heartbeats of this node, by result.",
        labels: ["result"], known: [["ok"], ["superseded"], ["failed"]])
    var fenced = CounterFamily(
        "coordinator_fenced_writes_total",
        "Writes that were refused because another owner or leader has a newer token.",
        labels: ["operation"], known: [["claim"], ["publish"], ["rotate"], ["enrich"]])
    var claims = CounterFamily(
        "coordinator_shard_claims_total", "Claims of shards, by result.",
        labels: ["result"], known: [["held"], ["refused"], ["failed"]])
    var releases = CounterFamily(
        "coordinator_shard_releases_total", "Shards that this node works on no more.")
    var handOvers = HistogramFamily(
        "coordinator_shard_handover_duration_seconds",
        "Time from learning of a map to working on a shard that it gives this node.",
        bounds: Histogram.work)
    var publications = CounterFamily(
        "coordinator_map_publications_total", "Shard maps that this node published, by result.",
        labels: ["result"], known: [["published"], ["refused"], ["failed"]])
    var mapChanges = CounterFamily(
        "coordinator_map_changes_total", "New shard maps that this node has learnt of.")
    var clockJumps = CounterFamily(
        "coordinator_clock_jumps_total",
        "Times the lease lived longer than any grant: the server's clock was set back.")

    var runs = CounterFamily(
        "coordinator_runs_total",
        "Windows of a shard sealed and merged, by tier and result; faulty: a module refused some.",
        labels: ["tier", "result"])
    var runDurations = HistogramFamily(
        "coordinator_run_duration_seconds",
        "Time from the first to the last step of a window of a shard.", labels: ["tier"],
        bounds: Histogram.work)
    var rotationFailures = CounterFamily(
        "coordinator_rotation_failures_total", "Steps of rotation that were not answered.")

    var read = CounterFamily(
        "coordinator_events_read_total", "Entries read from sources and applied.",
        labels: ["kind"], known: [["live"], ["import"]])
    var counted = CounterFamily(
        "coordinator_events_counted_total", "Entries that were counted.",
        labels: ["kind"], known: [["live"], ["import"]])
    var refused = CounterFamily(
        "coordinator_events_refused_total", "Entries that were refused, by reason.",
        labels: ["reason"])
    var late = CounterFamily(
        "coordinator_late_events_total",
        "Counts that were folded into windows already sealed somewhere, one a record.")
    var visible = HistogramFamily(
        "coordinator_event_visible_delay_seconds",
        "Time from an entry's arrival in the stream to its being counted: the oldest of a batch.",
        bounds: Histogram.work)

    /// Nothing has happened yet.
    init() {}

    func write(into text: inout MetricsText) {
        let counters = [
            elections, renewals, terms, termsEnded, heartbeats, fenced, claims, releases,
            publications, mapChanges, clockJumps, runs, rotationFailures, read, counted, refused,
            late,
        ]
        for family in counters { text.counters(family) }
        for family in [handOvers, runDurations, visible] { text.histograms(family) }
    }
}
