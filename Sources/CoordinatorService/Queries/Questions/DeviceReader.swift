import CoordinatorCore
import EventLoop
import RedisClient

/// Counts the devices of records over any of their windows, and of many records together.
///
/// The HyperLogLogs are read as they are and merged here: Redis can unite keys of one slot only,
/// and would do the work in the one thread that also counts events.
///
/// - Thread: loop only.
@LoopActor final class DeviceReader {
    /// Keys of one command: 1.5 MB at worst, which keeps a master busy for about a millisecond.
    private static let keysAtOnce = 128

    /// The devices of every record counted so far, together.
    private(set) var union = HyperLogLog()
    private let keepsUnion: Bool
    private let deployment: Deployment
    /// One record's devices while its windows are merged.
    private var record = HyperLogLog()

    /// - Parameter keepsUnion: whether the records' union is wanted, too.
    init(_ deployment: Deployment, keepsUnion: Bool = false) {
        self.deployment = deployment
        self.keepsUnion = keepsUnion
    }

    /// The devices of each of some records of one shard over some windows, in order.
    ///
    /// - Errors: `.unreadable` for a key that holds something else than Redis writes there.
    func count(
        _ dimension: Dimension, _ ids: [RecordID], _ pieces: [Interval.Piece], _ shard: ShardID
    ) async throws(ServiceError) -> [Int64] {
        guard !pieces.isEmpty else { return ids.map { _ in 0 } }
        let client = ShardClient(deployment, shard)
        let frames = pieces.map { KeyFrame(dimension, client.tag, $0) }
        let recordsAtOnce = max(1, Self.keysAtOnce / frames.count)
        let parts = stride(from: 0, to: ids.count, by: recordsAtOnce).map {
            ids[$0..<min($0 + recordsAtOnce, ids.count)]
        }
        // All parts of a shard go at once: they share its connection and come back in order.
        let counts = await gather(parts.count) { part in
            await self.count(parts[part], frames, client)
        }
        var all: [Int64] = []
        for part in counts { all += try part.get() }
        return all
    }

    private func count(
        _ ids: ArraySlice<RecordID>, _ frames: [KeyFrame], _ client: ShardClient
    ) async -> Result<[Int64], ServiceError> {
        var writer = RedisCommandWriter(reserving: ids.count * frames.count * 96)
        writer.append("MGET")
        var key: [UInt8] = []
        for id in ids {
            for frame in frames {
                key.removeAll(keepingCapacity: true)
                key += frame.head
                id.appendHex(to: &key)
                key += frame.tail
                writer.append(key)
            }
        }
        let command = writer.finish(isRepeatable: true)
        return await withCheckedContinuation { continuation in
            deployment.cluster.send(command, slot: client.slot, lane: .reading) { result in
                continuation.resume(
                    returning: result.mapError { .redis($0) }.flatMap {
                        self.merge($0, ids, frames.count, client)
                    })
            }
        }
    }

    /// Merges the values of `width` windows for each record.
    private func merge(
        _ reply: RedisReplyView, _ ids: ArraySlice<RecordID>, _ width: Int, _ client: ShardClient
    ) -> Result<[Int64], ServiceError> {
        var counts: [Int64] = []
        counts.reserveCapacity(ids.count)
        var values = reply.elements
        for id in ids {
            var isEmpty = true
            for _ in 0..<width {
                guard let value = values.next(), value.kind == .string else { continue }
                if isEmpty { record.removeAll() }
                isEmpty = false
                do throws(HyperLogLogError) { try record.merge(value.bytes) } catch {
                    return .failure(
                        .unreadable(key: "HLL:*:{\(client.tag)}\(id.hex):*", detail: "\(error)"))
                }
            }
            counts.append(isEmpty ? 0 : record.estimate)
            if keepsUnion, !isEmpty { union.formUnion(record) }
        }
        return .success(counts)
    }

    /// The bytes of a key before and behind the id: keys of one window differ in the id alone.
    private struct KeyFrame {
        let head: [UInt8]
        let tail: [UInt8]

        init(_ dimension: Dimension, _ tag: String, _ piece: Interval.Piece) {
            let any = RecordID((0, 0, 0))
            let key = Array(
                RedisKeys.devices(piece.tier, dimension, tag, any, piece.start).utf8)
            let end = (key.firstIndex(of: UInt8(ascii: "}")) ?? 0) + 1
            head = Array(key[..<end])
            tail = Array(key[(end + RecordID.hexLength)...])
        }
    }
}
