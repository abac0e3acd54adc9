import CoordinatorCore
import Testing

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "ISO-8601 with a zone is read",
        arguments: [
            ("2024-07-24T21:58:20Z", 1_721_858_300_000), ("1970-01-01T00:00:00Z", 0),
            ("2024-07-24T21:58:20.5Z", 1_721_858_300_500),
            ("2024-07-24t21:58:20,123z", 1_721_858_300_123),
            ("2024-07-24T21:58:20.123999999999Z", 1_721_858_300_123),
            ("2024-07-24T23:58:20+02:00", 1_721_858_300_000),
            ("2024-07-24T23:58:20+0200", 1_721_858_300_000),
            ("2024-07-24T19:58:20-02", 1_721_858_300_000),
            ("2024-07-24 21:58:20+00:00", 1_721_858_300_000),
            ("2024-07-25T03:28:20+05:30", 1_721_858_300_000),
            ("2024-07-24T21:58Z", 1_721_858_280_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000), ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("1969-12-31T23:59:59.999Z", -1), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ])
    func reads(text: String, milliseconds: Int64) {
        #expect(Timestamp(iso8601: text)?.milliseconds == milliseconds)
    }

    @Test(
        "other texts are no time",
        arguments: [
            "", "2024-07-24", "2024-07-24T21:58:20", "2024-07-24T21:58:20z+", "2024-7-24T21:58:20Z",
            "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:61Z",
            "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+01:60",
            "2024-01-01T00:00:00+1:00", "2024-01-01T00:00:00+01:", "2024-01-01T00:00:00+010",
            "20240101T000000Z", "+2024-01-01T00:00:00Z", "+999999999-01-01T00:00:00Z",
            "٢٠٢٤-01-01T00:00:00Z", "2024-01-01T00:00:00Z ", " 2024-01-01T00:00:00Z", "T", "Z", "-",
            "2024-01-01T00:00Z0", "2024-01-01T00Z",
        ])
    func refused(text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    @Test(
        "the fraction is written only when there is one",
        arguments: [
            (1_721_858_300_000, "2024-07-24T21:58:20Z"),
            (1_721_858_300_007, "2024-07-24T21:58:20.007Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (253_402_300_800_000, "+010000-01-01T00:00:00Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (Int64.max, "+292278994-08-17T07:12:55.807Z"),
            (Int64.min, "-292275055-05-16T16:47:04.192Z"),
        ])
    func writes(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).iso8601 == text)
        #expect(Timestamp(iso8601: text)?.milliseconds == milliseconds)
    }

    @Test("every time that is written reads as itself", arguments: seeds)
    func inverses(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<5_000 {
            let time = Timestamp(milliseconds: generator.anyInt64())
            #expect(Timestamp(iso8601: time.iso8601) == time)
        }
    }

    @Test("every day of 400 years, a whole cycle, follows the one before")
    func days() throws {
        var (year, month, day) = (1_600, 1, 1)
        let first = try #require(Timestamp(iso8601: "1600-01-01T00:00:00Z")).milliseconds
        for number in 0..<146_097 {
            let text = Timestamp(milliseconds: first + Int64(number) * 86_400_000).iso8601
            let numbers = text.prefix(10).split(separator: "-").compactMap { Int($0) }
            guard numbers == [year, month, day] else {
                Issue.record("day \(number) is \(text), not \(year)-\(month)-\(day)")
                return
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            day += 1
            if day > lengths[month - 1] { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
    }

    @Test(
        "the command line's times are read",
        arguments: [
            ("now", 10_000_000), ("2h", 2_800_000), ("1721858300000", 1_721_858_300_000),
            ("-5", -5),
            ("2024-07-24T21:58:20Z", 1_721_858_300_000), ("0", 0), ("0s", 10_000_000),
        ])
    func commandLine(text: String, milliseconds: Int64) {
        let now = Timestamp(milliseconds: 10_000_000)
        #expect(Timestamp(parsing: text, now: now)?.milliseconds == milliseconds)
    }

    @Test(
        "other texts are no time on the command line",
        arguments: ["", "NOW", "2x", "yesterday", "-2h"])
    func commandLineRefused(text: String) {
        #expect(Timestamp(parsing: text, now: Timestamp(milliseconds: .min)) == nil)
    }

    @Test("a span back from before all time is no time")
    func overflow() {
        #expect(Timestamp(parsing: "1h", now: Timestamp(milliseconds: .min)) == nil)
    }
}
