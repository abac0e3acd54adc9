/// The path of a URL as its segments, normalised step by step.
///
/// - Invariant: `segments` holds no empty ones, so duplicate slashes are joined and a trailing one
///   is gone by construction.
struct PagePath {
    /// The percent-normalised path that the segments are ranges of.
    let bytes: [UInt8]
    /// Where each segment stands in `bytes`.
    private(set) var segments: [Range<Int>]

    /// Splits a percent-normalised path at its slashes; dot segments are still in it.
    init(splitting path: [UInt8]) {
        bytes = path
        segments = path.split(separator: UInt8(ascii: "/")).map { $0.startIndex..<$0.endIndex }
    }

    /// Whether the text ends as a directory does: in a slash or a dot segment.
    var isDirectory: Bool {
        bytes.last == UInt8(ascii: "/") || segments.last.map { Self.isDots(bytes[$0]) } ?? true
    }

    /// Takes out `.` with itself and `..` with the segment before it; never above the root.
    mutating func resolveDotSegments() {
        var kept: [Range<Int>] = []
        for segment in segments {
            if !Self.isDots(bytes[segment]) {
                kept.append(segment)
            } else if segment.count == 2 {
                _ = kept.popLast()
            }
        }
        segments = kept
    }

    /// The path that the segments make, without a trailing slash except for the root.
    var text: [UInt8] {
        guard !segments.isEmpty else { return [UInt8(ascii: "/")] }
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        for segment in segments {
            text.append(UInt8(ascii: "/"))
            text += bytes[segment]
        }
        return text
    }

    /// The level that a segment shows as: percent-decoded, invalid bytes as U+FFFD, the last one
    /// cut at its first dot unless that is its first character.
    func level(_ index: Int) -> String {
        var shown = bytes[segments[index]]
        if index == segments.count - 1, let dot = shown.firstIndex(of: UInt8(ascii: ".")),
            dot > shown.startIndex
        {
            shown = shown[..<dot]
        }
        guard shown.contains(UInt8(ascii: "%")) else {
            return String(decoding: shown, as: UTF8.self)
        }
        return String(decoding: PercentEncoding.decoded(shown), as: UTF8.self)
    }

    private static func isDots(_ segment: ArraySlice<UInt8>) -> Bool {
        segment.count <= 2 && segment.allSatisfy { $0 == UInt8(ascii: ".") }
    }
}
