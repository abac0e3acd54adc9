import CoordinatorCore
import Testing

@Suite("Spans of time")
struct TimeSpanTests {
    @Test(
        "a span reads as people write it",
        arguments: [
            ("30m", 1_800_000), ("1h", 3_600_000), ("7d", 604_800_000), ("2s", 2_000),
            ("500ms", 500), ("1h30m", 5_400_000), ("1d2h3m4s5ms", 93_784_005), ("0", 0), ("0s", 0),
            ("90m", 5_400_000), ("24h", 86_400_000), ("007s", 7_000), ("1m1ms", 60_001),
            ("9223372036854775807ms", Int64.max),
        ])
    func reads(text: String, milliseconds: Int64) {
        #expect(TimeSpan.parse(text) == milliseconds)
    }

    @Test(
        "other texts are no span",
        arguments: [
            "", " ", "5", "00", "m", "-5m", "+5m", "5 m", "5M", "1.5h", "1m1h", "1m1m", "1ms1s",
            "5mm",
            "5w", "٥m", "1h30", "9223372036854775808ms", "106751991168d", "99999999999999999999d",
            "106751991167d24h", "1é",
        ])
    func refused(text: String) {
        #expect(TimeSpan.parse(text) == nil)
    }

    @Test(
        "a span is written with the units that people would choose",
        arguments: [
            (0, "0s"), (1, "1ms"), (999, "999ms"), (30_000, "30s"), (5_400_000, "1h30m"),
            (86_400_000, "24h"), (129_600_000, "36h"), (172_800_000, "2d"), (604_800_000, "7d"),
            (176_523_001, "2d1h2m3s1ms"), (-60_000, "-1m"),
            (Int64.min, "-106751991167d7h12m55s808ms"),
        ])
    func writes(milliseconds: Int64, text: String) {
        #expect(TimeSpan.format(milliseconds) == text)
    }

    @Test("every span that is written reads as itself", arguments: seeds)
    func inverses(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<5_000 {
            let span = generator.anyInt64() & .max
            #expect(TimeSpan.parse(TimeSpan.format(span)) == span)
        }
    }
}
