/// An absolute http(s) URL taken apart, nothing changed yet.
///
/// - Shape: ranges of positions in the bytes given; the path begins with its slash or is empty.
/// - Errors: refused as `url` when it is not absolute http(s), has no host, or when what should be
///   the port is no number up to 65535: then no host can be told from it.
/// - Source: RFC 3986, section 3, read leniently: no byte is refused for being unusual.
struct URLParts: Equatable {
    /// The scheme in lower case.
    let scheme: String
    /// What stands before the last `@` of the authority.
    let userInfo: Range<Int>?
    /// The host as given; an IPv6 address with its brackets.
    let host: Range<Int>
    /// The digits after the host's colon; may be empty.
    let port: Range<Int>?
    /// From the first slash after the authority.
    let path: Range<Int>
    /// After the first `?`, up to the fragment.
    let query: Range<Int>?
    /// After the first `#`.
    let fragment: Range<Int>?

    /// Takes `url` apart.
    init(parsing url: UnsafeRawBufferPointer) throws(RefusalError) {
        guard let scheme = ["http", "https"].first(where: { Self.begins(url, with: $0) }) else {
            throw RefusalError(.url, "the url is not absolute http or https")
        }
        self.scheme = scheme
        let authorityStart = scheme.utf8.count + 3
        let hash = Self.first("#", in: url, authorityStart..<url.count)
        let end = hash ?? url.count
        let question = Self.first("?", in: url, authorityStart..<end)
        let pathEnd = question ?? end
        let pathStart = Self.first("/", in: url, authorityStart..<pathEnd) ?? pathEnd
        fragment = hash.map { $0 + 1..<url.count }
        query = question.map { $0 + 1..<end }
        path = pathStart..<pathEnd

        let authority = authorityStart..<pathStart
        let at = url[authority].lastIndex(of: UInt8(ascii: "@"))
        userInfo = at.map { authority.lowerBound..<$0 }
        let hostStart = at.map { $0 + 1 } ?? authority.lowerBound
        (host, port) = try Self.hostAndPort(url, hostStart..<authority.upperBound)
    }

    /// The port as a number when it is part of a page's URL; 80, 443 and an empty one are not.
    func keptPort(in url: UnsafeRawBufferPointer) -> UInt16? {
        guard let port, let number = Decimal.unsigned(url[port]), number != 80, number != 443 else {
            return nil
        }
        return UInt16(exactly: number)
    }

    private static func begins(_ url: UnsafeRawBufferPointer, with scheme: String) -> Bool {
        let length = scheme.utf8.count
        guard url.count >= length + 3 else { return false }
        // Only letters are set to lower case by this bit, and no other byte becomes one by it.
        let matches = zip(url, scheme.utf8).allSatisfy { $0 | 0x20 == $1 }
        return matches && url[length..<(length + 3)].elementsEqual("://".utf8)
    }

    private static func first(
        _ character: Unicode.Scalar, in url: UnsafeRawBufferPointer, _ range: Range<Int>
    ) -> Int? {
        url[range].firstIndex(of: UInt8(ascii: character))
    }

    private static func hostAndPort(
        _ url: UnsafeRawBufferPointer, _ range: Range<Int>
    ) throws(RefusalError) -> (host: Range<Int>, port: Range<Int>?) {
        var hostEnd = first(":", in: url, range) ?? range.upperBound
        if !range.isEmpty, url[range.lowerBound] == UInt8(ascii: "[") {
            guard let close = first("]", in: url, range) else {
                throw RefusalError(.url, "the url's host has no closing bracket")
            }
            hostEnd = close + 1
        }
        let host = range.lowerBound..<hostEnd
        guard url[host].contains(where: { $0 != UInt8(ascii: ".") }) else {
            throw RefusalError(.url, "the url has no host")
        }
        guard hostEnd < range.upperBound else { return (host, nil) }
        let port = hostEnd + 1..<range.upperBound
        guard url[hostEnd] == UInt8(ascii: ":"),
            port.isEmpty || (Decimal.unsigned(url[port]) ?? .max) <= UInt16.max
        else { throw RefusalError(.url, "the url's port is not a number up to 65535") }
        return (host, port)
    }
}
