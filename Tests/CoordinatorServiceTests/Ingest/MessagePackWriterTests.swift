import CoordinatorCore
import Testing

@testable import CoordinatorService

@Suite("MessagePack as scripts unpack it")
struct MessagePackWriterTests {
    @Test(
        "numbers come back, at and around every width's end",
        arguments: [0, 7, 8, 15, 16, 31, 32, 62, 63].flatMap { bits in
            let edge = bits == 63 ? Int64.max : Int64(1) << bits
            return [edge - 1, edge, -edge, -edge - 1, edge == .max ? edge : edge + 1]
        })
    func numbers(value: Int64) throws {
        var writer = MessagePackWriter()
        writer.integer(value)
        #expect(try MessagePackReader.read(writer.bytes) == .integer(value))
    }

    @Test(
        "strings and arrays come back, at and around every length's end",
        arguments: [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536, 100_000])
    func lengths(count: Int) throws {
        var writer = MessagePackWriter()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        writer.string(bytes)
        #expect(try MessagePackReader.read(writer.bytes) == .bytes(bytes))
        writer.removeAll()
        bytes.withUnsafeBytes { writer.string($0) }
        #expect(try MessagePackReader.read(writer.bytes) == .bytes(bytes))
        writer.removeAll()
        writer.array(count)
        for _ in 0..<count { writer.false() }
        let falses = [MessagePack](repeating: .boolean(false), count: count)
        #expect(try MessagePackReader.read(writer.bytes) == .array(falses))
    }

    @Test("text and record ids are their bytes")
    func texts() throws {
        var writer = MessagePackWriter()
        let id = RecordID((1, .max, 3))
        writer.array(2)
        writer.text("Lëtzebuerg \0 {:}")
        writer.record(id)
        let value = try MessagePackReader.read(writer.bytes)
        #expect(value.items.map(\.text) == ["Lëtzebuerg \0 {:}", id.hex])
    }

    @Test("nested values of any kind come back", arguments: seeds)
    func nested(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            let value = Self.value(&random, depth: 0)
            var writer = MessagePackWriter()
            Self.write(value, to: &writer)
            #expect(try MessagePackReader.read(writer.bytes) == value, "seed \(seed)")
        }
    }

    private static func value(_ random: inout SplitMix64, depth: Int) -> MessagePack {
        switch Int.random(in: 0..<(depth < 4 ? 4 : 3), using: &random) {
        case 0: return .boolean(false)
        case 1:
            let number = Int64(bitPattern: random.next())
            return .integer(number >> Int64.random(in: 0...63, using: &random))
        case 2: return .bytes(random.bytes(0...40))
        default:
            let count = Int.random(in: 0...20, using: &random)
            return .array((0..<count).map { _ in value(&random, depth: depth + 1) })
        }
    }

    private static func write(_ value: MessagePack, to writer: inout MessagePackWriter) {
        switch value {
        case .integer(let number): writer.integer(number)
        case .bytes(let bytes): writer.string(bytes)
        case .boolean, .null: writer.false()
        case .array(let items):
            writer.array(items.count)
            for item in items { write(item, to: &writer) }
        }
    }
}
