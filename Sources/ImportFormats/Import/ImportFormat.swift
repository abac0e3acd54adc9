/// The formats of lines.
public enum ImportFormat: String, CaseIterable, Sendable {
    /// Found out from the first lines.
    case auto
    case combined
    case common
    /// Combined with the virtual host in front.
    case vhost
    case ndjson

    /// The format of a line, or nil where it is of none.
    ///
    /// A vhost line is told from a combined one by the fields before the time: four instead of
    /// three, of which the third (the identity that nobody sends) is `-`.
    static func detect(_ line: UnsafeRawBufferPointer) -> ImportFormat? {
        if line.first(where: { $0 != 0x20 && $0 != 0x09 }) == UInt8(ascii: "{") {
            return JSONEventParser.parse(line) == nil ? nil : .ndjson
        }
        if isHostFirst(line) {
            var parser = LogLineParser(isHostFirst: true)
            if parser.parse(line) != nil { return .vhost }
        }
        var parser = LogLineParser(isHostFirst: false)
        return parser.parse(line).map { $0.hasAgent ? .combined : .common }
    }

    private static func isHostFirst(_ line: UnsafeRawBufferPointer) -> Bool {
        guard let bracket = line.firstIndex(of: UInt8(ascii: "[")) else { return false }
        let fields = line[..<bracket].split(separator: 0x20)
        let dash = [UInt8(ascii: "-")]
        return fields.count >= 4 && !fields[1].elementsEqual(dash)
            && (fields.count == 4 || fields[2].elementsEqual(dash))
    }
}

/// How a file is to be read.
public struct ImportOptions: Sendable {
    /// The format of the lines.
    public var format: ImportFormat
    /// Which lines of a log count.
    public var count: LogCount
    /// What tells devices of a log apart.
    public var device: LogDevice
    /// The host of log lines that name none.
    public private(set) var host: String?
    /// Names the source instead of the file's first bytes.
    public var sourceName: String?
    /// Times later than this (ms since 1970) do not move the ids: the events are refused by the
    /// node as too far ahead, instead of making everything after them look expired. Take Redis's
    /// clock and add a day, so that logs of another zone still pass.
    public var latestPlausibleTime: Int64?

    /// How a file is to be read.
    ///
    /// - Errors: `.invalidHost` for a host with a scheme, a path or spaces.
    public init(
        format: ImportFormat = .auto, count: LogCount = .pages, device: LogDevice = .addressAgent,
        host: String? = nil, sourceName: String? = nil, latestPlausibleTime: Int64? = nil
    ) throws(ImportError) {
        if let host, !LogLineParser.isHost(Array(host.utf8)) { throw .invalidHost(host) }
        self.format = format
        self.count = count
        self.device = device
        self.host = host
        self.sourceName = sourceName
        self.latestPlausibleTime = latestPlausibleTime
    }
}
