/// Which lines of a log are page views.
public enum LogCount: String, CaseIterable, Sendable {
    /// GET, status 2xx or 304, not an asset by its extension.
    case pages
    /// Every line that parses.
    case all

    private static let get = Array("GET".utf8)

    /// Why the line does not count; nil where it does. The first reason in the order method,
    /// status, asset is told.
    public func reasonToLeaveOut(_ line: LogLine) -> LeftOutReason? {
        guard self == .pages else { return nil }
        guard line.method == Self.get else { return .method }
        guard (200...299).contains(line.status) || line.status == 304 else { return .status }
        return AssetNames.isAsset(line.target) ? .asset : nil
    }
}

/// Tells parts of pages from pages, by the extension.
enum AssetNames {
    private static let extensions: Set<[UInt8]> = Set(
        [
            "css", "js", "map", "png", "jpg", "jpeg", "gif", "svg", "ico", "webp", "avif", "woff",
            "woff2", "ttf", "mp3", "mp4", "webm", "pdf", "zip", "gz", "xml", "txt", "json",
        ].map { Array($0.utf8) })
    private static let longestExtension = 5

    /// Whether the path's last segment ends with one of the extensions, in any case of letters.
    static func isAsset(_ target: [UInt8]) -> Bool {
        let path = RequestTarget.path(of: target)
        let tail = path.suffix(longestExtension + 1)
        guard let dot = tail.lastIndex(of: UInt8(ascii: ".")) else { return false }
        let suffix = tail[(dot + 1)...]
        guard !suffix.contains(UInt8(ascii: "/")) else { return false }
        return extensions.contains(suffix.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 })
    }
}

/// The forms a request target may have.
///
/// - Source: RFC 9112, section 3.2.
enum RequestTarget {
    /// Whether the target is a whole http or https URL, as proxies are sent.
    static func isAbsolute(_ target: [UInt8]) -> Bool { schemeLength(target) != nil }

    /// The path without query and fragment; empty for a URL without a path.
    static func path(of target: [UInt8]) -> ArraySlice<UInt8> {
        var rest = target[...]
        if let scheme = schemeLength(target) {
            rest = rest.dropFirst(scheme).drop { $0 != UInt8(ascii: "/") && !endsPath($0) }
        }
        return rest.prefix { !endsPath($0) }
    }

    private static func endsPath(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
    }

    private static let schemes = [Array("http://".utf8), Array("https://".utf8)]

    private static func schemeLength(_ target: [UInt8]) -> Int? {
        // Nearly every target begins with its path.
        guard let first = target.first, first | 0x20 == UInt8(ascii: "h") else { return nil }
        for scheme in schemes where target.count > scheme.count {
            let isSame = zip(target, scheme).allSatisfy { byte, letter in
                byte == letter || (byte | 0x20 == letter && (0x41...0x5A).contains(byte))
            }
            if isSame { return scheme.count }
        }
        return nil
    }
}
