import CoordinatorCore
import RedisClient

extension RedisValue {
    /// A record id in 40 hex digits.
    var recordID: RecordID? {
        guard case .string(let bytes) = self else { return nil }
        return bytes.withUnsafeBytes { RecordID(hexBytes: $0) }
    }

    /// A score or sample that counts something; nil where it is no whole number.
    var score: Int64? {
        guard case .string(let bytes) = self else { return int }
        var number: Int64 = 0
        let isPlain =
            !bytes.isEmpty && bytes.count <= 18
            && bytes.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        guard isPlain else { return text.flatMap(Double.init).flatMap { Int64(exactly: $0) } }
        for byte in bytes { number = number * 10 + Int64(byte - UInt8(ascii: "0")) }
        return number
    }

    /// The members of a sorted set with whole scores, in the reply's order.
    var records: [(id: RecordID, views: Int64)] {
        guard let items else { return [] }
        var records: [(id: RecordID, views: Int64)] = []
        records.reserveCapacity(items.count / 2)
        for index in stride(from: 0, to: items.count - 1, by: 2) {
            guard let id = items[index].recordID, let views = items[index + 1].score else {
                continue
            }
            records.append((id, views))
        }
        return records
    }
}
