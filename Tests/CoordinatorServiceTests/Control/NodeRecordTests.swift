import RedisClient
import Testing

@testable import CoordinatorService

@Suite("What nodes say of themselves, as others read it")
struct NodeRecordTests {
    private func list(
        _ statement: String, times: String = "1795482000123 1795482000000", name: String = "n1"
    ) -> NodeList {
        func text(_ text: String) -> RedisValue { .string(Array(text.utf8)) }
        return NodeList([text(name), text("\(times) 3a63bbab 0 \(statement)")])
    }

    private func statement(_ more: String, shards: Int = 64) -> String {
        #"{"node":"n1/3a63bbab","host":"h","version":"1","role":"follower","shards":\#(shards)"#
            + more + "}"
    }

    @Test("spans that a node may have are read, wild ones of another version are none")
    func spans() throws {
        let usual = #","every":1000,"lease":3000,"renew":750,"ttl":3000"#
        let record = try #require(list(statement(usual)).records.first)
        #expect(record.heartbeatEveryMilliseconds == 1_000 && record.leaseMilliseconds == 3_000)
        #expect(record.renewEveryMilliseconds == 750)
        for wild in ["0", "-1", "3600001", "\(Int64.max)", "\(Int64.min)"] {
            let text = statement(
                #","every":\#(wild),"lease":\#(wild),"renew":\#(wild),"ttl":\#(wild)"#)
            let record = try #require(list(text).records.first)
            #expect(record.heartbeatEveryMilliseconds == nil && record.leaseMilliseconds == nil)
            #expect(record.renewEveryMilliseconds == nil)
            _ = record.state(now: 1_795_482_000_200)
            _ = record.state(now: .max)
        }
    }

    @Test("a record that cannot be read is named, and does not hide the others")
    func unreadable() {
        #expect(list("{").unreadable == ["n1"])
        #expect(list(statement("", shards: -1)).records.isEmpty)
        #expect(list(statement("")).records.count == 1)
        #expect(list(statement(""), name: "other").records.isEmpty, "it speaks for itself alone")
        for times in ["-1 0", "x 0", "\(Int64.max) 0", "0 \(Int64.max)"] {
            #expect(list(statement(""), times: times).records.isEmpty, "\(times)")
        }
    }
}
