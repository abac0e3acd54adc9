import CoordinatorCore
import Testing

@testable import TrafficGenerator

/// FNV-1a of all lines: enough to tell two outputs apart, and the same everywhere.
private func digest(_ options: TrafficOptions) throws -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    var line: [UInt8] = []
    for event in try TrafficGenerator(options) {
        line.removeAll(keepingCapacity: true)
        event.appendLine(to: &line)
        for byte in line { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
    return hash
}

private func small(_ change: (inout TrafficOptions) -> Void = { _ in }) -> TrafficOptions {
    var options = TrafficOptions()
    options.events = 5_000
    options.pages = 500
    options.devices = 800
    change(&options)
    return options
}

@Suite("Generated traffic")
struct TrafficGeneratorTests {
    @Test("the same seed gives the same bytes, on this machine and on any other")
    func sameSeed() throws {
        let mixed = small {
            $0.lateFraction = 0.05
            $0.duplicateFraction = 0.02
            $0.malformedFraction = 0.05
            $0.untimedFraction = 0.01
            $0.includesFuture = true
        }
        let once = try digest(mixed)
        #expect(try digest(mixed) == once)
        // Written down once: another machine, compiler or version must agree or say why not.
        #expect(once == 0x4317_55FC_5DE9_1652)
        #expect(try digest(small { $0.seed = 2 }) != digest(small { $0.seed = 3 }))
    }

    @Test(
        "exactly the events asked for arrive, within the span, and never go back",
        arguments: [
            (0, 1_000), (1, 1_000), (7, 86_400_000), (5_000, 90_001), (5_000, 86_400_000 * 3),
        ] as [(Int, Int64)])
    func arrivals(count: Int, span: Int64) throws {
        let options = small {
            $0.events = count
            $0.spanMilliseconds = span
            $0.startMilliseconds = 1_721_812_345_678
        }
        let arrivals = try TrafficGenerator(options).map(\.arrival)
        #expect(arrivals.count == count)
        #expect(zip(arrivals, arrivals.dropFirst()).allSatisfy { $0 <= $1 })
        let range = options.startMilliseconds..<options.startMilliseconds + span
        #expect(arrivals.allSatisfy(range.contains))
    }

    @Test("late, duplicate and malformed entries come in the parts asked for, of all reasons")
    func parts() throws {
        let options = small {
            $0.events = 20_000
            $0.lateFraction = 0.05
            $0.duplicateFraction = 0.02
            $0.malformedFraction = 0.01
        }
        var late = 0
        var duplicates = 0
        var reasons: [RefusalReason: Int] = [:]
        for event in try TrafficGenerator(options) {
            switch event.kind {
            case .normal: break
            case .late: late += 1
            case .duplicate: duplicates += 1
            case .malformed(let reason): reasons[reason, default: 0] += 1
            }
        }
        // Five standard deviations of each draw.
        #expect((846...1154).contains(late))
        #expect((301...499).contains(duplicates))
        #expect((130...270).contains(reasons.values.reduce(0, +)))
        // Without plays there is nothing that could be wrong with one.
        #expect(Set(RefusalReason.allCases).subtracting(reasons.keys) == [.kind, .id])
        #expect(reasons.values.max() ?? 0 <= (reasons.values.min() ?? 0) + 1)
    }

    @Test("plays come in the part asked for, of all kinds, and can be malformed in their own ways")
    func plays() throws {
        let options = small {
            $0.events = 20_000
            $0.playFraction = 0.2
            $0.malformedFraction = 0.05
        }
        var kinds: [[UInt8]: Int] = [:]
        var reasons: Set<RefusalReason> = []
        for event in try TrafficGenerator(options) {
            if case .malformed(let reason) = event.kind {
                reasons.insert(reason)
            } else if let play = event.play {
                kinds[play.kind, default: 0] += 1
                #expect(play.id?.isEmpty == false)
            }
        }
        // Five standard deviations of a fifth of 95 %.
        #expect((3523...4077).contains(kinds.values.reduce(0, +)))
        #expect(
            Set(kinds.keys) == Set(Dimension.played.compactMap { $0.kind.map { Array($0.utf8) } }))
        #expect(reasons == Set(RefusalReason.allCases))
    }

    @Test("event times are not ahead of arrivals, and late ones at most two hours behind")
    func times() throws {
        for event in try TrafficGenerator(small { $0.lateFraction = 0.3 }) {
            let field = String(decoding: try #require(event.time), as: UTF8.self)
            guard let time = Int64(field) ?? Timestamp(iso8601: field)?.milliseconds else {
                Issue.record("unreadable: \(field)")
                continue
            }
            let delay = event.arrival - time
            #expect(
                event.kind == .late
                    ? (1_000...7_200_000).contains(delay) : (0..<800).contains(delay))
        }
    }

    @Test("a duplicate is the entry before it that was not malformed")
    func duplicates() throws {
        var last: TrafficEvent?
        let options = small {
            $0.duplicateFraction = 0.3
            $0.malformedFraction = 0.1
        }
        for event in try TrafficGenerator(options) {
            if event.kind == .duplicate {
                #expect(event.url == last?.url && event.device == last?.device)
                #expect(event.time == last?.time)
            }
            if case .malformed = event.kind { continue }
            last = event
        }
        #expect(last != nil)
    }

    @Test("pages follow Zipf's law: each factor of ten in rank has about the same number of views")
    func zipf() throws {
        let table = AliasTable(
            weights: (1...1_000).map(PowerLaw(exponentHundredths: 100).weight))
        var random = TrafficRandom(seed: 11)
        var decades = [0, 0, 0]
        for _ in 0..<60_000 {
            switch table.draw(&random) + 1 {
            case 1..<10: decades[0] += 1
            case 10..<100: decades[1] += 1
            default: decades[2] += 1
            }
        }
        // The harmonic numbers: 2.829, 2.349 and 2.308 of 7.485.
        let expected = [22_676, 18_826, 18_498]
        for (count, mean) in zip(decades, expected) { #expect(abs(count - mean) < 700) }
    }

    @Test(
        "power law weights are those of exact arithmetic",
        arguments: [
            (100, 1, 1_099_511_627_776), (100, 2, 549_755_813_888), (100, 3, 366_503_875_925),
            (100, 1_000_000, 1_099_511), (200, 10, 10_995_116_277), (50, 4, 549_755_813_888),
            (0, 77, 1_099_511_627_776), (300, 4_000_000, 1),
        ] as [(Int, Int, UInt64)])
    func weights(exponent: Int, rank: Int, exact: UInt64) {
        let weight = PowerLaw(exponentHundredths: exponent).weight(rank: rank)
        let error = weight > exact ? weight - exact : exact - weight
        #expect(error <= 1 + exact >> 24)
    }

    @Test("an alias table draws each index as often as its weight says")
    func alias() {
        let weights: [UInt64] = [1, 0, 3, 96, 1 << 40, 1 << 41 - 1]
        let table = AliasTable(weights: weights)
        var random = TrafficRandom(seed: 5)
        var counts = [Int](repeating: 0, count: weights.count)
        for _ in 0..<30_000 { counts[table.draw(&random)] += 1 }
        #expect(counts[0] + counts[1] + counts[2] + counts[3] < 3)
        #expect(abs(counts[4] - 10_000) < 500)
        #expect(counts.reduce(0, +) == 30_000)
    }

    @Test("the night is quiet, the evening busy, the weekend quieter")
    func curve() throws {
        let options = small {
            $0.events = 70_000
            $0.startMilliseconds = 1_721_606_400_000  // Monday 2024-07-22, 00:00 UTC
            $0.spanMilliseconds = 7 * 86_400_000
        }
        var hours = [Int](repeating: 0, count: 24)
        var days = [Int](repeating: 0, count: 7)
        for event in try TrafficGenerator(options) {
            let offset = Int(event.arrival - options.startMilliseconds)
            hours[offset / 3_600_000 % 24] += 1
            days[offset / 86_400_000] += 1
        }
        #expect(hours[3] * 8 < hours[19])
        #expect(days[5] * 4 < days[0] * 3 && days[6] * 4 < days[1] * 3)
    }

    @Test("fresh articles have most of the views, and none is read before it is published")
    func freshness() throws {
        let options = small { $0.events = 20_000 }
        let catalogue = Catalogue(options)
        var published: [String: Int64] = [:]
        for page in catalogue.pages {
            let start = Int(page.path.offset)
            let path = catalogue.text[start..<start + Int(page.path.length)]
            published[String(decoding: path.suffix(12), as: UTF8.self)] = page.published
        }
        #expect(published.count == options.pages)
        var fresh = 0
        var articles = 0
        for event in try TrafficGenerator(options) {
            let text = String(decoding: event.url, as: UTF8.self)
            guard let end = text.firstRange(of: ".html")?.upperBound,
                let time = published[String(text[..<end].suffix(12))]
            else { continue }
            articles += 1
            #expect(time <= event.arrival)
            if event.arrival - time < 86_400_000 { fresh += 1 }
        }
        #expect(articles > 14_000)
        #expect(fresh * 3 > articles * 2)
    }

    @Test("devices come back")
    func devices() throws {
        let all = try TrafficGenerator(small()).compactMap(\.device).filter { $0.count == 32 }
        let different = Set(all)
        #expect(all.count > 4_700)
        #expect(different.count <= 800 && different.count > 600)
    }

    @Test("lines are JSON, with control bytes, quotes and backslashes escaped")
    func lines() {
        let rows: [(TrafficEvent, String)] = [
            (
                TrafficEvent(
                    arrival: 5, url: Array("http://a/\"\\\u{1}".utf8), device: Array("12".utf8),
                    time: Array("1721856300000".utf8), kind: .normal),
                #"{"url":"http://a/\"\\\u0001","uui":"12","dt":1721856300000}"#
            ),
            (
                TrafficEvent(arrival: 5, url: [], device: [], time: nil, kind: .normal),
                #"{"uui":""}"#
            ),
            (
                TrafficEvent(
                    arrival: 5, url: Array("x".utf8), device: nil, time: Array("12:30".utf8),
                    kind: .normal), #"{"url":"x","dt":"12:30"}"#
            ),
        ]
        for (event, expected) in rows {
            var line: [UInt8] = []
            event.appendLine(to: &line)
            #expect(String(decoding: line, as: UTF8.self) == expected + "\n")
        }
    }

    @Test(
        "options out of their range are named",
        arguments: [
            { $0.events = -1 }, { $0.spanMilliseconds = 0 }, { $0.sites = 0 }, { $0.sections = 3 },
            { $0.pages = 5_000_000 }, { $0.devices = 0 }, { $0.pageExponent = .nan },
            { $0.deviceExponent = 3.1 }, { $0.lateFraction = -0.1 }, { $0.startMilliseconds = 0 },
            {
                $0.lateFraction = 0.6
                $0.malformedFraction = 0.6
            },
        ] as [@Sendable (inout TrafficOptions) -> Void])
    func refused(change: @Sendable (inout TrafficOptions) -> Void) {
        let options = small(change)
        #expect(throws: TrafficError.self) { try TrafficGenerator(options) }
    }
}
