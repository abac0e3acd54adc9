/// The one spelling of a host: lower case, no dot at the end.
enum HostName {
    /// The host normalised; a host in Unicode is not translated, only lower-cased.
    ///
    /// All dots at the end go: with one only, normalising a second time would change the host.
    static func normalised(_ host: some BidirectionalCollection<UInt8>) -> [UInt8] {
        let end = host.lastIndex { $0 != UInt8(ascii: ".") }.map(host.index(after:))
        let kept = host[..<(end ?? host.startIndex)]
        if kept.allSatisfy({ $0 < 0x80 }) {
            return kept.map {
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0
            }
        }
        return Array(String(decoding: kept, as: UTF8.self).lowercased().utf8)
    }
}
