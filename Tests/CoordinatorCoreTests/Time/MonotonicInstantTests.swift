import CoordinatorCore
import Testing

@Suite("Monotonic instants")
struct MonotonicInstantTests {
    private func instant(_ nanoseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: nanoseconds)
    }

    @Test("spans are added, taken away and measured")
    func arithmetic() {
        #expect(instant(5) + .nanoseconds(7) == instant(12))
        #expect(instant(5) + .seconds(3) == instant(3_000_000_005))
        #expect(instant(2_000_000_000) - .milliseconds(1_500) == instant(500_000_000))
        #expect(instant(3) - instant(5) == .nanoseconds(-2))
        #expect(
            instant(.max) - instant(0) == .nanoseconds(Int64.max) + .nanoseconds(Int64.max)
                + .nanoseconds(1))
        var moved = instant(1)
        moved += .microseconds(2)
        #expect(moved == instant(2_001))
        #expect(instant(1) < instant(2))
    }

    @Test("arithmetic stops at the ends of the range")
    func ends() {
        #expect(instant(5) - .seconds(1) == instant(0))
        #expect(instant(5) + .seconds(-1) == instant(0))
        #expect(instant(5) + .seconds(Int64.max) == instant(.max))
        #expect(instant(5) - .seconds(Int64.min) == instant(.max))
    }

    @Test("a span in whole milliseconds is rounded toward zero")
    func milliseconds() {
        #expect(Duration.microseconds(1_999).wholeMilliseconds == 1)
        #expect(Duration.microseconds(-1_999).wholeMilliseconds == -1)
        #expect(Duration.seconds(Int64.max).wholeMilliseconds == .max)
    }
}
