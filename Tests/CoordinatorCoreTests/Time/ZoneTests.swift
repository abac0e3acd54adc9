import Foundation
import Testing

@testable import CoordinatorCore

/// The zones of the system's database against Foundation's, which brings its own.
@Suite("The clocks of time zones")
struct ZoneTests {
    private static let names = [
        "Europe/Luxembourg", "Europe/London", "America/New_York", "America/St_Johns",
        "Asia/Kolkata", "Australia/Sydney", "Pacific/Apia", "America/Havana", "Etc/GMT+5",
        "Asia/Kathmandu", "Australia/Lord_Howe",
    ]

    private static func zone(_ name: String) throws -> Zone {
        let data = try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/\(name)"))
        return try data.withUnsafeBytes { bytes in try Zone(bytes) }
    }

    @Test("offsets are Foundation's, now and in the years of the rule", arguments: names)
    func offsets(name: String) throws {
        let zone = try Self.zone(name)
        let other = try #require(TimeZone(identifier: name))
        var random = SplitMix64(seed: 11)
        for _ in 0..<2_000 {
            // From 1975 to 2090: beyond 2037 only the rule at the file's end tells.
            let moment = Int64.random(in: 157_766_400_000...3_786_912_000_000, using: &random)
            let date = Date(timeIntervalSince1970: Double(moment / 1_000))
            let expected = Int64(other.secondsFromGMT(for: date)) * 1_000
            #expect(zone.offset(at: moment / 1_000 * 1_000) == expected, "\(name) \(date)")
        }
    }

    @Test("days begin where Foundation's calendar begins them", arguments: names)
    func days(name: String) throws {
        let zone = try Self.zone(name)
        var calendar = Foundation.Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: name))
        var random = SplitMix64(seed: 12)
        for _ in 0..<500 {
            let moment = Int64.random(in: 946_684_800_000...2_524_608_000_000, using: &random)
            let start = calendar.startOfDay(
                for: Date(timeIntervalSince1970: Double(moment) / 1_000))
            let expected = Int64((start.timeIntervalSince1970 * 1_000).rounded())
            #expect(zone.start(ofDay: zone.day(at: moment)) == expected, "\(name) \(start)")
        }
    }

    @Test("the days on which clocks are turned have 23 and 25 hours")
    func turned() throws {
        let zone = try Self.zone("Europe/Luxembourg")
        let hour: Int64 = 3_600_000
        func length(_ text: String) throws -> Int64 {
            let day = zone.day(at: try #require(Timestamp(iso8601: text)).milliseconds)
            return (zone.start(ofDay: day + 1) - zone.start(ofDay: day)) / hour
        }
        #expect(try length("2026-03-29T12:00:00Z") == 23)
        #expect(try length("2026-10-25T12:00:00Z") == 25)
        #expect(try length("2026-11-24T12:00:00Z") == 24)
        #expect(try length("2060-10-31T12:00:00Z") == 25)
        // A day before, at the same time on the clock.
        let after = try #require(Timestamp(iso8601: "2026-03-29T10:00:00Z")).milliseconds
        #expect(zone.moment(after, daysBefore: 1) == after - 23 * hour)
        #expect(Zone.utc.start(ofDay: 20_000) == 20_000 * 86_400_000)
    }

    @Test("every zone of the system is read")
    func all() throws {
        let table = try String(contentsOfFile: "/usr/share/zoneinfo/tzdata.zi", encoding: .utf8)
        let names = table.split(separator: "\n").filter { $0.hasPrefix("Z ") }
            .map { $0.split(separator: " ")[1] }
        #expect(names.count > 300)
        for name in names { _ = try Self.zone(String(name)).offset(at: 1_900_000_000_000) }
    }

    @Test("bytes that are no zone are refused, and none of them ends the process", arguments: seeds)
    func hostile(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let real = [UInt8](
            try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/Europe/Luxembourg")))
        for _ in 0..<2_000 {
            var bytes = real
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            if random.next() % 4 == 0 {
                bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            }
            let zone = try? bytes.withUnsafeBytes { bytes in try Zone(bytes) }
            for moment in [Int64(0), -9_000_000_000_000, 1_800_000_000_000, 99_000_000_000_000] {
                _ = zone?.start(ofDay: moment / 86_400_000)
            }
        }
        #expect(throws: ZoneError.self) {
            try [UInt8]().withUnsafeBytes { bytes in try Zone(bytes) }
        }
    }

    @Test(
        "rules of later years are read in all their forms",
        arguments: [
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2040-07-01T00:00:00Z", 7_200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2040-12-01T00:00:00Z", 3_600),
            ("<+0530>-5:30", "2040-07-01T00:00:00Z", 19_800),
            ("NZST-12NZDT,M9.5.0,M4.1.0/3", "2040-01-01T00:00:00Z", 46_800),
            ("XXX5YYY4,J60,J300", "2040-02-29T12:00:00Z", -18_000),
            ("XXX5YYY4,J60,J300", "2040-03-01T12:00:00Z", -14_400),
            ("XXX5YYY,59/-1,299/167", "2040-02-29T12:00:00Z", -14_400),
        ])
    func rules(text: String, at: String, offset: Int64) throws {
        let bytes = Array(text.utf8)
        let rule = try #require(bytes.withUnsafeBytes { ZoneRule($0) })
        let moment = try #require(Timestamp(iso8601: at)).milliseconds
        #expect(rule.offset(at: moment / 1_000) == offset)
    }

    @Test(
        "what is no rule is refused",
        arguments: [
            "", "C-1", "CET", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "<CET-1", "CET-99",
        ])
    func noRule(text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { ZoneRule($0) } == nil)
    }
}
