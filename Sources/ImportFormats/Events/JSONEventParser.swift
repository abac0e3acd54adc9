/// One event of an ndjson file.
struct JSONEvent: Equatable {
    var fields: [ImportField]

    /// The value of a field.
    func value(_ name: [UInt8]) -> [UInt8]? {
        fields.first { $0.name == name }?.value
    }
}

/// Parses one line of ndjson: one JSON object, its members the event's fields.
///
/// Strings are carried as the bytes they stand for, numbers and nested values as they are written
/// (so that no number loses a digit), null as missing. Of members with the same name the last
/// counts. Anything but one whole object is nil.
///
/// - Source: RFC 8259.
enum JSONEventParser {
    /// The fields that counting needs are always carried; of others so many, the rest is let go:
    /// nobody needs them, and a line of ten thousand must not cost the square of it.
    static let maximumOtherFields = 32

    static func parse(_ line: UnsafeRawBufferPointer) -> JSONEvent? {
        var scanner = JSONScanner(line)
        var event = JSONEvent(fields: [])
        scanner.skipSpace()
        guard scanner.skip(UInt8(ascii: "{")) else { return nil }
        scanner.skipSpace()
        if !scanner.skip(UInt8(ascii: "}")) {
            repeat {
                scanner.skipSpace()
                guard let name = scanner.string(), scanner.skipColon(), let value = scanner.value()
                else {
                    return nil
                }
                put(value, named: name, into: &event)
                scanner.skipSpace()
            } while scanner.skip(UInt8(ascii: ","))
            guard scanner.skip(UInt8(ascii: "}")) else { return nil }
        }
        scanner.skipSpace()
        return scanner.isAtEnd ? event : nil
    }

    private static func put(
        _ value: JSONScanner.Value, named name: [UInt8], into event: inout JSONEvent
    ) {
        let place = event.fields.firstIndex { $0.name == name }
        guard case .bytes(let bytes) = value else {
            if let place { event.fields.remove(at: place) }
            return
        }
        if let place {
            event.fields[place] = ImportField(name, bytes)
        } else if isNeeded(name) || event.fields.count < maximumOtherFields {
            event.fields.append(ImportField(name, bytes))
        }
    }

    private static func isNeeded(_ name: [UInt8]) -> Bool {
        ImportField.needed.contains(name)
    }
}
