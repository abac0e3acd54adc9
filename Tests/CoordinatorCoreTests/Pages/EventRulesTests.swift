import CoordinatorCore
import Hashing
import Testing

@Suite("Event rules")
struct EventRulesTests {
    private static let week: Int64 = 604_800_000
    private let arrival = StreamID(milliseconds: 1_721_858_300_000, sequence: 3)
    private let rules = EventRules(
        resolver: PageResolver(sites: .original, hasher: SHA1Hasher()),
        longestKeepMilliseconds: week)

    private func judge(_ dt: [UInt8]?, at arrival: StreamID) -> Result<Int64, RefusalError> {
        func judged(_ bytes: UnsafeRawBufferPointer?) -> Result<Int64, RefusalError> {
            Result { () throws(RefusalError) in try rules.time(of: bytes, arrival: arrival) }
        }
        guard let dt else { return judged(nil) }
        return dt.withUnsafeBytes { judged($0) }
    }

    private func time(_ dt: String) -> Int64? {
        guard case .success(let time) = judge(Array(dt.utf8), at: arrival) else { return nil }
        return time
    }

    private func reason(_ dt: String) -> RefusalReason? {
        guard case .failure(let error) = judge(Array(dt.utf8), at: arrival) else { return nil }
        return error.reason
    }

    @Test("an event without a time happened when it arrived")
    func missing() {
        #expect(judge(nil, at: arrival) == .success(1_721_858_300_000))
        #expect(judge([], at: arrival) == .success(1_721_858_300_000))
        #expect(judge(nil, at: .maximum) == .success(.max))
    }

    @Test(
        "an event time is milliseconds or ISO-8601 with a zone",
        arguments: [
            ("1721858299999", 1_721_858_299_999), ("0001721858299999", 1_721_858_299_999),
            ("0000000000000000001721858299999", 1_721_858_299_999),
            ("2024-07-24T21:58:20Z", 1_721_858_300_000),
            ("2024-07-24T23:58:20.25+02:00", 1_721_858_300_250),
            ("1721858600000", 1_721_858_600_000), ("1721253500000", 1_721_253_500_000),
        ])
    func reads(dt: String, milliseconds: Int64) {
        #expect(time(dt) == milliseconds)
    }

    @Test(
        "a time that cannot be read, or is too far ahead, is refused as time",
        arguments: [
            "x", " ", "null", "1721858300000 ", "+1721858300000", "1721858300000.5", "1e12", "0x10",
            "--1",
            "-", "2024-07-24", "2024-07-24T21:58:20", "9223372036854775808",
            "99999999999999999999999",
            "1721858600001", "9223372036854775807", "999999999999999999",
            "2024-07-24T22:03:20.001Z", "١",
            "\u{0}",
        ])
    func refusedAsTime(dt: String) {
        #expect(reason(dt) == .time)
    }

    @Test(
        "an event older than every tier keeps is refused as expired",
        arguments: [
            "1721253499999", "0", "-1", "1721858300", "-9223372036854775808",
            "1970-01-01T00:00:00Z",
            "-292275055-05-16T16:47:04.192Z",
        ])
    func expired(dt: String) {
        #expect(reason(dt) == .expired)
    }

    @Test("no arrival makes judging trap", arguments: [StreamID.zero, StreamID.maximum])
    func extremes(arrival: StreamID) {
        for dt in ["9223372036854775807", "-9223372036854775808", "0", "1721858300000"] {
            _ = judge(Array(dt.utf8), at: arrival)
        }
    }

    @Test("digits are read as the standard library reads them", arguments: seeds)
    func twin(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<5_000 {
            let number = Int64.random(in: 1_721_253_500_000...1_721_858_600_000, using: &generator)
            #expect(time(String(number)) == number)
            var bytes = Array(String(generator.anyInt64()).utf8)
            bytes[Int.random(in: bytes.indices, using: &generator)] = generator.pick(
                Array("0:/-9 ".utf8))
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(
                (reason(text) != .time || time(text) != nil)
                    == (Int64(text).map { $0 <= 1_721_858_600_000 } ?? false), "\(text)")
        }
    }

    @Test(
        "a device is what is neither missing, nor empty, nor null",
        arguments: [
            ("", false), ("null", false), ("NULL", true), ("nul", true), ("0", true),
            ("nulll", true),
        ])
    func devices(uui: String, isDevice: Bool) {
        #expect(lend(Array(uui.utf8)) { EventRules.isDevice($0) } == isDevice)
        #expect(!EventRules.isDevice(nil))
    }

    @Test("a field is refused for its size first, then for its encoding")
    func fields() {
        func reason(_ bytes: [UInt8]) -> RefusalReason? {
            lend(bytes) { bytes in
                do throws(RefusalError) {
                    try EventRules.checkField(bytes)
                    return nil
                } catch {
                    return error.reason
                }
            }
        }
        #expect(reason([]) == nil)
        #expect(reason([0]) == nil)
        #expect(reason([UInt8](repeating: 0x41, count: 2_048)) == nil)
        #expect(reason([UInt8](repeating: 0x41, count: 2_049)) == .size)
        #expect(reason([UInt8](repeating: 0xFF, count: 1_048_576)) == .size)
        #expect(reason([UInt8](repeating: 0xFF, count: 2_048)) == .encoding)
    }

    @Test(
        "a play needs a kind that is known, byte by byte, and an id",
        arguments: [
            ("audio", "1", Dimension.audio, nil), ("video", "1", .video, nil),
            ("podcast", "\0", .podcast, nil), ("Audio", "1", nil, .kind), ("", "1", nil, .kind),
            ("audi", "1", nil, .kind), ("podcast ", "1", nil, .kind), ("page", nil, nil, .kind),
            ("audio", "", nil, .id), ("video", nil, nil, .id),
        ] as [(String, String?, Dimension?, RefusalReason?)])
    func plays(kind: String, id: String?, dimension: Dimension?, reason: RefusalReason?) {
        lend(Array(kind.utf8)) { kind in
            lend(Array((id ?? "").utf8)) { bytes in
                do throws(RefusalError) {
                    let found = try EventRules.dimension(kind: kind, id: id == nil ? nil : bytes)
                    #expect(found == dimension && reason == nil)
                } catch {
                    #expect(error.reason == reason)
                }
            }
        }
    }

    @Test("the table of dimensions is one list: rows, letters and kinds belong together")
    func dimensions() {
        #expect(Dimension.counted.map(\.row) == Array(Dimension.counted.indices))
        #expect(Dimension.allCases.filter { $0.row >= 0 } == Dimension.counted)
        #expect(Dimension.counted.filter(\.isTallied) == [.website, .audio, .video, .podcast])
        #expect(Dimension.allCases.filter(\.isPlayed) == Dimension.played)
    }

    @Test("a URL field that is not there is refused as url")
    func missingURL() {
        let error = #expect(throws: RefusalError.self) { try rules.page(of: nil) }
        #expect(error == RefusalError(.url, "the url is missing"))
        #expect(error?.description == "url: the url is missing")
    }
}
