/// A JSON document as a value: objects keep the order of their members, so that output is stable
/// and reads well.
public indirect enum JSONValue: Sendable, Equatable {
    /// One member of an object.
    public struct Member: Sendable, Equatable {
        /// Its name.
        public var key: String
        /// What it holds.
        public var value: JSONValue

        /// A member.
        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    case null
    case bool(Bool)
    /// A number below 2^53 in size.
    case integer(Int64)
    /// A 64-bit number, written as a string.
    case largeInteger(UInt64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// The value, or null where it is unknown.
    public static func optional(_ number: Int64?) -> JSONValue {
        number.map { .integer($0) } ?? .null
    }

    /// The value, or null where it is unknown.
    public static func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

    /// Writes the value.
    public func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let value): writer.bool(value)
        case .integer(let number): writer.integer(number)
        case .largeInteger(let number): writer.largeInteger(number)
        case .number(let number): writer.number(number)
        case .string(let text): writer.string(text)
        case .array(let values):
            writer.beginArray()
            for value in values { value.write(to: &writer) }
            writer.endArray()
        case .object(let members):
            writer.beginObject()
            for member in members {
                writer.key(member.key)
                member.value.write(to: &writer)
            }
            writer.endObject()
        }
    }

    /// The document with a line feed at its end.
    public func text(isIndented: Bool = false) -> String {
        var writer = JSONWriter(isIndented: isIndented)
        write(to: &writer)
        writer.endLine()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
    ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral
{
    /// `["at": 1, "name": "x"]`, in this order.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }

    /// `[1, 2]`.
    public init(arrayLiteral elements: JSONValue...) {
        self = .array(elements)
    }

    /// `"text"`.
    public init(stringLiteral value: String) {
        self = .string(value)
    }

    /// `5`.
    public init(integerLiteral value: Int64) {
        self = .integer(value)
    }

    /// `true`.
    public init(booleanLiteral value: Bool) {
        self = .bool(value)
    }

    /// `nil`.
    public init(nilLiteral: ()) {
        self = .null
    }
}

/// One answer of a command in all its forms.
public struct Document: Sendable {
    /// What `-o json` prints.
    public var value: JSONValue
    /// What `-o ndjson` prints, a line each.
    public var lines: [JSONValue]
    /// What the other formats print.
    public var table: Table

    /// An answer; without `lines` ndjson is the whole document on one line.
    public init(_ value: JSONValue, lines: [JSONValue]? = nil, table: Table) {
        self.value = value
        self.lines = lines ?? [value]
        self.table = table
    }

    /// The answer in the format asked for. JSON is indented for people's eyes; `jq` does not mind.
    public func text(_ style: RenderingStyle) -> String {
        switch style.format {
        case .json: return value.text(isIndented: true)
        case .ndjson: return lines.map { $0.text() }.joined()
        case .table, .wide, .csv, .name: return table.text(style)
        }
    }
}
