import CoordinatorCore
import Testing

@Suite("Stream ids")
struct StreamIDTests {
    @Test(
        "an id reads as Redis writes it",
        arguments: [
            ("0-0", StreamID.zero),
            ("1721856300000-7", StreamID(milliseconds: 1_721_856_300_000, sequence: 7)),
            ("18446744073709551615-18446744073709551615", StreamID.maximum),
        ])
    func reads(text: String, id: StreamID) {
        #expect(StreamID(text) == id)
        #expect(id.description == text)
    }

    @Test(
        "other texts are no id",
        arguments: [
            "", "-", "1", "1-", "-1", "1-2-3", "01-0", "1-00", "+1-0", "1- 0", "a-0", "0-*", "$",
            "18446744073709551616-0", "0-18446744073709551616", "١-0", "--1",
        ])
    func refused(text: String) {
        #expect(StreamID(text) == nil)
    }

    @Test("the next id is the smallest greater one, and nothing follows the last")
    func next() {
        #expect(StreamID.zero.next() == StreamID(milliseconds: 0, sequence: 1))
        let last = StreamID(milliseconds: 5, sequence: .max)
        #expect(last.next() == StreamID(milliseconds: 6, sequence: 0))
        #expect(last < last.next())
        #expect(StreamID.maximum.next() == .maximum)
    }
}
