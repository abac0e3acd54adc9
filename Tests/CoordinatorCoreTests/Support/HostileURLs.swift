import CoordinatorCore

/// URLs made of the pieces that normalisers trip over.
struct HostileURLs {
    private static let schemes = ["http://", "https://", "HTTP://", "hTTpS://"]
    private static let users = ["", "", "", "me@", "me:secret@", "a@b@", ":@", "%40@"]
    private static let hosts = [
        "www.rtl.lu", "WWW.RTL.lu", "rtl.lu.", "rtl.lu...", "[::1]", "[2001:DB8::A]", "münchen.de",
        "İSTANBUL.tr", "ΣΊΣΥΦΟΣ.gr", "\u{212A}elvin.x", "a%2fb", "127.0.0.1", "www.", "www", "{a}",
        "e\u{301}.fr", "\u{E9}.fr", "x\u{0}y", "日本。jp", "-", "..a", "ß.de", "%", "\u{202E}evil",
    ]
    private static let ports = ["", "", ":", ":80", ":443", ":0080", ":8080", ":08443", ":0"]
    private static let pieces = [
        "/", "/", "/", "//", ".", "..", "/./", "/../", "/..", "%2e", "%2E%2e", "%2F", "%2f", "%5c",
        "%", "%%", "%4", "%41", "%%34%31", "%25", "%2541", "%252e", "%00", "%7e", "%C3%A9", "%c3",
        "%FF", "%ED%A0%80", "é", "e\u{301}", "a", "b", "news", "1234", ".html", "{", "}", ":", ";",
        "\\", " ", "\r\n", "\u{0}", "@", "~", "-", "_", "+", "&", "=", "😀", "%zz", "%2", "2e",
        "/2e",
    ]
    private static let queries = [
        "id", "%69d", "id=1", "id=%2f", "x=1", "id=%%34%31", "&", "a%5Bb",
    ]

    private var generator: SplitMix64

    init(seed: UInt64) {
        generator = SplitMix64(seed: seed)
    }

    /// An absolute URL with a host, shorter than the limit.
    mutating func next() -> String {
        var url = generator.pick(Self.schemes) + generator.pick(Self.users)
        url += generator.pick(Self.hosts) + generator.pick(Self.ports)
        if Bool.random(using: &generator) {
            url += "/" + text(of: Self.pieces, upTo: 12, joinedBy: "")
        }
        if Bool.random(using: &generator) {
            url += "?" + text(of: Self.queries, upTo: 5, joinedBy: "&")
        }
        if Bool.random(using: &generator) {
            url += "#" + text(of: Self.pieces, upTo: 3, joinedBy: "")
        }
        return url
    }

    /// A path of up to 40 of the pieces, starting with a slash.
    mutating func nextPath() -> [UInt8] {
        Array(("/" + text(of: Self.pieces, upTo: 40, joinedBy: "")).utf8)
    }

    private mutating func text(of choices: [String], upTo: Int, joinedBy separator: String)
        -> String
    {
        let count = Int.random(in: 0...upTo, using: &generator)
        return (0..<count).map { _ in generator.pick(choices) }.joined(separator: separator)
    }
}
