import CoordinatorCore
import Testing

@Suite("Ladders")
struct LadderTests {
    @Test("the standard ladder is the original's")
    func standard() throws {
        let ladder = try Ladder(parsing: "1m,5m/30m,10m/1h,1h/24h,3h/7d")
        #expect(ladder == .standard)
        #expect(ladder.text == "1m,5m/30m,10m/1h,1h/24h,3h/7d")
        #expect(
            ladder.tiers.map(\.name) == ["1MINUTE", "5MINUTES", "10MINUTES", "1HOUR", "3HOURS"])
        #expect(ladder.tiers.map(\.index) == [0, 1, 2, 3, 4])
        #expect(ladder.base.keepMilliseconds == 0)
        #expect(ladder.top.name == "3HOURS")
        #expect(ladder.longestKeepMilliseconds == 604_800_000)
        let kept = ladder.tiers.dropFirst().map { $0.keepMilliseconds / $0.lengthMilliseconds }
        #expect(kept == [6, 6, 24, 56])
        #expect(ladder.tier(named: "1HOUR") == ladder.tiers[3])
        #expect(ladder.tier(named: "2HOURS") == nil)
    }

    @Test(
        "a tier is named after its length",
        arguments: [
            ("1s,5s/1m", "5SECONDS"), ("1m,1d/7d", "1DAY"), ("1m,24h/7d", "1DAY"),
            ("1m,90m/2h", "90MINUTES"), ("1h,36h/2d", "36HOURS"), ("1s,1m1s/2m", "61SECONDS"),
            ("1500ms,3s/3s", "3SECONDS"), ("1500ms,4500ms/5s", "4500MILLISECONDS"),
            ("1d,7d/7d", "7DAYS"),
        ])
    func names(text: String, name: String) throws {
        #expect(try Ladder(parsing: text).top.name == name)
    }

    @Test("each way to write a ladder gives the one canonical text")
    func canonical() throws {
        let ladder = try Ladder(parsing: "60s,300s/1800000ms,10m/60m,60m/1d,180m/168h")
        #expect(ladder.text == Ladder.standard.text)
        #expect(try Ladder(parsing: ladder.text) == ladder)
    }

    @Test(
        "a ladder that cannot work is refused with what is wrong",
        arguments: [
            ("", SettingsError.tierCount(1)), ("1m", .tierCount(1)),
            (
                "1s,2s/4s,4s/8s,8s/16s,16s/32s,32s/64s,64s/128s,128s/256s,256s/512s,512s/1024s,"
                    + "1024s/2048s,2048s/4096s,4096s/8192s", .tierCount(13)
            ),
            ("1m,x/30m", .tierNotReadable(entry: "x/30m")),
            ("x,5m/30m", .tierNotReadable(entry: "x")),
            ("1m,5m/30m/1h", .tierNotReadable(entry: "5m/30m/1h")),
            ("1m,", .tierWithoutKeep(entry: "")),
            ("1m, 5m/30m", .tierNotReadable(entry: " 5m/30m")),
            ("1m/5m,5m/30m", .baseWithKeep(entry: "1m/5m")),
            ("1m,5m", .tierWithoutKeep(entry: "5m")),
            ("999ms,5s/30s", .tierTooShort(entry: "999ms")),
            ("0s,5s/30s", .tierTooShort(entry: "0s")),
            ("1m,5m/4000d", .tierTooLong(entry: "5m/4000d")),
            ("1m,5m/9223372036854775807ms", .tierTooLong(entry: "5m/9223372036854775807ms")),
            ("2m,5m/30m", .tierNotMultiple(tier: "5MINUTES", finer: "2MINUTES")),
            ("5m,5m/30m", .tierNotMultiple(tier: "5MINUTES", finer: "5MINUTES")),
            ("10m,5m/30m", .tierNotMultiple(tier: "5MINUTES", finer: "10MINUTES")),
            ("1m,5m/9m,10m/1h", .keepTooShort(tier: "5MINUTES", neededMilliseconds: 600_000)),
            ("1m,5m/4m", .keepTooShort(tier: "5MINUTES", neededMilliseconds: 300_000)),
        ])
    func refused(text: String, error: SettingsError) {
        #expect(throws: error) { try Ladder(parsing: text) }
    }

    @Test(
        "a window holds its start and not its end, before 1970 too",
        arguments: [
            (0, 0), (299_999, 0), (300_000, 300_000), (-1, -300_000), (-300_000, -300_000),
            (-300_001, -600_000), (1_721_858_300_000, 1_721_858_100_000),
        ])
    func windows(time: Int64, start: Int64) {
        let tier = Ladder.standard.tiers[1]
        #expect(tier.start(of: time) == start)
        #expect(tier.end(of: start) == start + 300_000)
    }

    @Test(
        "every moment is in one window, aligned to the epoch, in one window of the next tier",
        arguments: seeds)
    func alignment(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<2_000 {
            let time = generator.anyInt64() / 2
            for (finer, coarser) in zip(Ladder.standard.tiers, Ladder.standard.tiers.dropFirst()) {
                let start = finer.start(of: time)
                #expect(start % finer.lengthMilliseconds == 0)
                #expect(start <= time && time < finer.end(of: start))
                #expect(coarser.start(of: start) == coarser.start(of: time))
                #expect(finer.end(of: start) <= coarser.end(of: coarser.start(of: time)))
            }
        }
        for tier in Ladder.standard.tiers {
            _ = tier.end(of: tier.start(of: .max))
            _ = tier.start(of: .min)
        }
    }
}
