/// Writes a page's address the way browsers and newsletters send it: mostly plain, sometimes with
/// a query, a fragment or in a spelling that must be the same page.
struct AddressWriter: Sendable {
    /// Spellings that normalising must undo. Shares are of 1,024 addresses.
    private enum Spelling {
        case plain, query, fragment, upperHost, upperScheme, port, dotHost, user
        case trailingSlash, doubleSlash, dotSegment, escaped

        init(_ draw: UInt64) {
            switch draw {
            case 0..<600: self = .plain
            case 600..<860: self = .query
            case 860..<900: self = .fragment
            case 900..<920: self = .upperHost
            case 920..<930: self = .upperScheme
            case 930..<950: self = .port
            case 950..<954: self = .dotHost
            case 954..<956: self = .user
            case 956..<980: self = .trailingSlash
            case 980..<996: self = .doubleSlash
            case 996..<1008: self = .dotSegment
            default: self = .escaped
            }
        }
    }

    private static let queries: [StaticString] = [
        "?utm_source=newsletter&utm_medium=email", "?fbclid=IwAR2xY3", "?ref=home", "?page=2",
        "?utm_campaign=moien%20l%C3%ABtzebuerg", "?q=a/b//c&x=%zz", "?", "?amp=1#start",
    ]
    private static let fragments: [StaticString] = ["#comments", "#/photo/3", "#"]

    /// Appends scheme, host and path; `path` begins with a slash.
    static func append(
        host: [UInt8], path: ArraySlice<UInt8>, random: inout TrafficRandom, to out: inout [UInt8]
    ) {
        let draw = random.next()
        let spelling = Spelling(draw & 1023)
        let choice = Int(truncatingIfNeeded: draw >> 10 & 0xFF)
        appendOrigin(host, spelling, isHTTP: draw >> 20 & 15 == 0, to: &out)
        appendPath(path, spelling, to: &out)
        switch spelling {
        case .query: out.append(queries[choice % queries.count])
        case .fragment: out.append(fragments[choice % fragments.count])
        case .plain, .upperHost, .upperScheme, .port, .dotHost, .user, .trailingSlash, .doubleSlash,
            .dotSegment, .escaped:
            break
        }
    }

    private static func appendOrigin(
        _ host: [UInt8], _ spelling: Spelling, isHTTP: Bool, to out: inout [UInt8]
    ) {
        if case .upperScheme = spelling {
            out.append(isHTTP ? "HTTP://" : "HTTPS://")
        } else {
            out.append(isHTTP ? "http://" : "https://")
        }
        if case .user = spelling { out.append("reader:x@") }
        let start = out.count
        out.append(contentsOf: host)
        switch spelling {
        case .upperHost:
            for index in start..<out.count
            where out[index] >= UInt8(ascii: "a") && out[index] <= UInt8(ascii: "z") {
                out[index] -= 32
            }
        case .port: out.append(isHTTP ? ":80" : ":443")
        case .dotHost: out.append(".")
        case .plain, .query, .fragment, .upperScheme, .user, .trailingSlash, .doubleSlash,
            .dotSegment, .escaped:
            break
        }
    }

    private static func appendPath(
        _ path: ArraySlice<UInt8>, _ spelling: Spelling, to out: inout [UInt8]
    ) {
        switch spelling {
        case .doubleSlash: out.append("/")
        case .dotSegment: out.append("/./x/..")
        case .plain, .query, .fragment, .upperHost, .upperScheme, .port, .dotHost, .user,
            .trailingSlash, .escaped:
            break
        }
        if case .escaped = spelling, path.count > 1 {
            // The first letter as %xx, in lower-case digits.
            let letter = path[path.startIndex + 1]
            out.append("/%")
            out.append(Hexadecimal.lower(letter >> 4))
            out.append(Hexadecimal.lower(letter & 15))
            out.append(contentsOf: path.dropFirst(2))
        } else {
            out.append(contentsOf: path)
        }
        if case .trailingSlash = spelling { out.append("/") }
    }
}
