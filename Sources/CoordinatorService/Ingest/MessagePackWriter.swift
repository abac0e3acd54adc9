import CoordinatorCore

/// Writes MessagePack, the most compact argument that a Redis script can unpack by itself.
///
/// Only the forms that the scripts take: unsigned and negative integers, strings, arrays, false. A
/// library would have to be wrapped for a dozen lines that run for every counter of every batch.
///
/// - Source: MessagePack specification, "Formats"; Redis Lua API, `cmsgpack`.
struct MessagePackWriter {
    private(set) var bytes: [UInt8] = []

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    mutating func array(_ count: Int) {
        switch count {
        case ..<16: bytes.append(0x90 | UInt8(truncatingIfNeeded: count))
        case ..<65_536: header(0xDC, UInt64(count), width: 2)
        default: header(0xDD, UInt64(count), width: 4)
        }
    }

    mutating func integer(_ value: Int64) {
        guard value < 0 else { return unsigned(UInt64(value)) }
        header(0xD3, UInt64(bitPattern: value), width: 8)
    }

    mutating func `false`() {
        bytes.append(0xC2)
    }

    mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { string(UnsafeRawBufferPointer($0)) }
    }

    mutating func string(_ value: UnsafeRawBufferPointer) {
        stringHeader(value.count)
        bytes.append(contentsOf: value)
    }

    mutating func string(_ value: [UInt8]) {
        stringHeader(value.count)
        bytes.append(contentsOf: value)
    }

    mutating func record(_ id: RecordID) {
        stringHeader(RecordID.hexLength)
        id.appendHex(to: &bytes)
    }

    private mutating func unsigned(_ value: UInt64) {
        switch value {
        case ..<0x80: bytes.append(UInt8(truncatingIfNeeded: value))
        case ..<0x1_0000: header(0xCD, value, width: 2)
        case ..<0x1_0000_0000: header(0xCE, value, width: 4)
        default: header(0xCF, value, width: 8)
        }
    }

    private mutating func stringHeader(_ count: Int) {
        switch count {
        case ..<32: bytes.append(0xA0 | UInt8(truncatingIfNeeded: count))
        case ..<256: header(0xD9, UInt64(count), width: 1)
        case ..<65_536: header(0xDA, UInt64(count), width: 2)
        default: header(0xDB, UInt64(count), width: 4)
        }
    }

    private mutating func header(_ kind: UInt8, _ value: UInt64, width: Int) {
        bytes.append(kind)
        var shift = UInt64(width - 1) * 8
        for _ in 0..<width {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
            shift = shift &- 8
        }
    }
}
