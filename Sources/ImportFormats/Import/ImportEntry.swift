public import CoordinatorCore

/// One field of an entry; bytes, because nothing says that they are text.
public struct ImportField: Equatable, Sendable {
    /// What is longer is cut to this: one byte more than a node accepts, so that it is refused
    /// there for its size, with its place and in the ledger, and nobody stores a megabyte of it.
    public static let maximumBytes = EventRules.maximumFieldBytes + 1

    static let url = Array("url".utf8)
    static let device = Array("uui".utf8)
    static let time = Array("dt".utf8)
    /// The fields that decide what an event counts for.
    static let needed = [url, device, time, Array("kind".utf8), Array("id".utf8)]

    /// At most `maximumBytes`.
    public var name: [UInt8]
    /// At most `maximumBytes`.
    public var value: [UInt8]

    /// A field; name and value are cut to `maximumBytes`.
    public init(_ name: [UInt8], _ value: [UInt8]) {
        self.name = name.count > Self.maximumBytes ? Array(name.prefix(Self.maximumBytes)) : name
        self.value =
            value.count > Self.maximumBytes ? Array(value.prefix(Self.maximumBytes)) : value
    }
}

/// One entry for the import's stream.
public struct ImportEntry: Equatable, Sendable {
    /// The latest event time so far in the file, then the number of the line, counted from 1.
    public var id: StreamID
    /// In the order of the file; of a log line url, uui, dt.
    public var fields: [ImportField]

    /// An entry with this id.
    public init(id: StreamID, fields: [ImportField]) {
        self.id = id
        self.fields = fields
    }

    /// The bytes it holds, for bounds on batches.
    public var byteCount: Int { fields.reduce(0) { $0 + $1.name.count + $1.value.count } }
}
