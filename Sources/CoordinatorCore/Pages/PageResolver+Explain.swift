extension PageResolver {
    /// Every step of the normalising, for people: what the step is called, and what it gave.
    ///
    /// The steps are those of `resolve`, called one by one, so the two cannot tell different
    /// stories. A refused URL ends with the step `refused`.
    public func explain(_ url: String) -> [(step: String, value: String)] {
        let bytes = Array(url.utf8)
        return bytes.withUnsafeBytes { bytes in
            do throws(RefusalError) {
                try check(bytes)
                return [("given", url)] + explainAccepted(try URLParts(parsing: bytes), of: bytes)
            } catch {
                return [("given", url), ("refused", error.description)]
            }
        }
    }

    private func explainAccepted(
        _ parts: URLParts, of url: UnsafeRawBufferPointer
    ) -> [(step: String, value: String)] {
        let host = HostName.normalised(url[parts.host])
        let website = sites.website(of: host)
        let query = parts.query.map { sites.keptQuery(of: website.name, url[$0]) } ?? []
        var steps = explainParts(parts, host: host, query: query, of: url)
        let path = explainPath(url[parts.path], in: &steps)
        let origin =
            switch website.origin {
            case .table: "from the site table"
            case .tableDefault: "the site table's default"
            case .host: "from the host"
            }
        steps.append(("website", "\(website.name) (\(origin))"))
        let port = parts.keptPort(in: url)
        let pageURL = pageURL(host: host, port: port, path: path, query: query)
        let address = address(website: website.name, path: path, url: pageURL)
        return steps + [
            ("levels", address.levels.joined(separator: " | ")),
            ("section", address.section), ("page", address.url),
            ("website id", address.websiteID.hex), ("section id", address.sectionID.hex),
            ("page id", address.pageID.hex),
            ("article_id", address.articleID.map { String($0) } ?? "none"),
        ]
    }

    private func explainParts(
        _ parts: URLParts, host: [UInt8], query: [UInt8], of url: UnsafeRawBufferPointer
    ) -> [(step: String, value: String)] {
        var steps: [(step: String, value: String)] = [
            ("scheme", "\(parts.scheme), not part of the page"), ("host", Self.text(host)),
        ]
        if parts.userInfo != nil { steps.append(("user info", "dropped")) }
        if let port = parts.port {
            let kept = parts.keptPort(in: url)
            steps.append(("port", kept.map { "\($0) kept" } ?? "\(Self.text(url[port])) dropped"))
        }
        if let given = parts.query {
            let kept =
                query.isEmpty ? "\(Self.text(url[given])) dropped" : "\(Self.text(query)) kept"
            steps.append(("query", kept))
        }
        if let fragment = parts.fragment {
            steps.append(("fragment", "\(Self.text(url[fragment])) dropped"))
        }
        return steps
    }

    private func explainPath(
        _ given: Slice<UnsafeRawBufferPointer>, in steps: inout [(step: String, value: String)]
    ) -> PagePath {
        let decoded = PercentEncoding.normalised(given)
        let slash = UInt8(ascii: "/")
        steps.append(("percent-decoding", Self.text(decoded.isEmpty ? [slash] : decoded)))
        var path = PagePath(splitting: decoded)
        let endsInSlash = decoded.last == slash && !path.segments.isEmpty
        steps.append(("duplicate slashes", Self.text(path.text) + (endsInSlash ? "/" : "")))
        let isDirectory = path.isDirectory
        path.resolveDotSegments()
        let resolved = Self.text(path.text)
        let trailing = isDirectory && !path.segments.isEmpty ? "/" : ""
        steps.append(("dot segments", resolved + trailing))
        steps.append(("trailing slash", resolved))
        return path
    }

    private static func text(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
