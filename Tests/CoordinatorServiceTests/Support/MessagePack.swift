/// A value of MessagePack.
indirect enum MessagePack: Equatable {
    case integer(Int64)
    case bytes([UInt8])
    case array([MessagePack])
    case boolean(Bool)
    case null

    var items: [MessagePack] { if case .array(let items) = self { items } else { [] } }
    var number: Int64 { if case .integer(let number) = self { number } else { .min } }
    var text: String {
        if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { "?" }
    }
}

/// A reader written from the format's specification, not from the writer.
///
/// - Source: MessagePack specification, "Formats".
struct MessagePackReader {
    private let bytes: [UInt8]
    private var place = 0

    struct Malformed: Error {}

    /// The one value that `bytes` are; what follows it is an error.
    static func read(_ bytes: [UInt8]) throws -> MessagePack {
        var reader = MessagePackReader(bytes: bytes)
        let value = try reader.value()
        guard reader.place == bytes.count else { throw Malformed() }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func value() throws -> MessagePack {
        let kind = try number(1)
        switch kind {
        case 0x00...0x7F: return .integer(Int64(kind))
        case 0xE0...0xFF: return .integer(Int64(kind) - 256)
        case 0x90...0x9F: return try array(kind & 0x0F)
        case 0xDC: return try array(number(2))
        case 0xDD: return try array(number(4))
        case 0xA0...0xBF: return try string(kind & 0x1F)
        case 0xD9: return try string(number(1))
        case 0xDA: return try string(number(2))
        case 0xDB: return try string(number(4))
        case 0xC0: return .null
        case 0xC2, 0xC3: return .boolean(kind == 0xC3)
        case 0xCC: return .integer(Int64(try number(1)))
        case 0xCD: return .integer(Int64(try number(2)))
        case 0xCE: return .integer(Int64(try number(4)))
        case 0xCF:
            guard let value = Int64(exactly: try number(8)) else { throw Malformed() }
            return .integer(value)
        case 0xD0: return .integer(Int64(Int8(bitPattern: UInt8(try number(1)))))
        case 0xD1: return .integer(Int64(Int16(bitPattern: UInt16(try number(2)))))
        case 0xD2: return .integer(Int64(Int32(bitPattern: UInt32(try number(4)))))
        case 0xD3: return .integer(Int64(bitPattern: try number(8)))
        default: throw Malformed()
        }
    }

    private mutating func number(_ width: Int) throws -> UInt64 {
        try take(width).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func array(_ count: UInt64) throws -> MessagePack {
        .array(try (0..<count).map { _ in try value() })
    }

    private mutating func string(_ count: UInt64) throws -> MessagePack {
        .bytes(Array(try take(Int(count))))
    }

    private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard bytes.count - place >= count else { throw Malformed() }
        defer { place += count }
        return bytes[place..<place + count]
    }
}
