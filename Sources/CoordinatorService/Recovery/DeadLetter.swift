public import CoordinatorCore
import RedisClient

/// A refused event as it is kept: why, where it came from, and what is needed to send it again.
///
/// - Shape: an entry of `ST:DEADLETTER::{tag}::` with the fields `source`, `id`, `reason` and
///   `detail`, and then the event's own.
public struct DeadLetter: Sendable {
    /// Which letter: the shard that keeps it, and its id there.
    public struct Name: Sendable, Hashable, CustomStringConvertible {
        public let shard: ShardID
        public let id: StreamID

        init(shard: ShardID, id: StreamID) {
            self.shard = shard
            self.id = id
        }

        /// Reads `SHARD/ID`, as lists show it.
        ///
        /// - Errors: `.question` with what is wrong.
        public init(_ text: String, _ layout: ShardLayout) throws(ServiceError) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let shard = Int(parts[0]), let id = StreamID(String(parts[1]))
            else {
                throw .question(
                    "'\(text)' names no dead letter: write it as `dead-letters list` does, "
                        + "SHARD/ID")
            }
            guard (0..<layout.count).contains(shard) else {
                throw .question("there is no shard \(shard): the last one is \(layout.count - 1)")
            }
            self.init(shard: ShardID(rawValue: shard), id: id)
        }

        /// `SHARD/ID`.
        public var description: String { "\(shard.rawValue)/\(id)" }
    }

    public let name: Name
    /// The key of the stream that the event came from.
    public let source: String
    /// The event's entry in that stream.
    public let entry: String
    public let reason: String
    public let detail: String
    /// The event's own fields, in their order; bytes, for nobody said that they are text.
    public let fields: [(name: String, value: [UInt8])]

    /// When it was refused, ms: the clock of the shard's master.
    public var refusedAt: Int64 { Int64(clamping: name.id.milliseconds) }

    /// A field's first value, what is not UTF-8 replaced; nil where there is none.
    public func text(_ field: String) -> String? {
        fields.first { $0.name == field }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    /// Reads an entry of XRANGE; nil for one that was not written by a node.
    init?(_ entry: RedisValue, shard: ShardID) {
        guard let parts = entry.items, parts.count == 2,
            let id = parts[0].text.flatMap({ StreamID($0) }), let values = parts[1].items,
            values.count >= 8, values[0].text == "source", values[2].text == "id",
            values[4].text == "reason", let source = values[1].text,
            let origin = values[3].text, let reason = values[5].text, let detail = values[7].text
        else { return nil }
        name = Name(shard: shard, id: id)
        self.source = source
        self.entry = origin
        self.reason = reason
        self.detail = detail
        var fields: [(name: String, value: [UInt8])] = []
        for index in stride(from: 8, to: values.count - 1, by: 2) {
            fields.append((values[index].text ?? "", values[index + 1].bytes ?? []))
        }
        self.fields = fields
    }
}
