public import CoordinatorCore
import RedisClient

/// What a shard's own slot says: owner, progress and ledger, all from one reading.
///
/// - Shape: the hash `H:SHARD::{tag}::`.
public struct ShardState: Sendable {
    public let shard: ShardID
    public var owner: String?
    public var token: FencingToken?
    public var stamp: String?
    /// Where each tier is: the end of the last window sealed, and of the last one done; by tier
    /// name, ms.
    public var sealed: [String: Int64] = [:]
    public var done: [String: Int64] = [:]
    /// The window that is being merged: tier number (1 = base) and start, ms.
    public var open: (tier: Int, start: Int64)?
    /// The latest start of an import that brought something, ms: old windows are kept from there
    /// on.
    public var floor: Int64 = 0
    public var watermarks: [String: StreamID] = [:]
    /// The watermark's second copy; differs only when something else than `apply` wrote.
    public var watermarkCopies: [String: StreamID] = [:]
    public var counted: [String: Int64] = [:]
    public var read: [String: Int64] = [:]
    /// By source, then by reason.
    public var refused: [String: [String: Int64]] = [:]
    public var late: Int64 = 0
    public var rotations: Int64 = 0
    public var faults: Int64 = 0
    /// Steps of rotation that were refused because they showed another token.
    public var fenced: Int64 = 0
    public var fault: String?

    /// Reads the reply of HGETALL, or of a claim; fields it does not know are left for newer
    /// versions.
    init(shard: ShardID, fields: ArraySlice<RedisValue>) {
        self.shard = shard
        var iterator = fields.makeIterator()
        while let name = iterator.next()?.text, let value = iterator.next()?.text {
            take(name, value)
        }
    }

    private mutating func take(_ name: String, _ value: String) {
        switch name {
        case "owner": owner = value
        case "token": token = FencingToken(value)
        case "settings": stamp = value
        case "floor": floor = Int64(value) ?? 0
        case "late": late = Int64(value) ?? 0
        case "rotations": rotations = Int64(value) ?? 0
        case "faults": faults = Int64(value) ?? 0
        case "fault": fault = value
        case "fenced": fenced = Int64(value) ?? 0
        case "open": open = Self.window(value)
        default: takePrefixed(name, value)
        }
    }

    private mutating func takePrefixed(_ name: String, _ value: String) {
        guard let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")) else { return }
        let rest = String(name[name.index(after: colon)...])
        switch name[..<colon] {
        case "sealed": sealed[rest] = Int64(value)
        case "done": done[rest] = Int64(value)
        case "wm": watermarks[rest] = StreamID(value)
        case "at": watermarkCopies[rest] = StreamID(value)
        case "counted": counted[rest] = Int64(value)
        case "read": read[rest] = Int64(value)
        case "refused":
            // The reason is a plain word; the source before it may hold colons.
            guard let last = rest.utf8.lastIndex(of: UInt8(ascii: ":")) else { return }
            let source = String(rest[..<last])
            let reason = String(rest[rest.index(after: last)...])
            refused[source, default: [:]][reason] = Int64(value)
        default: break
        }
    }

    static func window(_ text: String) -> (tier: Int, start: Int64)? {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let tier = Int(parts[0]), let start = Int64(parts[1]) else {
            return nil
        }
        return (tier, start)
    }
}
