import Metrics
import Testing

@Suite("Metrics as Prometheus reads them")
struct MetricsTests {
    @Test("counters have a type, a help, labels in order and a place for what is too many")
    func counters() {
        var family = CounterFamily(
            "a_total", "What is\ncounted \\ here.", labels: ["x", "y"], known: [["1", "2"]])
        family.add("q\"\\\n", "z", by: 3)
        var text = MetricsText()
        text.counters(family)
        #expect(
            text.text == """
                # HELP a_total What is\\ncounted \\\\ here.
                # TYPE a_total counter
                a_total{x="1",y="2"} 0
                a_total{x="q\\"\\\\\\n",y="z"} 3

                """)
        for number in 0..<1_000 { family.add("\(number)", "") }
        #expect(family.values.count == CounterFamily.mostSeries + 1)
        #expect(family.values[["other", "other"]] ?? 0 > 700)
        #expect(family.total == 1_003)
    }

    @Test("a histogram's buckets are cumulative, and its last one holds all")
    func histograms() {
        var family = HistogramFamily("b_seconds", "Time.", labels: ["k"], bounds: [0.1, 1])
        for milliseconds in [50, 100, 900, 5_000] {
            family.observe("v", span: .milliseconds(milliseconds))
        }
        var text = MetricsText()
        text.histograms(family)
        #expect(
            text.text == """
                # HELP b_seconds Time.
                # TYPE b_seconds histogram
                b_seconds_bucket{k="v",le="0.1"} 2
                b_seconds_bucket{k="v",le="1"} 3
                b_seconds_bucket{k="v",le="+Inf"} 4
                b_seconds_sum{k="v"} 6.05
                b_seconds_count{k="v"} 4

                """)
    }

    @Test("what is not known is not written")
    func unknown() {
        var text = MetricsText()
        text.gauge("c", "Something.", nil)
        #expect(text.text.isEmpty)
        text.gauge("c", "Something.", 1.5)
        text.gauge("d", "More.", labels: ["l"], [(["a"], 1), (["b"], 1e300)])
        #expect(
            text.text == """
                # HELP c Something.
                # TYPE c gauge
                c 1.5
                # HELP d More.
                # TYPE d gauge
                d{l="a"} 1
                d{l="b"} 1e+300

                """)
    }
}
